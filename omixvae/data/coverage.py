"""What is wrong with counts and the numbers that they are out of: methylated reads, and all reads over a site."""

from collections.abc import Iterator, Sequence

import numpy as np

from omixvae.data.check import features_phrase
from omixvae.errors import InputError

__all__ = ["check_coverage"]


def check_coverage(
    name: str, counts: np.ndarray, coverage: np.ndarray, features: Sequence[str], *, may_be_empty: bool = False
) -> Iterator[InputError]:
    """Find counts that cannot be out of their coverage.

    Parameters
    ----------
    name
        The modality.
    counts
        Shape (rows, g), NaN where an entry is missing.
    coverage
        Shape (rows, g), 0 where nothing was looked at.
    features
        Names of the g features.
    may_be_empty
        Accept features without any coverage: new data for a trained model may lack some.

    Yields
    ------
    InputError
        Every problem found.

    Examples
    --------
    >>> print(next(check_coverage("cpg", np.array([[1.0, 5.0]]), np.array([[4.0, 3.0]]), ["site1", "site2"])).problem)
    1 count of modality 'cpg' is above its coverage, the first is 5 of 3.
    """
    # New data have no option to change: it is that of the training.
    where = f"mdata[{name!r}]" if may_be_empty else f"option coverage_layers, mdata[{name!r}]"
    wrong = ~(np.isfinite(coverage) & (coverage >= 0) & (coverage == np.round(coverage)))
    if wrong.any():
        yield InputError(
            f"The coverage of modality {name!r} holds values such as {coverage[wrong][0]:.4g}, and is to be whole "
            "numbers, zero or more.",
            f"{where}, {features_phrase(np.flatnonzero(wrong.any(0)), features)}",
            "Point to the number of all reads over each site, with zero or NaN where there is none.",
        )
        return
    above = counts > coverage
    if above.any():
        n = int(above.sum())
        yield InputError(
            f"{n:,} count{'s' if n > 1 else ''} of modality {name!r} {'are' if n > 1 else 'is'} above "
            f"{'their' if n > 1 else 'its'} coverage, the first is {counts[above][0]:.4g} of "
            f"{coverage[above][0]:.4g}.",
            f"{where}, {features_phrase(np.flatnonzero(above.any(0)), features)}",
            "Give the methylated reads as values, and as coverage all reads, the methylated ones among them.",
        )
    empty = np.flatnonzero((coverage == 0).all(0))
    if len(empty) and not may_be_empty:
        yield InputError(
            f"{len(empty):,} feature{'s' if len(empty) > 1 else ''} of modality {name!r} "
            f"{'are' if len(empty) > 1 else 'is'} covered in no observation.",
            f"{where}, {features_phrase(empty, features)}",
            "Drop these features before training.",
        )
