"""Download of upstream files: goes on where it stopped, and gives a file its name only when its checksum is right."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from omixvae.datasets.registry import UpstreamFile
from omixvae.errors import InputError

__all__ = ["CACHE_VARIABLE", "DownloadError", "download", "is_intact", "make_folder"]

CACHE_VARIABLE = "OMIXVAE_DATA_DIR"

TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 14  # bytes; what lacks of a chunk when the connection breaks is lost
ATTEMPTS = 5  # before a connection that breaks each time is given up


class DownloadError(Exception):
    """A file did not come: says why, in words."""


class ResumingDownloader:
    """What `pooch` calls to get a file: continues the part that an earlier call left.

    Parameters
    ----------
    file
        What is to come.
    part
        Where what has come so far is kept.
    report
        Is told how many bytes have come.
    """

    def __init__(self, file: UpstreamFile, part: Path, report: Callable[[int], None]) -> None:
        self.file, self.part, self.report = file, part, report

    def __call__(self, url: str, output_file: str, _: object, *, check_only: bool | None = None) -> None:
        """Get the file.

        Parameters
        ----------
        url, output_file
            From where to where.
        check_only
            Part of pooch's protocol; it does not ask that here.

        Raises
        ------
        InputError
            If something else came than was expected; it is removed.
        DownloadError
            If the server refuses.
        requests.RequestException
            If nothing more comes; what has come is kept.
        """
        is_continued = _size(self.part) > 0
        self._complete(url)
        if is_continued and not is_intact(self.part, self.file):
            self.part.unlink()  # what was continued may have been wrong from its beginning
            self._complete(url)
        if not is_intact(self.part, self.file):
            came, size = pooch.file_hash(str(self.part)), _size(self.part)
            self.part.unlink()
            raise InputError(
                f"What came from {url} is not the file that was expected: {size:,} bytes with sha256 {came} instead of "
                f"{self.file.n_bytes:,} bytes with sha256 {self.file.sha256}.",
                f"download to {self.part.with_suffix('')}",
                "It was removed, so run the same again; if that does not help, open the address in a browser, since a "
                "proxy or a login page may have answered in its place.",
            )
        self.part.replace(output_file)

    def _complete(self, url: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._get_rest(url)
            except requests.exceptions.ChunkedEncodingError:  # the server was there, but the connection broke
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _get_rest(self, url: str) -> None:
        begin = _size(self.part)
        if begin >= self.file.n_bytes:
            return
        # Not compressed on the way, because ranges and sizes are those of the file.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()  # longer than the server's file, so no part of it
            if not response.ok:
                raise DownloadError(f"the server answered {response.status_code} ({response.reason})")
            # A server that knows no ranges sends everything.
            self._append(response, begin if response.status_code == requests.codes.partial_content else 0)

    def _append(self, response: requests.Response, begin: int) -> None:
        end = begin + int(response.headers.get("Content-Length", self.file.n_bytes - begin))
        with self.part.open("ab" if begin else "wb") as out:
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                self.report(out.tell())
                if out.tell() > self.file.n_bytes:
                    return
        if _size(self.part) < end:
            raise requests.exceptions.ChunkedEncodingError("less came than was said")


def download(file: UpstreamFile, folder: Path, *, progress: bool = True) -> Path:
    """Get an upstream file, from the cache if it is there as it should be.

    Parameters
    ----------
    file
        The file.
    folder
        Where upstream files are kept.
    progress
        Whether to show how far it is: a bar on a terminal, a line in a log.

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
    target = folder / file.cache_name
    if is_intact(target, file):
        return target
    make_folder(folder)
    with filelock.FileLock(folder / ".lock"):  # one process at a time: the others wait, and then find the file
        if not is_intact(target, file):
            _retrieve(file, target, progress=progress)
    return target


def _retrieve(file: UpstreamFile, target: Path, *, progress: bool) -> None:
    part = target.with_name(f"{target.name}.part")
    with _quiet_pooch(), _shown(file, progress=progress) as report:
        downloader = ResumingDownloader(file, part, report)
        try:
            pooch.retrieve(file.url, f"sha256:{file.sha256}", target.name, target.parent, downloader=downloader)
        except requests.RequestException as error:
            broke = isinstance(error, requests.exceptions.ChunkedEncodingError)
            reason = "the connection broke" if broke else f"it could not be reached ({type(error).__name__})"
            come = _size(part)
            kept = f", {come:,} of {file.n_bytes:,} bytes have come and are kept" if come else ""
            raise DownloadError(reason + kept) from error


def is_intact(path: Path, file: UpstreamFile) -> bool:
    """Return whether a file is the one that was published.

    Parameters
    ----------
    path
        The file at hand; it may be missing.
    file
        What it should be.

    Returns
    -------
    bool
        Whether size and checksum agree.
    """
    return _size(path) == file.n_bytes and pooch.file_hash(str(path)) == file.sha256


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


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Leave out pooch's own lines: what is downloaded is shown already."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _shown(file: UpstreamFile, *, progress: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, or one line in a log, on standard error."""
    console = Console(file=sys.stderr, quiet=not progress)
    if not console.is_terminal:
        console.print(f"downloading {file.url} ({file.n_bytes:,} bytes)", highlight=False, soft_wrap=True)
    bar = Progress(
        TextColumn(file.name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (progress and console.is_terminal),
    )
    task = bar.add_task("", total=file.n_bytes)
    with bar:
        yield lambda come: bar.update(task, completed=come)
