"""What a user asks of the public data sets."""

from pathlib import Path

import mudata
import pandas as pd

from omixvae.datasets.cache import cache_folder, place_of, put_into_cache, read_cached
from omixvae.datasets.registry import Dataset, find_dataset, registered

__all__ = ["fetch", "info", "list", "load", "path"]


def list(*, folder: str | Path | None = None) -> pd.DataFrame:
    """List the public data sets that omixvae can load.

    Parameters
    ----------
    folder
        The cache folder in which to look for what is there; by default as `path` says.

    Returns
    -------
    pandas.DataFrame
        One row for each: ``name``, ``description``, number of ``observations``, ``modalities`` with their numbers of
        observations and features, size of the download in megabytes (``size_mb``), ``licence``, and whether it is
        ``cached``.

    Examples
    --------
    >>> table = list().set_index("name")
    >>> table.loc["nutrimouse", "modalities"]
    'gene 40 × 120, lipid 40 × 21'
    """
    cache = cache_folder(folder)
    return pd.DataFrame(
        {
            "name": dataset.name,
            "description": dataset.title,
            "observations": dataset.n_obs,
            "modalities": ", ".join(f"{name} {m.n_obs:,} × {m.n_vars:,}" for name, m in dataset.modalities.items()),
            "size_mb": round(dataset.n_bytes / 1e6, 1),
            "licence": dataset.licence,
            "cached": place_of(dataset, cache).exists(),
        }
        for dataset in registered().values()
    )


def info(name: str) -> Dataset:
    """Describe a public data set: what it holds, its licence, whom to cite, where it comes from.

    Parameters
    ----------
    name
        One of `list`.

    Returns
    -------
    Dataset
        All that the registry says.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> info("nutrimouse").labels["genotype"]
    'wt or ppar'
    """
    return find_dataset(name)


def path(name: str, *, folder: str | Path | None = None) -> Path:
    """Return where the MuData file of a public data set is, or will be after `fetch`.

    Parameters
    ----------
    name
        One of `list`.
    folder
        The cache folder; by default the one that the environment variable OMIXVAE_DATA_DIR names, or the user's own
        cache.

    Returns
    -------
    pathlib.Path
        The place. Nothing is downloaded.

    Raises
    ------
    InputError
        If there is no data set of that name.

    Examples
    --------
    >>> path("nutrimouse", folder="my_data").as_posix()
    'my_data/nutrimouse.h5mu'
    """
    return place_of(find_dataset(name), cache_folder(folder))


def fetch(name: str, *, folder: str | Path | None = None, progress: bool = True) -> Path:
    """Download a public data set and make a MuData file of it, unless it is in the cache.

    Parameters
    ----------
    name
        One of `list`.
    folder
        The cache folder, as in `path`.
    progress
        Print a line for each file that is downloaded.

    Returns
    -------
    pathlib.Path
        The MuData file.

    Raises
    ------
    InputError
        If there is no data set of that name, a file cannot be reached or is another one than expected, or the folder
        cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> import omixvae
    >>> with tempfile.TemporaryDirectory() as folder:  # a file that was put there by hand is taken as it is
    ...     omixvae.simulate(n_obs=20).write_h5mu(f"{folder}/nutrimouse.h5mu")
    ...     fetch("nutrimouse", folder=folder).name
    'nutrimouse.h5mu'
    """
    return put_into_cache(find_dataset(name), cache_folder(folder), progress=progress)


def load(name: str, *, folder: str | Path | None = None, progress: bool = True) -> mudata.MuData:
    """Load a public data set; it is downloaded the first time.

    Parameters
    ----------
    name, folder, progress
        As in `fetch`.

    Returns
    -------
    mudata.MuData
        The data, with licence, citation and origin in ``uns["provenance"]``.

    Raises
    ------
    InputError
        As in `fetch`, and if the file in the cache cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import omixvae
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     omixvae.simulate(n_obs=20).write_h5mu(f"{folder}/nutrimouse.h5mu")
    ...     load("nutrimouse", folder=folder).n_obs
    20
    """
    return read_cached(fetch(name, folder=folder, progress=progress))
