"""Training from a file that is never read whole, beside training from memory."""

import tempfile
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from benchmarks.speed import sets
from benchmarks.speed.processes import call, threads_option
from benchmarks.tables import output_option, report

__all__ = ["disk"]

PLACES = ("disk", "memory")


@click.command()
@click.option("--cells", default=20_000, show_default=True)
@click.option("--genes", default=4000, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="The rate is the median of all but the first.")
@click.option("--hidden-size", default=128, show_default=True)
@click.option("--n-latent", default=20, show_default=True)
@click.option("--batch-size", default=256, show_default=True)
@click.option("--compression", type=click.Choice(["none", "lzf"]), default="none", show_default=True)
@click.option("--only", type=click.Choice(PLACES), help="Where the other does not fit.")
@click.option("--keep", type=click.Path(path_type=Path), help="File to write, and keep; taken as it is if it is there.")
@threads_option
@output_option
def disk(
    cells: int,
    genes: int,
    epochs: int,
    hidden_size: int,
    n_latent: int,
    batch_size: int,
    compression: str,
    only: str | None,
    keep: Path | None,
    threads: int | None,
    output: Path | None,
) -> None:
    """Time `omixvae.fit`, results and all, on a file of RNA opened with backed="r", and on the same file read whole.

    The file is written block by block into the folder for temporary files (TMPDIR), and removed at the end, unless it
    is to be kept. Where it fits into the system's memory, it is read from there, not from the disk.
    """
    options = {
        "max_epochs": epochs,
        "early_stopping": False,
        "hidden_size": hidden_size,
        "n_latent": n_latent,
        "batch_size": batch_size,
    }
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = keep or Path(folder) / "cells.h5mu"
        if not file.exists():
            sets.write_rna(file, genes, cells, compression="lzf" if compression == "lzf" else None)
        megabytes = file.stat().st_size / 2**20
        for place in PLACES if only is None else (only,):
            took = call("benchmarks.speed.ours:fit", file, where=place, threads=threads, options=options)
            seconds = [end - start for start, end in pairwise(took.result["ends"])]
            rows.append(
                {
                    "from": place,
                    "cells": cells,
                    "MB of file": round(megabytes),
                    "cells/s": round(cells / float(np.median(seconds))),
                    "last bound": took.result["last_bound"],
                    "whole call, s": took.result["seconds"],
                    "MB before": round(took.before),
                    "MB at peak": round(took.peak),
                    "ends": took.result["ends"],
                }
            )
    for row in rows:
        row["of the rate in memory"] = row["cells/s"] / rows[-1]["cells/s"] if only is None else None
    report({f"Training from disk and from memory, compression {compression}": rows}, output)
