"""What an option may be: how its value is checked, described, and read from the command line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

__all__ = [
    "Constraint",
    "Flag",
    "Name",
    "Names",
    "Number",
    "PerModality",
    "Word",
    "as_names",
    "option",
    "per_modality",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Word:
    """One word of a fixed set."""

    words: tuple[str, ...]

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        return isinstance(value, str) and value in self.words

    def describe(self) -> str:
        """Say what is allowed."""
        return "one of " + ", ".join(self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return "no_such_word"


@dataclass(frozen=True)
class Number:
    """A number of a range, or one of a few words instead."""

    kind: type[int] | type[float]
    low: float
    high: float
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        if isinstance(value, str):
            return value in self.words
        allowed = int if self.kind is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool) and self.low <= float(value) <= self.high

    def describe(self) -> str:
        """Say what is allowed."""
        noun = "a whole number" if self.kind is int else "a number"
        low, high = (f"{bound:,}" if self.kind is int else f"{bound:g}" for bound in (self.low, self.high))
        return f"{noun} from {low} to {high}" + "".join(f", or {w}" for w in self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        try:
            return self.kind(text)
        except ValueError:
            return text

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return self.high + 1


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        return isinstance(value, bool)

    def describe(self) -> str:
        """Say what is allowed."""
        return "true or false"

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return {"true": True, "false": False}.get(text.lower(), text)

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return "maybe"


@dataclass(frozen=True)
class Name:
    """The name of a column or key; None for "not given" where that is allowed."""

    optional: bool = True

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        return (value is None and self.optional) or (isinstance(value, str) and value != "" and "/" not in value)

    def describe(self) -> str:
        """Say what is allowed."""
        return "a name without '/'"

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return "a/b"


@dataclass(frozen=True)
class Names:
    """Several names, or one of a few words (or None) instead."""

    words: tuple[str | None, ...] = ()

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        if value is None or isinstance(value, str):
            return value in self.words
        return (
            isinstance(value, tuple) and all(isinstance(v, str) and v for v in value) and len(set(value)) == len(value)
        )

    def describe(self) -> str:
        """Say what is allowed."""
        return "a list of different names" + "".join(f", or {w}" for w in self.words if w)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text if text in self.words else tuple(part.strip() for part in text.split(","))

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return ("twice", "twice")


@dataclass(frozen=True)
class PerModality:
    """One value for each named modality, or a single one for all of them; or one of a few words instead."""

    value: Word | Number | Name
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Tell whether the value may be used."""
        if isinstance(value, Mapping):
            return all(isinstance(k, str) and self.value.accepts(v) for k, v in value.items())
        return (isinstance(value, str) and value in self.words) or self.value.accepts(value)

    def describe(self) -> str:
        """Say what is allowed."""
        one = self.value.describe()
        return f"{one}, for all modalities, or name=value pairs with such" + "".join(f", or {w}" for w in self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        if "=" not in text:
            return text if text in self.words else self.value.parse(text)
        pairs = (part.partition("=") for part in text.split(","))
        return {name.strip(): self.value.parse(word.strip()) for name, _, word in pairs}

    def invalid(self) -> object:
        """Give a value that must be refused (for tests)."""
        return {"rna": self.value.invalid()}


Constraint = Word | Number | Flag | Name | Names | PerModality


def option(default: object, allowed: Constraint, help: str) -> Any:  # noqa: ANN401 (stands for a field of any type)
    """Declare one option: its default, what it allows, and its help."""
    if isinstance(default, dict):
        return field(default_factory=lambda: MappingProxyType(default), metadata={"allowed": allowed, "help": help})
    return field(default=default, metadata={"allowed": allowed, "help": help})


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
    """Give each modality what an option says of it; a single value holds for all.

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
