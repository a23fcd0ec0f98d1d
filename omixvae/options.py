"""How an option is declared, once, and how the values of a group of options are checked."""

import json
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar

from omixvae.constraints import Constraint, Names, Number, PerModality, Word, constraint_of
from omixvae.errors import InputError, nearest, raise_together

__all__ = [
    "Affects",
    "Option",
    "as_names",
    "check_group",
    "declared",
    "option",
    "per_modality",
]

T = TypeVar("T")

Affects: TypeAlias = Literal["data", "model", "chance", "machine", "results", "screen"]
"""What another value of an option changes: the values that are explained, the model, which of equally good models is
found, where it is computed (and with it no more than rounding), what is written of it, or nothing but the screen."""


@dataclass(frozen=True)
class Option:
    """One option, as the field of its group declares it.

    Parameters
    ----------
    name, group
        Its own, and that of its group: ``"data"``, ``"model"``, …
    default
        What holds when it is not given.
    allowed
        What it may be, from the type of the field.
    affects
        What another value changes.
    common
        Whether the help of a command shows it.
    help
        What it means.
    """

    name: str
    group: str
    default: object
    allowed: Constraint
    affects: Affects
    common: bool
    help: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def default_text(self) -> str:
        """Its default as a file has it; nothing where that is to give nothing."""
        return "" if self.default in (None, (), {}) else json.dumps(self.default).strip('"')


def option(
    default: object,
    help: str,
    *,
    affects: Affects = "model",
    limits: tuple[float, float] = (0, 0),
    common: bool = False,
) -> Any:  # noqa: ANN401 (stands for a field of any type)
    """Declare one option; what it allows is the type of its field.

    Parameters
    ----------
    default
        What holds when it is not given.
    help
        What it means.
    affects
        What another value changes.
    limits
        Smallest and largest number.
    common
        Whether the help of a command shows it.

    Returns
    -------
    dataclasses.Field
        For a group that calls `check_group` when it is made.
    """
    told = {"help": help, "affects": affects, "limits": limits, "common": common}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=told)
    return field(default=default, metadata=told)


@cache
def declared(group: type) -> tuple[Option, ...]:
    """Return the options that a group declares.

    Parameters
    ----------
    group
        A dataclass, such as `omixvae.config.ModelConfig`.

    Returns
    -------
    tuple of Option
        In the order of the fields.
    """
    return tuple(
        Option(
            f.name,
            group.__name__.removesuffix("Config").lower(),
            f.default if f.default_factory is MISSING else f.default_factory(),
            constraint_of(f.type, f.metadata["limits"]),
            f.metadata["affects"],
            f.metadata["common"],
            f.metadata["help"],
        )
        for f in fields(group)
    )


def check_group(group: object) -> None:
    """Check each option of a group that was just made, and keep it in plain types, read-only.

    Parameters
    ----------
    group
        A frozen dataclass; what its owner gave may change later, it may not.

    Raises
    ------
    InputError
        If a value is not allowed; all of them together.
    """
    errors = []
    for declaration in declared(type(group)):  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
        value = _plain(getattr(group, declaration.name), declaration.allowed)
        if not declaration.allowed.accepts(value):
            errors.append(_refusal(declaration, value))
        object.__setattr__(group, declaration.name, value)
    raise_together(errors)


def _plain(value: object, allowed: Constraint) -> object:
    """Take what is meant, in plain types and read-only."""
    if isinstance(value, Mapping):
        inner = allowed.value if isinstance(allowed, PerModality) else allowed
        return MappingProxyType({name: _plain(v, inner) for name, v in value.items()})
    if isinstance(allowed, (Number, PerModality)) and isinstance(value, numbers.Number):
        return _number(value)
    if isinstance(allowed, Names) and isinstance(value, Iterable):
        return value if isinstance(value, str) and value in allowed.words else as_names(value)
    return value


def _number(value: numbers.Number) -> object:
    """Take a number of NumPy for what it is: `numpy.arange` gives such."""
    if isinstance(value, (bool, int, float)) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _refusal(option: Option, value: object) -> InputError:
    """Return what is wrong with the value of one option."""
    shown = dict(value) if isinstance(value, Mapping) else value
    one = option.allowed.value if isinstance(option.allowed, PerModality) else option.allowed
    wrong = next((v for v in value.values() if not one.accepts(v)), None) if isinstance(value, Mapping) else value
    fix = f"Give {option.allowed.describe()}."
    if isinstance(one, Word) and isinstance(wrong, str):
        fix = nearest(wrong, one.words)
    return InputError(f"Option {option.name} cannot be {shown!r}.", f"option {option.name} ({option.flag})", fix)


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Take one name as a list of one.

    Parameters
    ----------
    names
        One name, or several.

    Returns
    -------
    tuple of str
        The names.

    Examples
    --------
    >>> as_names("rna"), as_names(["rna", "protein"])
    (('rna',), ('rna', 'protein'))
    """
    if isinstance(names, str):
        return (names,)
    # The order of a set differs from run to run, and with it would the results.
    return tuple(sorted(names) if isinstance(names, (set, frozenset)) else names)


def per_modality(asked: Mapping[str, T] | T, names: Iterable[str]) -> dict[str, T]:
    """Return what an option says of each modality; a single value holds for all.

    Parameters
    ----------
    asked
        Value of the option.
    names
        Modalities.

    Returns
    -------
    dict
        Modality to value; without those of which the option says nothing.

    Examples
    --------
    >>> per_modality({"rna": 2.0}, ["rna", "protein"]), per_modality(2.0, ["rna", "protein"])
    ({'rna': 2.0}, {'rna': 2.0, 'protein': 2.0})
    """
    if isinstance(asked, Mapping):
        return {name: asked[name] for name in names if name in asked}
    return dict.fromkeys(names, asked)
