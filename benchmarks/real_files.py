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

from benchmarks.tables import data_option, show
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
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file to write.")
def main(data: Path, only: Sequence[str], output: Path | None) -> None:
    """Print size, time, peak memory and problems of each data set."""
    warnings.simplefilter("ignore")
    names = only or NAMES
    with tempfile.TemporaryDirectory() as folder:
        # All trainings come before the first check: a process starts with the peak memory of the one that started it.
        trained = [_train(data / f"{name}.h5mu", Path(folder) / f"{name}.h5mu") for name in names]
        rows = [
            _check(data / f"{name}.h5mu", Path(folder) / f"{name}.h5mu", t)
            for name, t in zip(names, trained, strict=True)
        ]
    show("omixvae train FILE -o OUT", rows, output)
    sys.exit(any(row["problems"] for row in rows))


class Trained(NamedTuple):
    """How a run went: what it printed as JSON, its errors, and what it took."""

    summary: dict[str, object]
    errors: str
    seconds: float
    peak_gb: float


def _train(source: Path, target: Path) -> Trained:
    printed, errors = target.with_suffix(".json"), target.with_suffix(".txt")
    command = [sys.executable, "-m", "omixvae", "train", str(source), "-o", str(target), "--json"]
    began = time.perf_counter()
    with printed.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)  # unlike process.wait, this tells the memory of this one child
    seconds = time.perf_counter() - began
    click.echo(f"{source.stem}: {seconds:.0f} s", err=True)
    if status:
        return Trained({}, errors.read_text() or f"stopped with status {status}", seconds, usage.ru_maxrss / 1e6)
    return Trained(json.loads(printed.read_text()), "", seconds, usage.ru_maxrss / 1e6)


def _check(source: Path, target: Path, trained: Trained) -> dict[str, object]:
    before = mudata.read_h5mu(source)
    problems = [trained.errors] if trained.errors else problems_of_results(mudata.read_h5mu(target), before)
    for problem in problems:
        click.echo(f"{source.stem}: {problem}", err=True)
    return {
        "data set": source.stem,
        "observations": before.n_obs,
        "features": " + ".join(f"{adata.n_vars:,} {name}" for name, adata in before.mod.items()),
        "epochs": trained.summary.get("epochs", ""),
        "clusters": len(trained.summary.get("clusters", ())),
        "seconds": round(trained.seconds),
        "peak memory, GB": f"{trained.peak_gb:.1f}",
        "problems": len(problems),
    }


if __name__ == "__main__":
    main()
