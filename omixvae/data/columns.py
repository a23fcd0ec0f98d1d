"""Columns of obs, wherever a MuData keeps them."""

from collections.abc import Iterator

import mudata
import numpy as np
import pandas as pd

from omixvae.config import DataConfig
from omixvae.errors import NO_OPTION, InputError, nearest

__all__ = ["check_columns", "column_names", "find_column", "place_of_column"]


def find_column(mdata: mudata.MuData, name: str) -> "pd.Series[object] | None":
    """Find a column in the MuData's obs, or else in the obs of its modalities.

    Parameters
    ----------
    mdata
        The input.
    name
        Name of the column.

    Returns
    -------
    pandas.Series or None
        One value per observation of the MuData: that of ``mdata.obs`` if it has the column, else that of the first
        modality which has the column and a value for the observation. None if there is no such column.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> mdata["protein"].obs["plate"] = "first"
    >>> int(find_column(mdata, "plate").notna().sum()) == mdata["protein"].n_obs
    True
    """
    if name in mdata.obs:
        return mdata.obs[name]
    parts = [adata.obs[name] for adata in mdata.mod.values() if name in adata.obs]
    if not parts:
        return None
    # As objects, because categories of two modalities may differ and whole numbers must not become 1.0 beside a NaN.
    column = pd.Series(None, mdata.obs_names, dtype=object, name=name)
    for part in parts:
        part = part[~part.index.duplicated()].astype(object)
        column = column.where(column.notna(), part.reindex(mdata.obs_names))
    return column if column.isna().any() else column.infer_objects()


def column_names(mdata: mudata.MuData) -> list[str]:
    """List the names that `find_column` finds.

    Parameters
    ----------
    mdata
        The input.

    Returns
    -------
    list of str
        Each name once, those of ``mdata.obs`` first.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> column_names(simulate(n_obs=50))
    ['cluster', 'batch']
    """
    return list(dict.fromkeys([*mdata.obs, *(name for adata in mdata.mod.values() for name in adata.obs)]))


def place_of_column(mdata: mudata.MuData, name: str) -> str:
    """Return where `find_column` finds a column, as it is written in Python.

    Parameters
    ----------
    mdata
        The input.
    name
        Name of a column that there is.

    Returns
    -------
    str
        That of the MuData, or else that of the first modality which has it.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> mdata["protein"].obs["plate"] = "first"
    >>> place_of_column(mdata, "batch"), place_of_column(mdata, "plate")
    ("mdata.obs['batch']", "mdata['protein'].obs['plate']")
    """
    modalities = [] if name in mdata.obs else [m for m, adata in mdata.mod.items() if name in adata.obs]
    return f"mdata[{modalities[0]!r}].obs[{name!r}]" if modalities else f"mdata.obs[{name!r}]"


def check_columns(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    """Find what is wrong with the columns of obs that the options name.

    Parameters
    ----------
    mdata
        The input.
    config
        Names of the batch, covariate and label columns.

    Yields
    ------
    InputError
        Every problem found.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> [e.problem for e in check_columns(simulate(n_obs=50), DataConfig(batch_key="bath"))]
    ["There is no column 'bath', neither in mdata.obs nor in that of a modality."]
    """
    keys = {
        "batch_key": (config.batch_key,),
        "covariate_keys": config.covariate_keys,
        "labels_key": (config.labels_key,),
    }
    for option, names in keys.items():
        for name in filter(None, names):
            yield from _column(mdata, option, name)
    if config.labels_key is not None and config.labels_key in mdata.mod:
        yield InputError(
            f"{config.labels_key!r} is the name of a modality and of the label column.",
            "option labels_key",
            "Rename the column of mdata.obs.",
        )


def _column(mdata: mudata.MuData, option: str, name: str) -> Iterator[InputError]:
    column = find_column(mdata, name)
    if column is None:
        yield InputError(
            f"There is no column {name!r}, neither in mdata.obs nor in that of a modality.",
            f"option {option}",
            nearest(name, column_names(mdata), NO_OPTION),
        )
        return
    n_missing = int(column.isna().sum())
    if option == "labels_key":
        if n_missing == len(column):
            yield InputError(f"Column {name!r} holds no label at all.", "option labels_key", "Leave the option out.")
    elif n_missing:
        yield InputError(
            f"Column {name!r} is missing for {n_missing:,} of {len(column):,} observations.",
            f"option {option}, mdata.obs[{name!r}], first: {column.index[column.isna()][0]!r}",
            "Fill the column, or leave the option out.",
        )
    elif pd.api.types.is_float_dtype(column) and np.isinf(column.to_numpy(np.float64)).any():
        first = column.index[np.isinf(column.to_numpy(np.float64))][0]
        yield InputError(
            f"Column {name!r} holds infinite values.",
            f"option {option}, {place_of_column(mdata, name)}, first: {first!r}",
            "Correct the column, or leave the option out.",
        )
