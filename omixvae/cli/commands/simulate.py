"""`omixvae simulate`."""

from pathlib import Path

import click

from omixvae.cli import options
from omixvae.cli.files import check_output, write_whole
from omixvae.cli.frame import Command, answer, on_rank_zero

__all__ = ["simulate"]


@click.command(
    cls=Command, examples=["omixvae simulate -o example.h5mu", "omixvae simulate -o large.h5mu --n-obs 50000"]
)
@options.output_file("OUT.h5mu", "File to write.")
@click.option("--n-obs", default=2000, show_default=True, metavar="N", help="Number of cells.")
@click.option(
    "--missing", default=0.5, show_default=True, metavar="PART", help="Part of the second batch without protein."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="The same seed gives the same data.")
@options.quietly
@options.as_json
@on_rank_zero
def simulate(output: Path, n_obs: int, missing: float, seed: int, *, quiet: bool, as_json: bool) -> None:
    """Write a simulated CITE-seq set with known clusters, for trials and tests."""
    check_output(output)

    from omixvae.simulation import simulate as make  # here, so that --help needs no numpy

    mdata = make(n_obs, missing=missing, seed=seed)
    write_whole(mdata, output)
    summary = {"output": str(output), "observations": n_obs, "modalities": list(mdata.mod)}
    line = f"Wrote {output}: {mdata.n_obs:,} observations of {', '.join(mdata.mod)}."
    answer(summary, [line], as_json=as_json, quiet=quiet)
