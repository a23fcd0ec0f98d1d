"""Train on nine public data sets with nothing but the file given, and check every result that is written.

    python -m benchmarks.real_files --data FOLDER [--only nutrimouse] [-o real_files.json]

Each runs as `omixvae train FILE -o OUT` in a process of its own. Exits with 1 if any result is missing or not finite.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import mudata
import numpy as np
from scipy import sparse

from benchmarks.tables import data_option, output_option, report
from tests.end_to_end_checks import problems_of_results

NAMES = (
    "pbmc_citeseq_10k_5k",
    "pbmc_eccite_control",
    "a549_scicar",
    "mesc_scmt",
    "tcga_acc_mini",
    "tcga_blca_mirna_rppa",
    "tcga_brca_diablo",
    "nci60_multidrug",
    "nutrimouse",
)


@click.command()
@data_option
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Only this data set (may be given again).")
@output_option
def main(data: Path, only: Sequence[str], output: Path | None) -> None:
    """Print size, time, peak memory and problems of each data set."""
    rows = train_and_check([data / f"{name}.h5mu" for name in only or NAMES])
    report({"omixvae train FILE -o OUT": rows}, output)
    sys.exit(any(row["problems"] for row in rows))


def train_and_check(files: Sequence[Path]) -> list[dict[str, object]]:
    """Train on each file, and check what was written.

    Parameters
    ----------
    files
        The h5mu files.

    Returns
    -------
    list of dict
        One row each: size, time, memory, and number of problems; these are printed on standard error.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        targets = [Path(folder) / file.name for file in files]
        # All trainings come before the first check: a process starts with the peak memory of the one that started it.
        trained = [_train(*pair) for pair in zip(files, targets, strict=True)]
        return [_check(*triple) for triple in zip(files, targets, trained, strict=True)]


class Trained(NamedTuple):
    """How a run went: what it printed as JSON, its errors, and what the process took (memory in megabytes)."""

    summary: dict[str, object]
    errors: str
    seconds: float
    peak: float


def _train(source: Path, target: Path) -> Trained:
    printed, errors = target.with_suffix(".json"), target.with_suffix(".txt")
    command = [sys.executable, "-m", "omixvae", "train", str(source), "-o", str(target), "--json"]
    began = time.perf_counter()
    with printed.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)  # unlike process.wait, this tells the memory of this one child
    seconds, peak = time.perf_counter() - began, usage.ru_maxrss / 2**10
    click.echo(f"{source.stem}: {seconds:.0f} s", err=True)
    if status:
        return Trained({}, errors.read_text() or f"stopped with status {status}", seconds, peak)
    return Trained(json.loads(printed.read_text()), "", seconds, peak)


def _check(source: Path, target: Path, trained: Trained) -> dict[str, object]:
    before = mudata.read_h5mu(source)
    after = None if trained.errors else mudata.read_h5mu(target)
    problems = [trained.errors] if after is None else problems_of_results(after, before)
    for problem in problems:
        click.echo(f"{source.stem}: {problem}", err=True)
    megabytes = sum(_bytes(adata.X) for adata in before.mod.values()) / 2**20
    return {
        "data set": source.stem,
        "observations": before.n_obs,
        "features": " + ".join(f"{adata.n_vars:,} {name}" for name, adata in before.mod.items()),
        "epochs": trained.summary.get("epochs", ""),
        "clusters": len(trained.summary.get("clusters", ())),
        "seconds": round(trained.seconds, 1),
        "of these epochs": None if after is None else round(float(after.uns["omixvae"]["history"]["seconds"][-1]), 1),
        "MB of data": round(megabytes),
        "MB at peak": round(trained.peak),
        "beyond data": round(trained.peak - megabytes),
        "problems": len(problems),
    }


def _bytes(x: np.ndarray | sparse.csr_matrix) -> int:
    """Say how much memory values take as stored."""
    return x.data.nbytes + x.indices.nbytes + x.indptr.nbytes if sparse.issparse(x) else x.nbytes


if __name__ == "__main__":
    main()
