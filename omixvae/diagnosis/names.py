"""Do the modalities have the same samples under the same names?"""

from collections.abc import Iterator
from itertools import combinations

import mudata
import numpy as np
import pandas as pd

from omixvae.config import DataConfig
from omixvae.data.spelling import STRIP, UPPER, Change, without
from omixvae.errors import InputError

__all__ = ["look_at_names"]

LITTLE = 0.2
"""Part of the observations that have several modalities, below which one suspects names that do not match."""

ENOUGH = 0.5
"""Part of the names of the smaller modality that must match after a change, for the change to be proposed."""


CHANGES = (
    without(r"-\d+$"),
    without(r"[-_.][A-Za-z]+$"),
    without(r"^[A-Za-z]+[-_.:#]"),
    Change('.str.replace(".", "-")', lambda names: names.str.replace(".", "-", regex=False)),
    UPPER,
    STRIP,
    Change(".str[:12]", lambda names: names.str[:12]),  # the patient of a TCGA barcode
)


def look_at_names(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    """Find modalities of which few observations have another one.

    Parameters
    ----------
    mdata
        The input.
    config
        Which modalities are asked for.

    Yields
    ------
    InputError
        Every caution.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> list(look_at_names(simulate(n_obs=50), DataConfig()))
    []
    """
    asked = [name for name in config.modalities or mdata.mod if name in mdata.mod]
    names = {name: mdata.mod[name].obs_names.astype(str) for name in asked}
    if len(names) < 2 or not all(len(index) and index.is_unique for index in names.values()):
        return
    found = [caution for pair in combinations(names, 2) if (caution := _renamed(*pair, names)) is not None]
    every = pd.Index(np.concatenate([index.to_numpy() for index in names.values()]))
    n_obs, n_several = every.nunique(), int((every.value_counts() > 1).sum())
    if not found and n_several < LITTLE * n_obs:
        yield InputError(
            f"{n_several:,} of {n_obs:,} observations ({n_several / n_obs:.1%}) have more than one modality.",
            "obs_names of the modalities",
            "What the modalities share is learnt from these alone. If more of them are the same samples, give them "
            "the same names and build the MuData again.",
        )
    yield from found


def _renamed(one: str, other: str, names: dict[str, pd.Index]) -> InputError | None:
    """Check whether a usual change of the names would make many more of them match."""
    first, second = names[one], names[other]
    smaller, matching = min(len(first), len(second)), int(first.isin(second).sum())
    for change in CHANGES:
        left, right = change.make(first), change.make(second)
        would = int(left.isin(right).sum()) if left.is_unique and right.is_unique else 0
        if would > 2 * matching and would >= ENOUGH * smaller:
            return InputError(
                f"{matching:,} names of {one!r} and {other!r} are the same, but {would:,} would be without what is "
                f"added to them ({first[0]!r} here, {second[0]!r} there).",
                f"obs_names of {one!r} and {other!r}",
                f"If these are the same samples, set adata.obs_names = adata.obs_names{change.code} in each modality "
                "and build the MuData again.",
            )
    return None
