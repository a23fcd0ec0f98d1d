"""What the value of an option may be: how it is checked, described, and read from the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Literal, TypeAlias, Union, get_args, get_origin

__all__ = ["Constraint", "Flag", "Name", "Names", "Number", "PerModality", "Word", "constraint_of"]


@dataclass(frozen=True)
class Word:
    """One word of a fixed set."""

    words: tuple[str, ...]

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        return isinstance(value, str) and value in self.words

    def describe(self) -> str:
        """Return what is allowed."""
        return "one of " + ", ".join(self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text


@dataclass(frozen=True)
class Number:
    """A number of a range, or one of a few words instead."""

    kind: type[int] | type[float]
    low: float
    high: float
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        if isinstance(value, str):
            return value in self.words
        allowed = int if self.kind is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool) and self.low <= float(value) <= self.high

    def describe(self) -> str:
        """Return what is allowed."""
        noun = "a whole number" if self.kind is int else "a number"
        low, high = (f"{bound:,}" if self.kind is int else f"{bound:g}" for bound in (self.low, self.high))
        return f"{noun} from {low} to {high}" + "".join(f", or {w}" for w in self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        try:
            return self.kind(text)
        except ValueError:
            return text


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        return isinstance(value, bool)

    def describe(self) -> str:
        """Return what is allowed."""
        return "true or false"

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return {"true": True, "false": False}.get(text.lower(), text)


@dataclass(frozen=True)
class Name:
    """The name of a column or key; None for "not given" where that is allowed."""

    optional: bool = True

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        return (value is None and self.optional) or (isinstance(value, str) and value != "" and "/" not in value)

    def describe(self) -> str:
        """Return what is allowed."""
        return "a name without '/'"

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text


@dataclass(frozen=True)
class Names:
    """Several names, or one of a few words (or None) instead."""

    words: tuple[str | None, ...] = ()

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        if value is None or isinstance(value, str):
            return value in self.words
        return (
            isinstance(value, tuple) and all(isinstance(v, str) and v for v in value) and len(set(value)) == len(value)
        )

    def describe(self) -> str:
        """Return what is allowed."""
        return "a list of different names" + "".join(f", or {w}" for w in self.words if w)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        return text if text in self.words else tuple(part.strip() for part in text.split(","))


@dataclass(frozen=True)
class PerModality:
    """One value for each named modality, or a single one for all of them; or one of a few words instead."""

    value: Word | Number | Name
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Return whether the value may be used."""
        if isinstance(value, Mapping):
            return all(isinstance(k, str) and self.value.accepts(v) for k, v in value.items())
        return (isinstance(value, str) and value in self.words) or self.value.accepts(value)

    def describe(self) -> str:
        """Return what is allowed."""
        one = self.value.describe()
        return f"{one}, for all modalities, or name=value pairs with such" + "".join(f", or {w}" for w in self.words)

    def parse(self, text: str) -> object:
        """Read the value from the command line."""
        if "=" not in text:
            return text if text in self.words else self.value.parse(text)
        pairs = (part.partition("=") for part in text.split(","))
        return {name.strip(): self.value.parse(word.strip()) for name, _, word in pairs}


Constraint: TypeAlias = Word | Number | Flag | Name | Names | PerModality


def constraint_of(annotation: object, limits: tuple[float, float]) -> Constraint:
    """Read from the type of an option what it allows.

    Parameters
    ----------
    annotation
        The type.
    limits
        Smallest and largest number.

    Returns
    -------
    Constraint
        It accepts what the type says, numbers within the limits.

    Examples
    --------
    >>> constraint_of(int | Literal["auto"], (1, 512)).describe()
    'a whole number from 1 to 512, or auto'
    """
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    words = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
    kinds = {get_origin(part) or part: part for part in parts if get_origin(part) is not Literal}
    optional = kinds.pop(NoneType, None) is not None
    if Mapping in kinds:
        one = constraint_of(get_args(kinds[Mapping])[1], limits)
        assert isinstance(one, (Word, Number, Name)), f"one value per modality, not {annotation}"
        return PerModality(one, tuple(word for word in words if not one.accepts(word)))
    match tuple(kinds):
        case ():
            return Word(words)
        case (kind,) if kind is bool:
            return Flag()
        case (kind,) if kind is int or kind is float:
            return Number(kind, *limits, words)
        case (kind,) if kind is tuple:
            return Names((None, *words) if optional else words)
        case (kind,) if kind is str:
            return Name(optional)
    raise TypeError(f"No option can be {annotation}.")
