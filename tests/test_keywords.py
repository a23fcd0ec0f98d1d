"""Options for editors and type checkers: names, types and words are those of `Config`, and wrong ones are refused."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest

import omixvae
from omixvae.bounds import Bound
from omixvae.config import GROUPS, OPTIONS
from omixvae.encoders import Aggregation
from omixvae.keywords import Options
from omixvae.likelihoods import Likelihood
from omixvae.priors import Prior

TYPES = {name: get_type_hints(group)[name] for group in GROUPS.values() for name in group.__dataclass_fields__}
KEYWORDS = get_type_hints(Options)
OWN = {
    "likelihoods": {type[Likelihood], Likelihood},
    "prior": {type[Prior], Prior},
    "aggregation": {type[Aggregation], Aggregation},
    "objective": {Bound},
}
"""Parts of one's own, which no file can hold."""


def parts(annotation):
    """Take a type apart: its words, its plain types, and what its mappings hold."""
    if get_origin(annotation) in (Union, UnionType):
        return frozenset().union(*map(parts, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return frozenset(get_args(annotation))
    if get_origin(annotation) is Mapping:
        return frozenset({("by modality", parts(get_args(annotation)[1]))})
    return frozenset({annotation})


def as_given(annotation):
    """Widen the type of a field to what is taken for it."""
    asked = parts(annotation)
    return asked - {tuple[str, ...]} | {str, Iterable[str]} if tuple[str, ...] in asked else asked


def test_keywords_are_the_options():
    assert list(KEYWORDS) == list(OPTIONS)
    assert not Options.__required_keys__


@pytest.mark.parametrize("name", OPTIONS)
def test_a_keyword_has_the_type_and_the_words_of_the_option(name):
    found = parts(KEYWORDS[name])
    own = OWN.get(name, frozenset())
    if name == "likelihoods":
        words = next(part[1] for part in found if isinstance(part, tuple))
        assert own <= words
        found = found - {("by modality", words)} | {("by modality", words - own)}
    else:
        assert own <= found
        found -= own
    assert found == as_given(TYPES[name])


def test_a_keyword_of_another_type_is_found():
    assert parts(int | Literal["auto"]) != parts(int | Literal["auto", "none"])
    assert parts(Mapping[str, int]) != parts(Mapping[str, float])


@pytest.mark.parametrize("call", [omixvae.fit, omixvae.OmixVAE])
def test_the_signature_shows_every_option_with_its_default(call):
    shown = {name: p.default for name, p in inspect.signature(call).parameters.items() if name in OPTIONS}
    assert shown == {name: option.default for name, option in OPTIONS.items()}


def test_the_help_explains_every_option():
    text = re.sub(r"\s+", " ", inspect.getdoc(omixvae.fit))
    assert "{options}" not in text
    for option in OPTIONS.values():
        told = rf" {option.name} : \S.*?(, optional|, default \S+) {re.escape(option.help)}"
        assert re.search(told, text), option.name
    assert 'n_latent : int from 1 to 512 or "auto", default "auto" Dimensions' in text
    assert all(f" *{group.capitalize()}* – " in text for group in GROUPS)


SCRIPT = """\
import mudata
import omixvae

mdata = mudata.MuData({})
"""
RIGHT = """\
omixvae.fit(mdata, n_latent=8, prior="vamp", likelihoods={"rna": "poisson"}, impute=["rna"], noise=0.1, batch_key=None)
omixvae.OmixVAE(n_private={"rna": 2}, covariate_keys="age", max_epochs="auto").fit(mdata)
omixvae.fit(mdata, **omixvae.select(mdata, {"n_latent": [2, 5]}, seed=1).best)
"""
WRONG = {
    'omixvae.fit(mdata, prior="gausian")': 'Literal["gausian"]',
    'omixvae.OmixVAE(n_latent="many")': 'Literal["many"]',
    "omixvae.fit(mdata, n_latnet=8)": 'Unexpected keyword argument "n_latnet"',
    'omixvae.select(mdata, {}, likelihoods={"rna": "nb"})': "negative_binomial",
}

SETTINGS = """\
[mypy]
strict = true
disable_error_code = name-defined
[mypy-torch.*,pandas.*,numpy.*,scipy.*,sklearn.*,anndata.*,mudata.*,matplotlib.*,rich.*,h5py.*]
follow_imports = skip
ignore_missing_imports = true
"""


@pytest.mark.slow
def test_mypy_takes_right_options_and_refuses_wrong_ones(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    (tmp_path / "script.py").write_text(SCRIPT + RIGHT + "\n".join(WRONG) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("script.py") and " error: " in line]
    first = (SCRIPT + RIGHT).count("\n") + 1
    assert [int(line.split(":")[1]) for line in found] == list(range(first, first + len(WRONG))), done.stdout
    for line, (_, words) in zip(found, WRONG.items(), strict=True):
        assert words.replace('"', "'") in line.replace('"', "'"), line


def test_the_package_says_that_it_is_typed():
    assert (Path(omixvae.__file__).parent / "py.typed").is_file()
