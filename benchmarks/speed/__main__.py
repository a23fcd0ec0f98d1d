"""Time the training of omixvae and of its peers, side by side.

python -m benchmarks.speed [cite multiome] [--cells 10000] [--epochs 6] [--method totalVI] [-o speed.json]

Each method trains in a process of its own on the same synthetic cells, with the same widths and latent size, and else
with its defaults. The rate is the median over all epochs but the first (in one of them the mixture prior is started).
Ratios hold within one run; the machine's rate of matrix products is measured in the same run.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch

from benchmarks.environments import ROOT, environments_option, python_of
from benchmarks.speed import sets
from benchmarks.speed.machine import matrix_rate
from benchmarks.tables import show
from omixvae.devices import resolve_device


class Method(NamedTuple):
    """Where a method's function is, the environment that it needs, and the sets that it takes."""

    module: str
    function: str
    environment: str | None
    sets: tuple[str, ...]


METHODS = {
    "omixvae": Method("ours", "run", None, tuple(sets.FEATURES)),
    "omixvae, mixed": Method("ours", "mixed", None, tuple(sets.FEATURES)),
    "totalVI": Method("scvi_tools", "totalvi", "scvi", ("cite",)),
    "MultiVI": Method("scvi_tools", "multivi", "scvi", ("multiome",)),
}

PRODUCTS = 10
"""Floating point operations for each weight and cell: forwards and backwards, two in the first layer, three in the last
(the first needs no gradient of its input), a product and a sum each."""


@click.command()
@click.argument("names", nargs=-1, metavar="[SET]...", type=click.Choice(list(sets.FEATURES)))
@click.option("--cells", default=10_000, show_default=True)
@click.option("--epochs", default=6, show_default=True, help="The rate is the median of all but the first.")
@click.option("--hidden-size", default=256, show_default=True)
@click.option("--n-latent", default=20, show_default=True)
@click.option("--method", "methods", multiple=True, type=click.Choice(list(METHODS)), help="May be given again.")
@environments_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file to write.")
def main(
    names: tuple[str, ...],
    cells: int,
    epochs: int,
    hidden_size: int,
    n_latent: int,
    methods: tuple[str, ...],
    environments: Path,
    output: Path | None,
) -> None:
    """Print cells per second, peak memory, and the part of the machine's rate that the large products reach."""
    device = resolve_device("auto")
    rates = {word: matrix_rate(device, getattr(torch, word)) for word in ("float32", "bfloat16")}
    arguments = json.dumps({"epochs": epochs, "hidden_size": hidden_size, "n_latent": n_latent})
    rows: list[dict[str, object]] = []
    for name in names or sets.FEATURES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{name}.h5mu"
            sets.make(name, cells).write(file)
            for word in methods or METHODS:
                method = METHODS[word]
                if name not in method.sets:
                    continue
                python = python_of(method.environment, environments)
                command = [python, "-m", "benchmarks.speed.worker", method.module, method.function, file, arguments]
                done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
                took = json.loads(done.stdout.splitlines()[-1])
                rate = float(np.median(took["rates"][1:]))
                work = PRODUCTS * hidden_size * sum(sets.FEATURES[name].values()) * rate
                rows.append(
                    {
                        "set": name,
                        "cells": cells,
                        "method": word,
                        "cells/s": round(rate),
                        "MB of data": round(took["before"]),
                        "MB at peak": round(took["peak"]),
                        **{f"of {word}": work / limit for word, limit in rates.items()},
                    }
                )
    limits = ", ".join(f"{limit / 1e9:.0f} GFLOP/s in {word}" for word, limit in rates.items())
    show(f"{device.type}, {torch.get_num_threads()} threads: {limits}", rows, output)


if __name__ == "__main__":
    main()
