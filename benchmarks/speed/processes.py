"""Each measurement in a process of its own, so that no other's memory and caches count."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.environments import ROOT

__all__ = ["Outcome", "call", "threads_option"]

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

threads_option = click.option(
    "--threads", type=click.IntRange(1), help="Of each process [default: as many as PyTorch takes]."
)


class Outcome(NamedTuple):
    """What a function gave, and what its process took.

    Parameters
    ----------
    result
        As JSON gives it back.
    before, peak
        Memory in megabytes: held with the data and all packages before the function ran, and the most ever held.
    threads
        Of PyTorch.
    versions
        Of the packages there.
    """

    result: Any
    before: float
    peak: float
    threads: int
    versions: dict[str, str]


def call(
    function: str,
    source: Path | None = None,
    *,
    where: str = "memory",
    python: str = sys.executable,
    threads: int | None = None,
    **arguments: object,
) -> Outcome:
    """Call a function in a process of its own.

    Parameters
    ----------
    function
        ``"module:name"``. Its result must be something that JSON can hold.
    source
        A file, read as MuData for the first argument of the function.
    where
        Whether the values are read into ``"memory"``, or left on ``"disk"``.
    python
        That of the environment to run in.
    threads
        How many; as many as PyTorch takes when not given.
    **arguments
        Of the function.
    """
    command = [python, "-m", "benchmarks.speed.worker", *function.split(":"), json.dumps(arguments)]
    command += [] if source is None else [str(source.resolve()), where]
    environment = os.environ | (dict.fromkeys(THREADS, str(threads)) if threads else {})
    done = subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))
