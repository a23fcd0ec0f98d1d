"""The cache: upstream files, and the MuData that is made of them once."""

import os
from pathlib import Path

import mudata
import numpy as np
import pooch

from omixvae.datasets.download import CACHE_VARIABLE, DownloadError, download, is_intact, make_folder
from omixvae.datasets.recipes import RECIPES, Recipe
from omixvae.datasets.registry import Dataset
from omixvae.errors import InputError, nearest
from omixvae.files import whole_file
from omixvae.mudata_io import read_mudata, write_mudata

__all__ = ["cache_folder", "place_of", "put_into_cache", "read_cached"]


def cache_folder(folder: str | Path | None = None) -> Path:
    """Return where public data sets are kept.

    Parameters
    ----------
    folder
        A folder of the user's choice.

    Returns
    -------
    pathlib.Path
        That folder; when not given the one that the environment variable OMIXVAE_DATA_DIR names, or the user's own
        cache.

    Examples
    --------
    >>> cache_folder("my_data").name
    'my_data'
    """
    return Path(folder or os.environ.get(CACHE_VARIABLE) or pooch.os_cache("omixvae")).expanduser()


def place_of(dataset: Dataset, folder: Path) -> Path:
    """Return where the MuData of a data set is, or would be, in a cache folder."""
    return folder / f"{dataset.name}.h5mu"


def put_into_cache(dataset: Dataset, folder: Path, *, progress: bool = True) -> Path:
    """Download and convert a data set, unless it is there.

    Parameters
    ----------
    dataset
        What to get.
    folder
        The cache folder. If it has the MuData, nothing else is touched or asked.
    progress
        Whether to print a line for each file that is downloaded.

    Returns
    -------
    pathlib.Path
        The MuData file, which is written whole or not at all.

    Raises
    ------
    InputError
        If a file cannot be reached, is another one than expected, or the folder cannot be written to.
    """
    target = place_of(dataset, folder)
    if target.exists():
        return target
    make_folder(folder)
    mdata = _recipe(dataset)(_upstream(dataset, folder, progress=progress))
    mdata.uns["provenance"] = {
        **{field: getattr(dataset, field) for field in ("name", "repository", "licence", "citation")},
        "note": dataset.notes,
        "urls": np.array([file.url for file in dataset.files]),
        "sha256": np.array([file.sha256 for file in dataset.files]),
    }
    with whole_file(target) as temporary:
        write_mudata(mdata, temporary, compression="gzip")
    return target


def read_cached(path: Path) -> mudata.MuData:
    """Read a MuData of the cache.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    mudata.MuData
        In memory.

    Raises
    ------
    InputError
        If it is no MuData.
    """
    try:
        return read_mudata(path)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path.name} is in the cache, but cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            f"file {path}",
            "Remove it and run the same again, which makes it anew.",
        ) from error


def _recipe(dataset: Dataset) -> Recipe:
    if dataset.recipe not in RECIPES:
        where = f"data_registry/{dataset.name}.yaml, recipe"
        raise InputError(f"There is no recipe {dataset.recipe!r}.", where, nearest(dataset.recipe, RECIPES))
    return RECIPES[dataset.recipe]


def _upstream(dataset: Dataset, folder: Path, *, progress: bool) -> dict[str, Path]:
    """Get all upstream files, by their names."""
    files = {}
    for file in dataset.files:
        try:
            files[file.name] = download(file, folder / "upstream", progress=progress)
        except DownloadError as error:
            raise InputError(
                f"The data set {dataset.name!r} is not in the cache and cannot be downloaded: {file.url}: {error}.",
                f"the cache {folder}",
                f"Run the same again where there is a network, or set {CACHE_VARIABLE} to a folder that has "
                f"{dataset.name}.h5mu, or download by hand:{_lacking(dataset, folder)}",
            ) from error
    return files


def _lacking(dataset: Dataset, folder: Path) -> str:
    """List the upstream files that are not there, each with the place where it would be found."""
    places = {file: folder / "upstream" / file.cache_name for file in dataset.files}
    return "".join(f"\n  {file.url}\n    to {place}" for file, place in places.items() if not is_intact(place, file))
