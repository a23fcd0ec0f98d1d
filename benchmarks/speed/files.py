"""Time and memory of `omixvae train` with all defaults on real files."""

from pathlib import Path

import click
import h5py

from benchmarks.real_files import train_and_check
from benchmarks.tables import data_option, output_option, report

__all__ = ["cohorts", "memory"]

COHORT_BELOW = 1000


@click.command()
@data_option
@output_option
def cohorts(data: Path, output: Path | None) -> None:
    """Time `omixvae train FILE -o OUT` on each file of the folder with fewer than 1,000 observations."""
    files = [file for file in sorted(data.glob("*.h5mu")) if _n_obs(file) < COHORT_BELOW]
    report({"omixvae train FILE -o OUT": train_and_check(files)}, output)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@output_option
def memory(files: tuple[Path, ...], output: Path | None) -> None:
    """Measure the peak memory of `omixvae train FILE -o OUT`, and what of it goes beyond the data as stored.

    The target is 1,000 MB at most, Python and all packages among them.
    """
    report({"omixvae train FILE -o OUT": train_and_check(files)}, output)


def _n_obs(path: Path) -> int:
    with h5py.File(path) as file:
        return len(file["obs"][file["obs"].attrs["_index"]])
