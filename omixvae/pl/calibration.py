"""How many of the measured values lie within the limits of predictions?"""

from typing import TYPE_CHECKING

import mudata
import numpy as np
import pandas as pd

from omixvae.errors import InputError
from omixvae.mudata_options import without_pulling
from omixvae.pl.found import Found

if TYPE_CHECKING:
    from omixvae.model import OmixVAE

__all__ = ["NOMINAL", "covered"]

NOMINAL = (0.5, 0.8, 0.9, 0.95)

MOST_OBSERVATIONS, MOST_FEATURES = 400, 200
"""Drawn at random, if there are more: the part within the limits is then known to a percent, in seconds."""


def covered(model: "OmixVAE", mdata: mudata.MuData, mod: str) -> pd.DataFrame:
    """Compare measured values with what is predicted of them from the other modalities.

    Parameters
    ----------
    model
        A fitted model.
    mdata
        Observations that it was trained on, or others.
    mod
        The modality to predict.

    Returns
    -------
    pandas.DataFrame
        One row for each coverage of `NOMINAL`: the part of the measured values within the limits, of each feature and
        (column ``"all"``) of all together.

    Raises
    ------
    InputError
        If no observation has the modality and another one.
    """
    found = Found(mdata, model.config.results.key_added)
    present = found.presence()
    others = [name for name in present if name != mod]
    usable = np.flatnonzero(present[mod] & present[others].any(axis=1))
    if not len(usable):
        raise InputError(
            f"No observation has {mod!r} and another modality.",
            "the argument model",
            "Leave it out: predictions can only be compared with what was measured together.",
        )
    rng = np.random.default_rng(0)
    with without_pulling():
        some = mdata[np.sort(rng.permutation(usable)[:MOST_OBSERVATIONS])].copy()
    names = np.asarray(model.schema.features[mod])
    features = list(names[np.sort(rng.permutation(len(names))[:MOST_FEATURES])])
    few = Found(some, found.key)
    measured = pd.DataFrame({feature: few.measured(mod, feature) for feature in features})
    rows = {}
    for nominal in NOMINAL:
        low, high = model.impute_interval(some, mod, nominal, given=others, features=features)
        within = ((measured >= low) & (measured <= high)).where(measured.notna())
        rows[nominal] = {"all": np.nanmean(within.to_numpy(float)), **within.astype(float).mean()}
    return pd.DataFrame.from_dict(rows, orient="index")
