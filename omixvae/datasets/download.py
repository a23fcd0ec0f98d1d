"""Download of upstream files, each checked by its checksum."""

import os
from pathlib import Path

import pooch
import requests

from omixvae.datasets.registry import UpstreamFile
from omixvae.errors import InputError

__all__ = ["CACHE_VARIABLE", "DownloadError", "download", "is_intact", "make_folder"]

CACHE_VARIABLE = "OMIXVAE_DATA_DIR"

TIMEOUT = 30  # seconds without a byte


class DownloadError(Exception):
    """A file did not come: says why, in words."""


def download(file: UpstreamFile, folder: Path, *, progress: bool = True) -> Path:
    """Get an upstream file, from the cache if it is there as it should be.

    Parameters
    ----------
    file
        The file.
    folder
        Where upstream files are kept.
    progress
        Whether to say what is downloaded.

    Returns
    -------
    pathlib.Path
        Where it is.

    Raises
    ------
    InputError
        If another file came, or the folder cannot be written to.
    DownloadError
        If it did not come.
    """
    make_folder(folder)
    logger = pooch.get_logger()
    logger.disabled = not progress
    get = pooch.HTTPDownloader(timeout=TIMEOUT, stream=False)  # a few megabytes at most
    try:
        return Path(pooch.retrieve(file.url, f"sha256:{file.sha256}", file.cache_name, folder, downloader=get))
    except requests.RequestException as error:
        answer = error.response
        raise DownloadError(
            f"it could not be reached ({type(error).__name__})"
            if answer is None
            else f"the server answered {answer.status_code} ({answer.reason})"
        ) from error
    except ValueError as error:  # pooch's word for another checksum
        raise InputError(
            f"What came from {file.url} is not the file that was expected, of {file.n_bytes:,} bytes with sha256 "
            f"{file.sha256}.",
            f"download to {folder / file.cache_name}",
            "It was removed, so run the same again; if that does not help, open the address in a browser, since a "
            "proxy or a login page may have answered in its place.",
        ) from error
    finally:
        logger.disabled = False


def is_intact(path: Path, file: UpstreamFile) -> bool:
    """Return whether a file is there, and the one that was published.

    Parameters
    ----------
    path
        The file at hand; it may be missing.
    file
        What it should be.

    Returns
    -------
    bool
        Whether the checksum agrees.
    """
    return path.exists() and pooch.file_hash(str(path)) == file.sha256


def make_folder(folder: Path) -> None:
    """Make a folder that files can be written into.

    Parameters
    ----------
    folder
        The folder; it may be there.

    Raises
    ------
    InputError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_open = os.access(folder, os.W_OK)
    except OSError:
        is_open = False
    if not is_open:
        raise InputError(
            f"The folder {str(folder)!r} cannot be written to.",
            "the cache of public data sets",
            f"Set the environment variable {CACHE_VARIABLE} to a folder of your own.",
        )
