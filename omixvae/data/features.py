"""Features of new data: which of them a trained model knows, also where they are spelled otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from omixvae.data.spelling import DASHES, STRIP, UPPER, Change, changed, positions, without
from omixvae.errors import InputError

__all__ = ["FEWEST_FEATURES", "FoundFeatures", "check_features", "find_features"]

FEWEST_FEATURES = 0.2
"""Part of a modality's features that new data must have. With a fifth of them a modality alone gave latents with an R²
of 0.30 to 0.91 to those of all features (mutations below 0), with a tenth -0.10 to 0.79, on three public sets
(`python -m benchmarks.missing_features`)."""

UNVERSIONED = without(r"(?<=\d{11})\.\d+$")
"""Ensembl's identifiers end in 11 digits; RP11-34P13.7 is no version of RP11-34P13."""

CHANGES = {
    "": Change("", lambda names: names),
    "without the version at its end": UNVERSIONED,
    "whatever its case": UPPER,
    "whether with '-', '.', '_' or ':'": DASHES,
    "whatever its case, punctuation and version": Change(
        "", lambda names: changed(names, STRIP, UNVERSIONED, UPPER, DASHES)
    ),
}
"""What is not looked at, in words, and the change that takes it away."""


@dataclass(frozen=True, eq=False)
class FoundFeatures:
    """Where the features of a model stand in other data.

    Parameters
    ----------
    columns
        Shape (g,): the column of each feature of the model, -1 where the data lack it.
    how
        Which names were compared, and how, where it was not simply the names; else empty.
    n_changed
        How many features were found in this way.
    example
        The first of these: its name in the data, and in the model.
    """

    columns: np.ndarray
    how: str = ""
    n_changed: int = 0
    example: tuple[str, str] = ("", "")

    def sentences(self, modality: str) -> list[str]:
        """Return what the user should know of it: nothing where features were found by their names."""
        if not self.how:
            return []
        here, there = self.example
        others = self.n_changed - 1
        also = f", and {others:,} more feature{'s are' if others > 1 else ' is'} found so" if others else ""
        return [
            f"Features of {modality!r} are spelled otherwise than in the training: {here!r} is taken for {there!r}, "
            f"found {self.how}{also}. Rename them in var_names if that is wrong."
        ]


def find_features(adata: AnnData, features: Sequence[str]) -> FoundFeatures:
    """Find the features of a model in other data.

    Parameters
    ----------
    adata
        The modality.
    features
        Names of the g features of the model.

    Returns
    -------
    FoundFeatures
        By ``var_names``. Where that finds half or less of what another usual spelling, or a column of var with other
        names, would find, or leaves twice as many unfound, also by these; a name that could be two is not found.

    Examples
    --------
    >>> adata = AnnData(np.ones((1, 2)), var=pd.DataFrame(index=["ENSG00000010610.10", "ENSG00000153563.5"]))
    >>> found = find_features(adata, ["ENSG00000153563", "ENSG00000010610"])
    >>> found.columns.tolist(), found.how
    ([1, 0], 'without the version at its end')
    """
    known, names = pd.Index(features), adata.var_names.astype(str)
    plain = positions(known, names)
    lacking = int((plain < 0).sum())
    if not lacking:
        return FoundFeatures(plain)
    best, best_how = plain, ""
    for source, other in _names(adata):
        for words, change in CHANGES.items():
            columns = _completed(plain, change.make(known), change.make(other))
            if (columns >= 0).sum() > (best >= 0).sum():
                best, best_how = columns, ", ".join(filter(None, (source, words)))
    changed = np.flatnonzero((plain < 0) & (best >= 0))
    # A few more could be others that are called alike; many more are the same ones in another spelling.
    if not len(changed) or (len(changed) < len(known) - lacking and 2 * len(changed) < lacking):
        return FoundFeatures(plain)
    return FoundFeatures(best, best_how, len(changed), (str(names[best[changed[0]]]), str(known[changed[0]])))


def _names(adata: AnnData) -> Iterator[tuple[str, pd.Index]]:
    """Go through the names that features have: their own, and those in columns of text."""
    yield "", adata.var_names.astype(str)
    for column in adata.var:
        values = adata.var[column]
        if not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_datetime64_any_dtype(values):
            yield f"by var[{column!r}]", pd.Index(values.astype(str))


def _completed(plain: np.ndarray, known: pd.Index, names: pd.Index) -> np.ndarray:
    """Add features that are found among changed names to those that are found as they are."""
    found = positions(known, names)
    twice = known.duplicated(keep=False) | np.isin(found, plain[plain >= 0])
    return np.where((plain < 0) & ~twice, found, plain)


def check_features(
    name: str, adata: AnnData, features: Sequence[str], columns: np.ndarray, *, allow_missing_features: bool
) -> Iterator[InputError]:
    """Check whether new data have so few features of a modality that their latents would mean nothing.

    Parameters
    ----------
    name
        The modality.
    adata
        Its new data.
    features
        Names of the g features of the model.
    columns
        From `find_features`.
    allow_missing_features
        Take any number.

    Yields
    ------
    InputError
        The problem found.

    Examples
    --------
    >>> adata = AnnData(np.ones((1, 1)), var=pd.DataFrame(index=["CD4"]))
    >>> columns = find_features(adata, ["CD4", "CD8A"]).columns
    >>> list(check_features("rna", adata, ["CD4", "CD8A"], columns, allow_missing_features=False))
    []
    """
    n_found, n = int((columns >= 0).sum()), len(features)
    if not allow_missing_features and n_found < FEWEST_FEATURES * n:
        lacking = str(features[int(np.argmin(columns))])
        yield InputError(
            f"Modality {name!r} has {n_found:,} of the {n:,} features that the model was trained on, and with fewer "
            f"than {FEWEST_FEATURES:.0%} of them its values tell next to nothing about the latents.",
            f"mdata[{name!r}].var_names (here such as {str(adata.var_names[0])!r}, in the model such as {lacking!r})",
            "If these are the same features, rename them as they were in the training, or put those names into a "
            f"column of mdata[{name!r}].var; if not, leave the modality out. To go on all the same, allow missing "
            "features: --allow-missing-features, in Python allow_missing_features=True.",
        )
