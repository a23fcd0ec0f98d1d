"""Columns of obs, wherever a MuData keeps them."""

import mudata
import pandas as pd

__all__ = ["column_names", "find_column", "place_of_column"]


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
    """Say where `find_column` finds a column, as it is written in Python.

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
