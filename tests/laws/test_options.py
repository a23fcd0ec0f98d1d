"""Every option: a wrong value is refused by name, a right one survives its file, and the shell knows it."""

import copy
import json
import pickle
from typing import get_args

import numpy as np
import pytest

from omixvae import config
from omixvae.cli import main
from omixvae.cli.options import given_options
from omixvae.config import GROUPS, OPTIONS, Config, ModelConfig
from omixvae.constraints import Flag, Name, Names, Number, PerModality, Word
from omixvae.encoders import AGGREGATIONS
from omixvae.errors import InputError
from omixvae.likelihoods import LIKELIHOODS
from omixvae.objectives import OBJECTIVES
from omixvae.priors import PRIORS
from omixvae.synonyms import OTHER_WORDS

DEFAULTS = Config().to_options()

every_option = pytest.mark.parametrize("name", OPTIONS)


def another_value(allowed, default):
    """Give an allowed value that is not the default, unless there is no other word yet."""
    match allowed:
        case Word(words):
            return next((word for word in words if word != default), default)
        case Number(kind, low, high):
            return next(value for value in (kind(low), kind(high)) if value != default)
        case Flag():
            return not default
        case Name():
            return "another name"
        case Names():
            return ["first", "second"]
        case PerModality(value):
            return {"rna": another_value(value, None)}


def wrong_value(allowed):
    """Give a value that must be refused."""
    match allowed:
        case Word():
            return "no_such_word"
        case Number(high=high):
            return high + 1
        case Flag():
            return "maybe"
        case Name():
            return "a/b"
        case Names():
            return ("twice", "twice")
        case PerModality(value):
            return {"rna": wrong_value(value)}


@every_option
def test_a_wrong_value_is_refused_by_name(name):
    option = OPTIONS[name]
    for make in (Config.from_options, GROUPS[option.group]):
        with pytest.raises(InputError) as refusal:
            make(**{name: wrong_value(option.allowed)})
        assert refusal.value.problem.startswith(f"Option {name} cannot be ")
        assert refusal.value.where == f"option {name} (--{name.replace('_', '-')})"


def test_all_wrong_values_are_refused_together():
    with pytest.raises(InputError, match="n_latent") as refusal:
        Config.from_options(n_latent=0, seed=-1, no_such_option=1)
    assert "3 problems" in str(refusal.value)
    assert "seed" in str(refusal.value)
    assert "no_such_option" in str(refusal.value)


def test_a_group_refuses_all_its_wrong_values_together_and_takes_what_is_meant():
    with pytest.raises(InputError, match="2 problems") as refusal:
        ModelConfig(n_latent=-3, prior="gausian_mixture")
    assert "Did you mean 'gaussian_mixture'?" in str(refusal.value)
    given = {"rna": np.int64(2)}
    config = ModelConfig(n_private=given)
    given["rna"] = -1
    assert config.n_private == {"rna": 2}
    with pytest.raises(TypeError):
        config.n_private["rna"] = 3


@every_option
def test_another_value_survives_json(name, tmp_path):
    value = another_value(OPTIONS[name].allowed, DEFAULTS[name])
    written = Config.from_options(**{name: value})
    assert written.to_options()[name] == value
    file = tmp_path / "config.json"
    file.write_text(written.to_json())
    assert Config.from_options(**given_options(file, {})) == written
    assert Config.from_options(**json.loads(file.read_text())) == written


def test_the_defaults_are_allowed():
    assert Config.from_options(**DEFAULTS) == Config()


@pytest.mark.parametrize("text", ["learning_rate: 1e-5", "learning_rate: 0.00001", '{"learning_rate": 1e-05}'])
def test_a_small_number_may_be_written_as_is_usual(text, tmp_path):
    """YAML 1.1 takes 1e-5 for a word, also in the JSON that to_json writes."""
    file = tmp_path / "options.yaml"
    file.write_text(text)
    assert given_options(file, {}) == {"learning_rate": 1e-5}


@every_option
def test_the_shell_knows_the_option(name):
    options = {option.name: option for option in main.commands["train"].params}
    assert name in options, f"omixvae train has no option for {name}."
    assert f"--{name.replace('_', '-')}" in options[name].opts
    assert OPTIONS[name].help.startswith(options[name].help.partition(":")[0].rstrip("."))
    assert options[name].default is None, "what is not given must not look as if it were"


@every_option
def test_the_help_shows_what_an_option_takes(name):
    option = {option.name: option for option in main.commands["train"].params}[name]
    allowed = OPTIONS[name].allowed
    one = allowed.value if isinstance(allowed, PerModality) else allowed
    shown = f"{option.metavar} {option.help}"
    words = one.words if isinstance(one, (Word, Names)) else allowed.words if isinstance(allowed, Number) else ()
    assert "VALUE" not in shown
    assert all(word in shown for word in words if word), shown


PER_MODALITY = [name for name, o in OPTIONS.items() if isinstance(o.allowed, PerModality)]


@pytest.mark.parametrize("name", PER_MODALITY)
def test_one_value_stands_for_all_modalities(name):
    allowed = OPTIONS[name].allowed
    value = another_value(allowed.value, None)
    for given in (value, allowed.parse(in_shell(value))):
        assert Config.from_options(**{name: given}).to_options()[name] == value
    wrong = wrong_value(allowed.value)
    with pytest.raises(InputError, match=f"^Option {name} cannot be {wrong!r}"):
        Config.from_options(**{name: wrong})


@pytest.mark.parametrize("name", [name for name, o in OPTIONS.items() if isinstance(o.allowed, Names)])
@pytest.mark.parametrize("given", ["age", ["age"], np.array(["age"]), {"age": 0}.keys(), {"age"}])
def test_one_name_and_any_collection_stand_for_a_list(name, given):
    assert Config.from_options(**{name: given}).to_options()[name] == ["age"]


def test_numbers_of_numpy_are_numbers():
    given = {"n_latent": np.int64(3), "beta": np.float32(0.5), "n_private": {"rna": np.int32(2)}}
    config = Config.from_options(**given)
    assert json.loads(config.to_json())["n_private"] == {"rna": 2}
    assert (config.model.n_latent, config.model.beta) == (3, 0.5)


@every_option
def test_a_config_can_be_pickled_and_copied(name):
    config = Config.from_options(**{name: another_value(OPTIONS[name].allowed, DEFAULTS[name])})
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("likelihoods", "nb", "negative_binomial"),
        ("likelihoods", "ZINB", "zero_inflated_negative_binomial"),
        ("likelihoods", {"rna": "normal"}, "gaussian"),
        ("prior", "normal", "standard_normal"),
        ("prior", "GMM", "gaussian_mixture"),
        ("device", "gpu", "cuda"),
        ("device", "cuda:0", "cuda"),
        ("precision", "bf16", "mixed"),
        ("aggregation", "product-of-experts", "poe"),
    ],
)
def test_words_of_other_tools_are_understood(name, value, meant):
    with pytest.raises(InputError) as refusal:
        Config.from_options(**{name: value})
    assert refusal.value.fix.startswith(f"Did you mean {meant!r}? Known: ")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("accelerator", "device"), ("use_gpu", "device"), ("n_epochs", "max_epochs"), ("epochs", "max_epochs")),
        *(("lr", "learning_rate"), ("latent_dim", "n_latent"), ("n_factors", "n_latent"), ("batch", "batch_key")),
        *(("labels", "labels_key"), ("random_state", "seed"), ("gene_likelihood", "likelihoods")),
        *(("n_hidden", "hidden_size"), ("verbose", "progress"), ("layer", "layers"), ("views", "modalities")),
    ],
)
def test_options_of_other_tools_are_understood(word, meant):
    with pytest.raises(InputError) as refusal:
        Config.from_options(**{word: 1})
    assert refusal.value.fix.startswith(f"Did you mean {meant!r}? Known: ")


def test_no_word_of_ours_is_taken_for_another_option():
    """A synonym that is itself an option would never be reached, and one of two options must not hide the other."""
    options = set(OPTIONS)
    others = {
        other: [ours for ours in OTHER_WORDS if ours in options and other in OTHER_WORDS[ours]]
        for other in (word for words in OTHER_WORDS.values() for word in words)
    }
    assert {other: ours for other, ours in others.items() if len(ours) > 1 or (ours and other in options)} == {}


def in_shell(value):
    """Write a value as one does on the command line."""
    if isinstance(value, dict):
        return ",".join(f"{name}={in_shell(v)}" for name, v in value.items())
    return ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)


@every_option
def test_the_shell_reads_the_value_back(name):
    allowed = OPTIONS[name].allowed
    value = another_value(allowed, DEFAULTS[name])
    assert Config.from_options(**{name: allowed.parse(in_shell(value))}).to_options()[name] == value


@pytest.mark.parametrize(
    ("words", "table", "literal"),
    [
        (config.LikelihoodWord, LIKELIHOODS, "LikelihoodWord"),
        (config.AggregationWord, AGGREGATIONS, "AggregationWord"),
        (config.PriorWord, PRIORS, "PriorWord"),
        (config.ObjectiveWord, OBJECTIVES, "ObjectiveWord"),
    ],
)
def test_words_and_tables_agree(words, table, literal):
    known = set(get_args(words))
    assert not table.keys() - known, f"omixvae/config.py: {literal} lacks {sorted(table.keys() - known)}."
    assert not known - table.keys(), f"The table of {literal} has no line for {sorted(known - table.keys())}."
