"""Cells per second, memory and the part of the machine's rate that is reached, beside totalVI and MultiVI."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.environments import environments_option, python_of
from benchmarks.speed import sets
from benchmarks.speed.processes import Outcome, call, threads_option
from benchmarks.tables import output_option, report
from omixvae.devices import resolve_device

__all__ = ["throughput"]


class Peer(NamedTuple):
    """The set that a peer takes, and what times it in the peers' environment."""

    takes: str
    function: str


OURS = {"omixvae": "float32", "omixvae, mixed": "mixed"}
PEERS = {
    "totalVI": Peer("cite", "benchmarks.speed.scvi_tools:totalvi"),
    "MultiVI": Peer("multiome", "benchmarks.speed.scvi_tools:multivi"),
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
@click.option("--batch-size", type=int, help="Cells in a step [default: what each method takes].")
@click.option("--method", "methods", multiple=True, type=click.Choice([*OURS, *PEERS]), help="May be given again.")
@threads_option
@environments_option
@output_option
def throughput(
    names: tuple[str, ...],
    cells: int,
    epochs: int,
    hidden_size: int,
    n_latent: int,
    batch_size: int | None,
    methods: tuple[str, ...],
    threads: int | None,
    environments: Path,
    output: Path | None,
) -> None:
    """Time training on synthetic cells, all methods with the same widths and latent size, and else as they come.

    The rate is the median over all epochs but the first (in one of them the mixture prior is started). Operations are
    those of matrix products, for each cell: at the ends (first and last layers), counted alike for all methods, and all
    of omixvae's as PyTorch counts them. Both are given as parts of the rate of large matrices.
    """
    device = resolve_device("auto").type
    words = ["float32", "bfloat16"]
    limits = call("benchmarks.machine:matrix_rates", threads=threads, device=device, words=words).result
    sizes = {"hidden_size": hidden_size, "n_latent": n_latent}
    if batch_size is not None:
        sizes["batch_size"] = batch_size
    rows: list[dict[str, object]] = []
    for name in names or sets.FEATURES:
        of_ends = PRODUCTS * hidden_size * sum(sets.FEATURES[name].values())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{name}.h5mu"
            sets.make(sets.FEATURES[name], cells).write(file)
            taking = [m for m in methods or (*OURS, *PEERS) if m in OURS or PEERS[m].takes == name]
            whole = None
            if OURS.keys() & taking:
                whole = call("benchmarks.speed.ours:operations", file, threads=threads, options=sizes).result
            took = {m: _train(m, file, epochs, sizes, threads, environments) for m in taking}
        rates = {method: float(np.median(outcome.result["rates"][1:])) for method, outcome in took.items()}
        peer = next((rates[method] for method in rates if method in PEERS), None)
        for method, outcome in took.items():
            work = {"ends": of_ends, "all": whole if method in OURS else None}
            rows.append(
                {
                    "set": name,
                    "method": method,
                    "cells/s": round(rates[method]),
                    "times the peer": None if peer is None else rates[method] / peer,
                    "MB before": round(outcome.before),
                    "MB at peak": round(outcome.peak),
                    **{f"MFLOP, {part}": None if n is None else n / 1e6 for part, n in work.items()},
                    **{
                        f"{part}, of {word}": None if n is None else n * rates[method] / limits[word]
                        for part, n in work.items()
                        for word in words
                    },
                    "rates": outcome.result["rates"],
                    "versions": outcome.versions,
                }
            )
    speeds = [{"numbers": word, "GFLOP/s": limit / 1e9} for word, limit in limits.items()]
    report({f"Training, {device}": rows, f"Products of large matrices, {device}": speeds}, output)


def _train(
    method: str, file: Path, epochs: int, sizes: dict[str, int], threads: int | None, environments: Path
) -> Outcome:
    if method in PEERS:
        python = python_of("scvi", environments)
        return call(PEERS[method].function, file, python=python, threads=threads, epochs=epochs, **sizes)
    options = {"precision": OURS[method], "max_epochs": epochs} | sizes
    return call("benchmarks.speed.ours:train", file, threads=threads, options=options)
