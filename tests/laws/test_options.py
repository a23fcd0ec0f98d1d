"""Every option: a wrong value is refused by name, a right one survives its file, and the shell knows it."""

import json
from typing import get_args

import pytest

from omixvae import config
from omixvae.cli import main
from omixvae.config import Config, Flag, Name, Names, Number, PerModality, Word
from omixvae.encoders import AGGREGATIONS
from omixvae.errors import InputError
from omixvae.likelihoods import LIKELIHOODS
from omixvae.objectives import OBJECTIVES
from omixvae.priors import PRIORS

FIELDS = {f.name: f for _, f in Config.fields()}
DEFAULTS = Config().to_options()

every_option = pytest.mark.parametrize("name", FIELDS)


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


@every_option
def test_a_wrong_value_is_refused_by_name(name):
    with pytest.raises(InputError) as refusal:
        Config.from_options(**{name: FIELDS[name].metadata["allowed"].invalid()})
    assert refusal.value.problem.startswith(f"Option {name} cannot be ")
    assert refusal.value.where == f"option {name} (--{name.replace('_', '-')})"


def test_all_wrong_values_are_refused_together():
    with pytest.raises(InputError, match="n_latent") as refusal:
        Config.from_options(n_latent=0, seed=-1, no_such_option=1)
    assert "3 problems" in str(refusal.value)
    assert "seed" in str(refusal.value)
    assert "no_such_option" in str(refusal.value)


@every_option
def test_another_value_survives_json(name, tmp_path):
    value = another_value(FIELDS[name].metadata["allowed"], DEFAULTS[name])
    written = Config.from_options(**{name: value})
    assert written.to_options()[name] == value
    file = tmp_path / "config.json"
    file.write_text(written.to_json())
    assert Config.from_file(file) == written
    assert Config.from_options(**json.loads(file.read_text())) == written


def test_the_defaults_are_allowed():
    assert Config.from_options(**DEFAULTS) == Config()


@pytest.mark.parametrize("text", ["learning_rate: 1e-5", "learning_rate: 0.00001", '{"learning_rate": 1e-05}'])
def test_a_small_number_may_be_written_as_is_usual(text, tmp_path):
    """YAML 1.1 takes 1e-5 for a word, also in the JSON that to_json writes."""
    file = tmp_path / "options.yaml"
    file.write_text(text)
    assert Config.from_file(file).training.learning_rate == 1e-5


@every_option
def test_the_shell_knows_the_option(name):
    options = {option.name: option for option in main.commands["train"].params}
    assert name in options, f"omixvae train has no option for {name}."
    assert f"--{name.replace('_', '-')}" in options[name].opts
    assert FIELDS[name].metadata["help"].startswith(options[name].help.rstrip("."))
    assert options[name].default is None, "what is not given must not look as if it were"


def in_shell(value):
    """Write a value as one does on the command line."""
    if isinstance(value, dict):
        return ",".join(f"{name}={in_shell(v)}" for name, v in value.items())
    return ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)


@every_option
def test_the_shell_reads_the_value_back(name):
    allowed = FIELDS[name].metadata["allowed"]
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
