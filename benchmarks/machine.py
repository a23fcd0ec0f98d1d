"""What a figure depends on besides the code that is measured: the machine, the versions, and the commit."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

__all__ = ["commit", "machine", "matrix_rate", "matrix_rates", "versions"]

SIZE = 1024
"""Rows and columns of a large matrix: larger ones give the same rate on a processor."""

SECONDS = 2.0
"""After which no product is begun: without instructions for bfloat16 a single one takes longer."""

REPEATS = 8
PACKAGES = ("omixvae", "scvi-tools", "lightning", "torch", "numpy", "scipy", "anndata", "mudata", "h5py")


def machine(threads: int | None = None) -> dict[str, object]:
    """Say what the machine is.

    Parameters
    ----------
    threads
        How many were asked for; as many as PyTorch takes when not given.

    Returns
    -------
    dict
        Model of the processor, cores that this process may use, threads, and the name of the GPU (None without one).
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads or torch.get_num_threads(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def versions() -> dict[str, str]:
    """Give the version of Python, and of each package that matters and is there."""
    there = {found.name: found.version for found in map(_distribution, PACKAGES) if found is not None}
    return {"python": platform.python_version(), **there}


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """Give the commit that is checked out, with `-dirty` where files differ from it; None where there is no git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def matrix_rates(device: str, words: Sequence[str]) -> dict[str, float]:
    """Measure products of large square matrices of each type of numbers; see `matrix_rate`."""
    return {word: matrix_rate(torch.device(device), getattr(torch, word)) for word in words}


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measure products of large square matrices.

    Parameters
    ----------
    device, dtype
        Where, and of which numbers.

    Returns
    -------
    float
        Floating point operations per second, the best of up to eight runs.
    """
    a = torch.randn(SIZE, SIZE, device=device, dtype=dtype)
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < SECONDS:
        began = time.perf_counter()
        float((a @ a)[0, 0])  # waits for the device
        times.append(time.perf_counter() - began)
    return 2 * SIZE**3 / min(times)
