"""What may be read, and how the user wants it read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import anndata
import mudata
import pandas as pd

from omixvae.errors import InputError, nearest, raise_together

__all__ = ["OBSM", "SIDES", "Held", "Source", "Ways"]

Held: TypeAlias = str | Path | anndata.AnnData | pd.DataFrame
"""What holds one or several modalities."""

Source: TypeAlias = Held | mudata.MuData | Mapping[str, Held] | Sequence[Held]
"""What `omixvae.read` takes."""

SIDES = ("rows", "columns")

OBSM = "obsm:"
"""Begins the place of a modality that is a table in obsm."""

SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}
"""Words for what can hardly be typed in a shell."""


@dataclass(frozen=True)
class Ways:
    """How to read what the files do not say themselves.

    Parameters
    ----------
    modality
        Name of a modality to the table of obsm that holds it: ``{"protein": "obsm:protein_expression"}``.
    obs
        A table of the samples.
    samples
        Whether the samples are the rows or the columns of all tables; found out when not given.
    sep
        What separates the fields of text tables; found out when not given.
    na
        Values that stand for "not measured".

    Raises
    ------
    InputError
        If one of them cannot be used.

    Examples
    --------
    >>> Ways(sep="tab", na=("-999", "NA")).numbers
    (-999.0,)
    """

    modality: Mapping[str, str] = field(default_factory=dict)
    obs: str | Path | pd.DataFrame | None = None
    samples: str | None = None
    sep: str | None = None
    na: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        """Check each, and write the separator as the character that it is."""
        if self.sep is not None:
            object.__setattr__(self, "sep", SEPARATORS.get(self.sep, self.sep))
        raise_together(self._problems())

    def _problems(self) -> Iterator[InputError]:
        for name, place in self.modality.items():
            if not place.startswith(OBSM) or place == OBSM:
                yield InputError(
                    f"Modality {name!r} is to be read from {place!r}, which names no table of obsm.",
                    "option modality",
                    f"Give the key of obsm behind 'obsm:', as in {{'{name}': 'obsm:protein_expression'}} "
                    f"(--modality {name}=obsm:protein_expression).",
                )
        if self.samples is not None and self.samples not in SIDES:
            fix = nearest(str(self.samples), SIDES)
            yield InputError(f"Samples cannot be the {self.samples!r} of a table.", "option samples", fix)
        if self.sep is not None and len(self.sep) != 1:
            words = ", ".join(word for word in SEPARATORS if word.isalpha())
            fix = f"Give one character, or one of the words {words}."
            yield InputError(f"Fields cannot be separated by {self.sep!r}.", "option sep", fix)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Those of `na` that are numbers."""
        found = pd.to_numeric(pd.Series(self.na, dtype=object), errors="coerce").dropna()
        return tuple(float(number) for number in found)

    @property
    def words(self) -> list[str]:
        """All of `na` as they stand in a text file."""
        return [str(value) for value in self.na]
