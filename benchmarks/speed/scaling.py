"""Time of an epoch and memory against each size of the data and the model, one varied at a time."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.speed import sets
from benchmarks.speed.processes import call, threads_option
from benchmarks.tables import output_option, report

__all__ = ["doubling", "scaling", "slope"]

VALUES: dict[str, tuple[float, ...]] = {
    "cells": (2000, 4000, 8000, 16_000, 32_000),
    "density": (0.035, 0.07, 0.14, 0.28, 0.56),
    "features": (1000, 2000, 4000, 8000, 16_000),
    "modalities": (1, 2, 3, 4, 5, 6),
    "latent": (5, 10, 20, 40, 80),
}
"""What is varied, and the values that it takes when none are given. Density stands for non-zeros."""

MANY = 1_000_000


class Point(NamedTuple):
    """What one training took: size is the number that is varied (for the density, that of non-zeros)."""

    size: float
    seconds: float
    megabytes: float


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Fit the exponent b of value = a · size ** b."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def doubling(before: Point, after: Point, name: str) -> float:
    """Give the factor by which `name` grows when the size doubles; between other sizes, that of the same exponent."""
    ratio = getattr(after, name) / getattr(before, name)
    return float(ratio ** (math.log(2) / math.log(after.size / before.size)))


def _varied(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, list[float]]:
    """Read ``name`` and ``name=value,value``; everything when nothing is given."""
    varied = {}
    for word in given or VALUES:
        name, _, values = word.partition("=")
        if name not in VALUES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(VALUES)}.")
        kind = float if name == "density" else int
        varied[name] = sorted({kind(v) for v in values.split(",")} if values else VALUES[name])
        if len(varied[name]) < 2:
            raise click.BadParameter(f"{name} needs two values at least.")
    return varied


@click.command()
@click.option(
    "--vary",
    "varied",
    multiple=True,
    callback=_varied,
    metavar="NAME[=VALUE,VALUE...]",
    help=f"{', '.join(VALUES)} [default: all]; may be given again.",
)
@click.option("--cells", default=8000, show_default=True)
@click.option("--density", default=sets.DENSITY["rna"], show_default=True, help="Share of entries that are not zero.")
@click.option("--features", default=4000, show_default=True, help="Of each modality.")
@click.option("--modalities", default=2, show_default=True, help="All of them RNA.")
@click.option("--latent", default=20, show_default=True, help="Dimensions of the shared latent.")
@click.option("--n-private", default=10, show_default=True, help="Dimensions of each private latent.")
@click.option("--hidden-size", default=128, show_default=True)
@click.option("--batch-size", default=256, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="The time is the median of all but the first.")
@threads_option
@output_option
def scaling(
    varied: dict[str, list[float]],
    n_private: int,
    hidden_size: int,
    batch_size: int,
    epochs: int,
    threads: int | None,
    output: Path | None,
    **base: float,
) -> None:
    """Time training against each size, the others as the options say.

    Fitted is an exponent (1 is linear), and for a million cells what the line through the points says: of logarithms
    for time, of the numbers themselves for memory, which does not start at zero.
    """
    fixed = {
        "n_private": n_private,
        "hidden_size": hidden_size,
        "batch_size": batch_size,
        "max_epochs": epochs,
        "decoder": "mlp",
        "private_dropout": 0.5,
        "n_clusters": 10,
    }
    took: dict[tuple[float, ...], tuple[float, Point]] = {}
    rows: list[dict[str, object]] = []
    fits: list[dict[str, object]] = []
    for name, values in varied.items():
        points: list[Point] = []
        for value in values:
            sizes = base | {name: value}
            key = tuple(sizes.values())
            if key not in took:
                took[key] = _measure(sizes, fixed, threads)
            nonzeros, point = took[key]
            points.append(point._replace(size=nonzeros if name == "density" else value))
            before = points[-2] if len(points) > 1 else None
            rows.append(
                {
                    "varied": name,
                    "value": value,
                    "non-zeros": round(nonzeros),
                    "s/epoch": point.seconds,
                    "MB at peak": round(point.megabytes),
                    "doubled: time": None if before is None else doubling(before, points[-1], "seconds"),
                    "doubled: memory": None if before is None else doubling(before, points[-1], "megabytes"),
                }
            )
        fits.append(_fitted(name, points))
    report({"Training against size": rows, "Exponents": fits}, output)


def _fitted(name: str, points: Sequence[Point]) -> dict[str, object]:
    sizes, seconds, megabytes = (np.array(column) for column in zip(*points, strict=True))
    cells = name == "cells"
    exponent = slope(sizes, seconds)
    time_of_many = np.exp(np.log(seconds).mean() + exponent * (np.log(MANY) - np.log(sizes).mean()))
    return {
        "varied": "non-zeros" if name == "density" else name,
        "exponent of time": exponent,
        "exponent of memory": slope(sizes, megabytes),
        f"{MANY:,} cells, extrapolated: s/epoch": float(time_of_many) if cells else None,
        f"{MANY:,} cells, extrapolated: GB": float(np.polyval(np.polyfit(sizes, megabytes, 1), MANY)) / 2**10
        if cells
        else None,
    }


def _measure(sizes: dict[str, float], fixed: dict[str, object], threads: int | None) -> tuple[float, Point]:
    """Make a set and train on it: gives the non-zeros, and what training took."""
    names = [f"rna{i + 1}" for i in range(int(sizes["modalities"]))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cells.h5mu"
        features = dict.fromkeys(names, int(sizes["features"]))
        made = sets.make(features, int(sizes["cells"]), density={"rna": sizes["density"]})
        made.write(file)
        options = fixed | {"n_latent": sizes["latent"]}
        took = call("benchmarks.speed.ours:train", file, threads=threads, options=options)
    seconds = float(np.median(made.n_obs / np.array(took.result["rates"][1:])))
    return float(sum(table.X.nnz for table in made.mod.values())), Point(math.nan, seconds, took.peak)
