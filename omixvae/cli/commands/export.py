"""`omixvae export`."""

from pathlib import Path

import click

from omixvae.cli import options
from omixvae.cli.files import check_input, read_input
from omixvae.cli.frame import Command, answer, on_rank_zero
from omixvae.errors import InputError, check_all
from omixvae.files import check_target

__all__ = ["export"]


@click.command(
    cls=Command,
    examples=[
        "omixvae export cohort_omixvae.h5mu -o cohort_tables",
        "omixvae export cells_omixvae.zarr -o cells_tables --key-added second_run",
    ],
)
@options.source_file()
@options.output_file(
    "FOLDER", "Folder to make. An earlier export of the same tables is replaced, anything else is not."
)
@click.option("--key-added", default="omixvae", show_default=True, metavar="KEY", help="Name of the results.")
@options.quietly
@options.as_json
@on_rank_zero
def export(source: str, output: Path, key_added: str, *, quiet: bool, as_json: bool) -> None:
    """Write the results in IN.h5mu as CSV files, for R, Excel and other programs.

    IN.h5mu is what `omixvae train` or `annotate` wrote; it is not changed, and its matrices are not read. FOLDER gets
    one table for each result: latents, clusters with their probabilities, measured and predicted values of each
    modality that was imputed, how well they are predicted, loadings, information and history. README.txt explains them.
    """
    check_all([lambda: check_input(source), lambda: check_target(output)])

    from omixvae.exports import export as write  # here, as below, so that --help needs no torch
    from omixvae.results.on_disk import read_results
    from omixvae.sources import is_mudata_store

    if not is_mudata_store(Path(source)):
        raise InputError(
            f"{source!r} holds no results of omixvae: it is neither an h5mu file nor a zarr folder of MuData.",
            "the input",
            "Give what `omixvae train` or `omixvae annotate` wrote.",
        )
    mdata = read_input(source, from_disk=True)
    read_results(mdata, Path(source), key_added)
    write(mdata, output, key=key_added)
    files = sorted(path.name for path in output.iterdir())
    lines = [f"Wrote {output} ({mdata.n_obs:,} observations) with", *(f"  {name}" for name in files)]
    summary = {"output": str(output), "observations": int(mdata.n_obs), "files": files}
    answer(summary, lines, as_json=as_json, quiet=quiet)
