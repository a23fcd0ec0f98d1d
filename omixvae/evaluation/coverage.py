"""Do limits of predictions hold as many of the measured values as they should?"""

from typing import TYPE_CHECKING

import mudata
import numpy as np
import pandas as pd
import torch

from omixvae.data import MaskedModalities
from omixvae.errors import InputError
from omixvae.inference import draw_predictions
from omixvae.inference.calibrate import interval_credit

if TYPE_CHECKING:
    from omixvae.model import OmixVAE

__all__ = ["NOMINAL", "coverage_of", "covered"]

NOMINAL = (0.5, 0.8, 0.9, 0.95)

MOST_OBSERVATIONS, FEWEST_OBSERVATIONS, MOST_FEATURES = 400, 50, 200
"""Drawn at random, if there are more: the part within the limits is then known to a percent."""

DRAWS = 200
"""Draws that values are ranked among."""

MAX_DRAWN_VALUES = 100_000_000
"""Most values drawn: of a genome all features are drawn, also where only a few are compared."""


def covered(model: "OmixVAE", mdata: mudata.MuData, mod: str) -> pd.DataFrame:
    """Compare measured values with limits of what is predicted of them from the other modalities.

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
        (column ``"all"``) of all together. Limits are those of `OmixVAE.impute_interval`; a value that some draws equal
        counts by the part of its possible ranks (`omixvae.inference.calibrate.interval_credit`), so that whole numbers
        are within as often as they should be.

    Raises
    ------
    InputError
        If no observation has the modality and another one.
    """
    return coverage_of(model, model.read(mdata), model.schema.modalities.index(mod))


def coverage_of(model: "OmixVAE", data: MaskedModalities, s: int) -> pd.DataFrame:
    """Compare measured values with limits of what is predicted of them, as `covered`, of data that were read.

    Parameters
    ----------
    model
        A fitted model.
    data
        What its `read` made.
    s
        Position of the modality to predict.

    Returns
    -------
    pandas.DataFrame
        As `covered`.

    Raises
    ------
    InputError
        If no observation has the modality and another one.
    """
    names = data.schema.modalities
    usable = np.flatnonzero(data.presence[:, s] & (data.presence.sum(axis=1) > 1))
    if not len(usable):
        raise InputError(
            f"No observation has {names[s]!r} and another modality.",
            "the argument model",
            "Leave it out: predictions can only be compared with what was measured together.",
        )
    features = np.asarray(data.schema.features[names[s]])
    rng = np.random.default_rng(0)
    few = int(np.clip(MAX_DRAWN_VALUES // (DRAWS * len(features)), FEWEST_OBSERVATIONS, MOST_OBSERVATIONS))
    some = data.take(np.sort(rng.permutation(usable)[:few]))
    columns = np.sort(rng.permutation(len(features))[:MOST_FEATURES])
    hidden = some.given([name for name in names if name != names[s]])
    within = _within(model, some, hidden, s, columns)
    rows = {
        nominal: {"all": np.nanmean(part), **dict(zip(features[columns], _columns_mean(part), strict=True))}
        for nominal, part in zip(NOMINAL, within, strict=True)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _within(
    model: "OmixVAE", data: MaskedModalities, hidden: MaskedModalities, s: int, columns: np.ndarray
) -> np.ndarray:
    """Credit values within the limits of predictions: (coverages, n, features), NaN where none was measured."""
    within = np.empty((len(NOMINAL), data.n_obs, len(columns)))
    for rows, draws in draw_predictions(model.network, hidden, s, columns, DRAWS, model.plan.seed):
        modality = data.rows(rows, model.network.device, torch.float32).modalities[s]
        x, measured = (t.expand_as(modality.filled)[:, columns].cpu() for t in (modality.filled, modality.mask))
        drawn = torch.from_numpy(draws)
        below, at = (drawn < x).sum(0), (drawn == x).sum(0)
        for i, nominal in enumerate(NOMINAL):
            credit = interval_credit(below, at, DRAWS, nominal)
            within[i, rows] = torch.where(measured, credit, torch.nan).numpy()
    return within


def _columns_mean(part: np.ndarray) -> np.ndarray:
    known = (~np.isnan(part)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(part, axis=0) / known)
