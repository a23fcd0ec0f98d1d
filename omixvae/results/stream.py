"""Predictions as files of their own: streamed to zarr, or as a MuData of one modality."""

from collections.abc import Iterable
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.errors import InputError
from omixvae.files import check_target, whole_folder, writing
from omixvae.mudata_io import without_pulling

__all__ = ["prediction_as_mudata", "stream_prediction"]


def stream_prediction(
    out: Path,
    batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    columns: np.ndarray,
    obs_names: np.ndarray,
    var_names: np.ndarray,
) -> Path:
    """Write predictions to a zarr folder as they come.

    Parameters
    ----------
    out
        Folder that ends in ``.zarr``; an existing one is refused.
    batches
        Positions, mean and standard deviation of some observations at a time.
    columns
        Features to keep.
    obs_names, var_names
        Names of the observations and of the kept features.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    InputError
        If `out` cannot be written.
    """
    import zarr  # only here: half a second that no other call needs

    check_target(out)
    if out.suffix != ".zarr" or out.exists():
        raise InputError(
            f"{out} {'is there already' if out.exists() else 'does not end in .zarr'}.",
            "the argument out",
            "Give a new name that ends in .zarr.",
        )
    with whole_folder(out) as temporary:
        shape = (len(obs_names), len(columns))
        with writing(out, Exception):  # before the work: names that cannot be written stop it
            group = zarr.open_group(temporary, mode="w")
            group.attrs["obs_names"], group.attrs["var_names"] = list(map(str, obs_names)), list(map(str, var_names))
            arrays = [
                group.create_array(name, shape=shape, chunks=(min(1024, shape[0]), shape[1]), dtype="f4")
                for name in ("mean", "sd")
            ]
        for rows, *values in batches:
            with writing(out, Exception):
                for array, value in zip(arrays, values, strict=True):
                    array[rows[0] : rows[-1] + 1] = value[:, columns]
    return out


def prediction_as_mudata(modality: str, mean: pd.DataFrame, sd: pd.DataFrame) -> mudata.MuData:
    """Make a MuData of a predicted modality.

    Parameters
    ----------
    modality
        Its name.
    mean, sd
        Prediction of each entry, and its standard deviation.

    Returns
    -------
    mudata.MuData
        One modality: `X` is the mean, and the layer ``"sd"`` the standard deviation.

    Examples
    --------
    >>> mean = pd.DataFrame([[1.0]], ["cell1"], ["CD4"])
    >>> prediction_as_mudata("protein", mean, mean)["protein"].layers["sd"].tolist()
    [[1.0]]
    """
    adata = anndata.AnnData(
        mean.to_numpy(), pd.DataFrame(index=mean.index), pd.DataFrame(index=mean.columns), layers={"sd": sd.to_numpy()}
    )
    with without_pulling():
        return mudata.MuData({modality: adata})
