"""`omixvae convert`."""

from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import check_files, read_input, write_whole
from omixvae.cli.frame import Command, answer, on_rank_zero

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
@options.output_file("OUT.h5mu", "File to write.")
@options.in_place
@options.quietly
@options.as_json
@options.ways_in(shown=True)
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
    write_whole(mdata, output)
    shapes = {name: {"observations": adata.n_obs, "features": adata.n_vars} for name, adata in mdata.mod.items()}
    summary = {"output": str(output), "observations": mdata.n_obs, "modalities": shapes}
    parts = [f"  {name}: {of['observations']:,} samples, {of['features']:,} features" for name, of in shapes.items()]
    lines = [f"Wrote {output}: {mdata.n_obs:,} samples.", *parts, f"Look it over with: omixvae inspect {output}"]
    answer(summary, lines, as_json=as_json, quiet=quiet)
