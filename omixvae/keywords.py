"""The options as arguments by name: typed for editors and mypy, and shown in `help()`."""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict, TypeVar

from omixvae.bounds import Bound
from omixvae.config import (
    GROUPS,
    OPTIONS,
    AggregationWord,
    Auto,
    DecoderWord,
    DeviceWord,
    DispersionWord,
    ImputeWord,
    KLWord,
    LikelihoodWord,
    ObjectiveWord,
    PrecisionWord,
    PriorWord,
    SizeFactorWord,
    SubsetLawWord,
)
from omixvae.constraints import Constraint, Flag, Name, Names, Number, PerModality, Word
from omixvae.encoders import Aggregation
from omixvae.likelihoods import Likelihood
from omixvae.options import Option
from omixvae.priors import Prior

__all__ = ["Options", "with_options"]

Documented = TypeVar("Documented", bound="Callable[..., object]")

PLACE = "{options}"
"""What stands in a docstring where the options are to stand, on a line of its own."""

FEW_WORDS = 4
"""So many words stand where the type stands; more are listed in the text."""

WIDTH = 100


class Options(TypedDict, total=False):
    """What may be given by name to `omixvae.fit`, `omixvae.OmixVAE` and all that take the options of a run.

    Type checkers need names and types in the source; a test holds these to the fields of `omixvae.Config`. Wider than
    there: one name stands for a list of one, any collection for a tuple, and parts of one's own for their words.
    """

    modalities: str | Iterable[str] | None
    layers: str | Mapping[str, str]
    coverage_layers: str | Mapping[str, str]
    batch_key: str | None
    covariate_keys: str | Iterable[str]
    labels_key: str | None
    likelihoods: Auto | LikelihoodWord | Mapping[str, LikelihoodWord | type[Likelihood] | Likelihood]
    size_factors: Auto | SizeFactorWord | Mapping[str, SizeFactorWord]
    dispersion: DispersionWord
    noise: float | Mapping[str, float]
    weights: Auto | float | Mapping[str, float]
    encode_covariates: bool
    n_latent: int | Auto
    n_private: int | Auto | Mapping[str, int]
    private_dropout: float | Auto
    n_clusters: int | Auto
    aggregation: AggregationWord | type[Aggregation] | Aggregation
    n_components: int
    objective: ObjectiveWord | Bound
    prior: PriorWord | type[Prior] | Prior
    decoder: Auto | DecoderWord
    shrinkage: float | Auto
    hidden_size: int | Auto
    beta: float
    beta_start: float
    subset_law: SubsetLawWord
    kl: KLWord
    max_epochs: int | Auto
    batch_size: int | Auto
    learning_rate: float | Auto
    early_stopping: bool
    device: Auto | DeviceWord
    precision: Auto | PrecisionWord
    seed: int
    progress: bool
    impute: ImputeWord | str | Iterable[str]
    key_added: str


def with_options(documented: Documented) -> Documented:
    """Show every option in the signature of a function or class, and in its docstring where that has a place for them.

    Parameters
    ----------
    documented
        It takes the options as ``**options``; arguments that it takes for a message alone begin with ``*``.

    Returns
    -------
    callable
        Itself: what `help()`, notebooks and the documentation show is changed, nothing else.
    """
    signature = inspect.signature(documented)
    named = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    options = [inspect.Parameter(o.name, inspect.Parameter.KEYWORD_ONLY, default=o.default) for o in OPTIONS.values()]
    shown: Any = documented
    shown.__signature__ = signature.replace(parameters=[*named, *options])
    if documented.__doc__ is not None:  # python -OO
        lines = documented.__doc__.splitlines(keepends=True)
        documented.__doc__ = "".join(
            textwrap.indent(_explanation(), line.partition(PLACE)[0]) if line.strip() == PLACE else line
            for line in lines
        )
    return documented


def _explanation() -> str:
    """Describe all options, group by group."""
    lines: list[str] = []
    for name, group in GROUPS.items():
        lines += [f"*{name.capitalize()}* – {inspect.getdoc(group)}", ""]
        for o in (o for o in OPTIONS.values() if o.group == name):
            lines += [f"{o.name} : {_type(o.allowed)}{_default(o)}", *textwrap.wrap(_text(o), WIDTH, **INDENTED)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


INDENTED: dict[str, Any] = {"initial_indent": "    ", "subsequent_indent": "    ", "break_on_hyphens": False}


def _type(allowed: Constraint) -> str:
    """Write what an option may be as numpydoc writes types."""
    words = [f'"{word}"' for word in getattr(allowed, "words", ()) if word]
    match allowed:
        case Word():
            return f"{{{', '.join(words)}}}" if len(words) <= FEW_WORDS else "str"
        case Number(kind, low, high):
            limits = f"{low:,} to {high:,}" if kind is int else f"{low:g} to {high:g}"
            types = [f"{kind.__name__} from {limits}"]
        case Flag():
            types = ["bool"]
        case Name():
            types = ["str"]
        case Names():
            types = ["str", "list of str"]
        case PerModality(value):
            return " or ".join([_type(value), *words, "dict by modality"])
    return " or ".join([*types, *words])


def _default(option: Option) -> str:
    if isinstance(option.default, str):
        return f', default "{option.default}"'
    return ", optional" if option.default in (None, (), {}) else f", default {option.default}"


def _text(option: Option) -> str:
    """Write what an option means, and its words where they are many."""
    one = option.allowed.value if isinstance(option.allowed, PerModality) else option.allowed
    many = isinstance(one, Word) and len(one.words) > FEW_WORDS
    return f"{option.help} {one.describe().capitalize()}." if many else option.help
