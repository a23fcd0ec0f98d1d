"""Build, read and write a MuData: the one place that knows what the versions of mudata and anndata differ in."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anndata
import mudata
import zarr

from omixvae.errors import InputError, raise_together

__all__ = ["change_zarr", "check_takes_results", "read_mudata", "without_pulling", "write_mudata", "writing_elements"]


@contextmanager
def without_pulling() -> Iterator[None]:
    """Let columns of the modalities stay where they are while we build or copy a MuData.

    Yields
    ------
    None
        The user's own setting is given back afterwards. What the user reads is read as the user has set it: columns
        such as ``rna:batch``, which mudata then makes, may be named in options.

    Notes
    -----
    mudata 0.4 has ``settings.override`` in the place of ``set_options``.

    Examples
    --------
    >>> with without_pulling():
    ...     empty = mudata.MuData({})
    """
    override = mudata.settings.override if hasattr(mudata, "settings") else mudata.set_options
    with override(pull_on_update=False):
        yield


def change_zarr(path: Path) -> zarr.Group:
    """Open a zarr folder to change it, as it lies there: not by a copy of its metadata, which knows nothing new.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    zarr.Group
        Its root.

    Notes
    -----
    zarr 3 takes such a copy where it finds one, unless told not to; zarr 2 never does here, and knows no such option.
    """
    options = {} if zarr.__version__.startswith("2.") else {"use_consolidated": False}
    return zarr.open_group(path, mode="r+", **options)  # type: ignore[arg-type]


def read_mudata(path: Path) -> mudata.MuData:
    """Read an h5mu file or a zarr folder, without words on its age or on the plans of mudata.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    mudata.MuData
        As it was written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing for the user to do here
        return mudata.read_zarr(path) if path.is_dir() else mudata.read_h5mu(path)


def write_mudata(mdata: mudata.MuData, path: Path, compression: str | None = None) -> None:
    """Write an h5mu file.

    Parameters
    ----------
    mdata
        What to write.
    path
        The file.
    compression
        As in `h5py.Group.create_dataset`.
    """
    with writing_elements():
        mdata.write_h5mu(path, compression=compression)


@contextmanager
def writing_elements() -> Iterator[None]:
    """Let anndata write names as they were read, whichever kind of text pandas has made of them.

    Yields
    ------
    None
        Its notes on its own format are not shown.

    Notes
    -----
    Names in files of anndata 0.13 with pandas 3 are nullable strings, which older versions read but do not write unless
    they are told to.
    """
    with warnings.catch_warnings(), anndata.settings.override(allow_write_nullable_strings=True):
        warnings.simplefilter("ignore")
        yield


def check_takes_results(mdata: mudata.MuData) -> None:
    """Check that results can be written into a MuData: a selection of a file holds nothing of its own.

    Parameters
    ----------
    mdata
        What results are to be written into.

    Raises
    ------
    InputError
        If it, or a modality, is a selection of one that was opened with ``backed="r"``.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> check_takes_results(simulate(n_obs=50)[:20])
    """
    if mdata.isbacked and mdata.is_view:
        raise InputError(
            "This MuData is a selection of one whose values lie in a file: no results can be written into it.",
            "the data",
            "Write the selection to a file of its own, and go on with that: mdata = mdata.copy('selection.h5mu').",
        )
    raise_together(
        [
            InputError(
                f"Modality {name!r} is a selection of one whose values lie in a file: no results can be written into "
                "it.",
                f"mdata[{name!r}]",
                f"Read the selection into memory before the MuData is built: {{{name!r}: adata[rows].to_memory()}}.",
            )
            for name, adata in mdata.mod.items()
            if adata.isbacked and adata.is_view
        ]
    )
