"""HDF5 files and zarr folders: what kind each is, found out from what lies in it, whatever its name."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import anndata
import h5py
import zarr

from omixvae.errors import InputError

__all__ = ["is_mudata_store", "kind_of_store", "read_anndata", "reading_store", "unpacking"]

COMPRESSED = {
    b"\x1f\x8b": ("gunzip", ".gz"),
    b"BZh": ("bunzip2", ".bz2"),
    b"\xfd7zXZ": ("unxz", ".xz"),
    b"\x28\xb5\x2f\xfd": ("unzstd", ".zst"),
}
"""First bytes of a compressed file, the command that undoes it, and the ending without which it will not."""


def kind_of_store(path: Path) -> str | None:
    """Return what an HDF5 file or a zarr folder holds.

    Parameters
    ----------
    path
        Any file or folder.

    Returns
    -------
    str or None
        ``"mudata"``, ``"anndata"``, ``"10x"``, ``"unknown"``; None if it is neither HDF5 nor zarr.
    """
    if path.is_dir():
        if not any((path / name).is_file() for name in ("zarr.json", ".zgroup")):
            return None
        return _kind(set(zarr.open_group(path, mode="r").keys()))
    if not h5py.is_hdf5(path):
        return None
    with reading_store(path), h5py.File(path) as file:
        # Cell Ranger 2 wrote a group for each genome, Cell Ranger 3 one group "matrix".
        groups = [part for part in file.values() if isinstance(part, h5py.Group)]
        is_10x = any({"barcodes", "data", "indptr"} <= set(group) for group in groups)
        return "10x" if is_10x else _kind(set(file))


def _kind(names: set[str]) -> str:
    if "mod" in names:
        return "mudata"
    return "anndata" if {"obs", "var"} <= names else "unknown"


def is_mudata_store(path: Path) -> bool:
    """Return whether a path is a file or a zarr folder that holds a MuData.

    Parameters
    ----------
    path
        That need not be there.

    Returns
    -------
    bool
        By what lies in it.
    """
    return path.exists() and kind_of_store(path) == "mudata"


def read_anndata(path: Path) -> anndata.AnnData:
    """Read an h5ad file, or a zarr folder of AnnData.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    anndata.AnnData
        As it was written.
    """
    with reading_store(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on its own formats and on repeated names, which are looked at afterwards
        return anndata.io.read_zarr(path) if path.is_dir() else anndata.io.read_h5ad(path)


@contextmanager
def reading_store(path: Path) -> Iterator[None]:
    """Say in words that a file cannot be read.

    Parameters
    ----------
    path
        What is being read.

    Yields
    ------
    None
        For the block that reads.

    Raises
    ------
    InputError
        In the place of whatever a library raises.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail in any way, each of them the file's
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        problem, fix = _why_unreadable(path, reason)
        raise InputError(f"{path.name!r} {problem}.", f"file {path}", fix) from error


def _why_unreadable(path: Path, reason: str) -> tuple[str, str]:
    """Tell a damaged file from one that is whole, and that the packages here cannot read: what is so, and the fix."""
    if "encoding_type='AnnData'" in reason:
        return (
            f"was written by mudata 0.1.1 or older, which mudata {version('mudata')} cannot read",
            "Write it again with an older mudata (on Python 3.11: pip install 'mudata<0.4'): "
            f"mudata.read_h5mu({str(path)!r}).write_h5mu({str(path)!r}).",
        )
    if "registered for IOSpec" in reason:
        kind = reason.partition("encoding_type='")[2].partition("'")[0]
        return (
            f"holds something of a kind ({kind}) that anndata {version('anndata')} cannot read",
            "Install the newest anndata and mudata, or write the file again without it.",
        )
    if "awkward" in reason:
        return (
            "holds ragged (awkward) arrays, and the package that reads them is not installed",
            "Install it: pip install awkward. Or write the file again without them.",
        )
    damaged = "The file is damaged or incomplete: copy or write it again."
    if "truncated" in reason:
        return "was cut off: a part of the file is lacking", damaged
    return f"cannot be read: {reason.rstrip('.')}", damaged


def unpacking(path: Path) -> str | None:
    """Return how a compressed file is unpacked, found out from its name or from how it begins.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str or None
        A command line; None if the file is not compressed.
    """
    with path.open("rb") as file:
        start = file.read(max(map(len, COMPRESSED)))
    for magic, (command, ending) in COMPRESSED.items():
        if path.suffix.lower() == ending:
            return f"{command} {path}"
        if start.startswith(magic):
            return f"{command} < {path} > {path.stem}-unpacked.h5mu"
    return None
