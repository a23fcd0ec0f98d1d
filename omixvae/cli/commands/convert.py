"""`omixvae convert`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli.files import check_files, read_input, written_whole
from omixvae.cli.frame import Command, on_rank_zero
from omixvae.cli.options import as_json, in_place, output_file, quietly, ways_in

__all__ = ["convert"]


@click.command(
    cls=Command,
    examples=[
        "omixvae convert filtered_feature_bc_matrix.h5 -o cells.h5mu",
        "omixvae convert rna=rna.h5ad protein=protein.h5ad -o cells.h5mu",
        "omixvae convert mrna.csv.gz protein.tsv --obs clinic.csv --na -999 -o cohort.h5mu",
    ],
)
@click.argument("sources", metavar="IN...", type=click.Path(), nargs=-1, required=True)
@output_file("OUT.h5mu", "File to write.")
@in_place
@quietly
@as_json
@ways_in(shown=True)
@on_rank_zero
def convert(
    sources: tuple[str, ...], output: Path, *, in_place: bool, quiet: bool, as_json: bool, ways: dict[str, Any]
) -> None:
    """Write omics of the same samples, from files of many kinds, as one OUT.h5mu.

    IN is one or several of: h5mu, h5ad, zarr folders, the h5 file or mtx folder of 10x, and tables (CSV, TSV, text,
    also as .gz, parquet) with names in the first row and column. NAME=IN names the assay, else its file does: rna.csv
    is rna. Samples are paired by their names. All other commands take the same in the place of IN.h5mu.
    """
    check_files(sources, output, None, in_place=in_place, endings=(".h5mu",))
    mdata = read_input(*sources, ways=ways)

    from omixvae.writable import check_writable  # here, so that --help needs no mudata

    check_writable(mdata)
    with written_whole(mdata, output):
        pass
    shapes = {name: {"observations": adata.n_obs, "features": adata.n_vars} for name, adata in mdata.mod.items()}
    if as_json:
        click.echo(json.dumps({"output": str(output), "observations": mdata.n_obs, "modalities": shapes}))
    elif not quiet:
        click.echo(f"Wrote {output}: {mdata.n_obs:,} samples.")
        for name, shape in shapes.items():
            click.echo(f"  {name}: {shape['observations']:,} samples, {shape['features']:,} features")
        click.echo(f"Look it over with: omixvae inspect {output}")
