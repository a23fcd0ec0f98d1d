"""Where to compute, and in whose memory."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from omixvae.errors import InputError

__all__ = ["few_threads", "is_there", "kept_memory", "kept_threads", "resolve_device"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What glibc's mallopt calls them."""

LARGEST_KEPT = 32 * 2**20
"""Arrays of up to so many bytes come from kept memory: the most that glibc takes."""


DEVICES = ("cpu", "cuda", "mps")


def is_there(word: str) -> bool:
    """Check whether this machine, and this build of PyTorch, has a device.

    Parameters
    ----------
    word
        ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Returns
    -------
    bool
        Whether it can be computed with.

    Examples
    --------
    >>> is_there("cpu")
    True
    """
    return {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[word]


def resolve_device(word: str) -> torch.device:
    """Find the device that a word names.

    Parameters
    ----------
    word
        ``"auto"`` (a CUDA GPU if there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Returns
    -------
    torch.device
        It is there.

    Raises
    ------
    InputError
        If this machine, or this build of PyTorch, does not have it.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if word == "auto":
        return torch.device("cuda" if is_there("cuda") else "cpu")
    if not is_there(word):
        names = " or ".join(f"device={name}" for name in DEVICES if is_there(name))
        raise InputError(
            f"There is no device {word!r} on this machine.", "option device (--device)", f"Use device=auto or {names}."
        )
    return torch.device(word)


SMALL_LAYER = 4096
"""Values of a layer (rows of a batch × units) below which threads mostly wait for one another: with one other program
on two cores, cohorts trained three to four times as fast on one thread; with none, up to a quarter slower."""


@contextmanager
def few_threads(layer: int) -> Iterator[None]:
    """Compute with one thread while a block runs, if layers are small.

    Parameters
    ----------
    layer
        Values of a hidden layer.

    Examples
    --------
    >>> with few_threads(32 * 64):
    ...     torch.get_num_threads()
    1
    """
    with kept_threads():
        if layer < SMALL_LAYER:
            torch.set_num_threads(1)
        yield


@contextmanager
def kept_threads() -> Iterator[None]:
    """Compute after a block with as many threads as before it.

    Notes
    -----
    The first parallel function of numba (in UMAP, say) sets the number of threads for all of the process: with
    OMP_NUM_THREADS=1, too, PyTorch would then take all cores.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with kept_threads():
    ...     torch.set_num_threads(before + 1)
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next array while a block runs, and give it back at the end.

    Notes
    -----
    A training step makes and frees the same few megabytes again and again. glibc gives them back to the system each
    time, which then hands out pages full of zeros: a quarter of the time of a step on a processor. Does nothing where
    the C library is another.

    Examples
    --------
    >>> with kept_memory():
    ...     torch.ones(1_000_000).sum().item()
    1000000.0
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    libc.mallopt(MMAP_THRESHOLD, LARGEST_KEPT)
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        # where glibc's own rule for both ends up once arrays of this size have been freed
        libc.mallopt(TRIM_THRESHOLD, 2 * LARGEST_KEPT)
        libc.malloc_trim(0)
