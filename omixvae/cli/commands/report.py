"""`omixvae report`."""

from dataclasses import asdict
from pathlib import Path

import click

from omixvae.cli import options
from omixvae.cli.files import check_input, check_named, read_input
from omixvae.cli.frame import Command, answer, friendly_warnings, on_rank_zero
from omixvae.errors import check_all
from omixvae.files import writing

__all__ = ["report"]


@click.command(
    cls=Command,
    examples=[
        "omixvae report cohort_omixvae.h5mu -o report.html",
        "omixvae report cohort_omixvae.h5mu -o report.html --model cohort_model --color stage,purity,rna:GATA3",
    ],
)
@options.source_file()
@options.output_file("REPORT.html", "Page to write: one file, which needs no network to be read.")
@options.model_folder(
    "Folder of the model that made the results: also checks the limits of its predictions.", required=False
)
@click.option("--color", "colors", metavar="NAME,…", default="", help="Columns or features to colour the map by.")
@click.option("--key-added", default="omixvae", show_default=True, metavar="KEY", help="Name of the results.")
@options.quietly
@options.as_json
@on_rank_zero
def report(
    source: str, output: Path, folder: Path | None, colors: str, key_added: str, *, quiet: bool, as_json: bool
) -> None:
    """Write one HTML page on the results in IN.h5mu: what was found, and what to distrust.

    IN.h5mu is what `omixvae train` or `annotate` wrote; it is not changed. The page has plots and tables of the data,
    the training, the latents, the clusters and their features, and of imputed values, and says how to repeat it all.
    """
    check_all([lambda: check_input(source), lambda: check_named(output, "option --output", (".html", ".htm"))])
    mdata = read_input(source)

    import matplotlib as mpl  # here, as all below, so that --help needs no torch

    from omixvae.model import load
    from omixvae.report import write_report

    mpl.use("Agg")  # whatever the user's settings say: nothing is shown on a screen
    model = None if folder is None else load(folder)
    names = [name.strip() for name in colors.split(",") if name.strip()]
    with friendly_warnings(), writing(output):
        page = write_report(mdata, output, model=model, color=names, key=key_added, title=Path(source).name)
    size, points = output.stat().st_size, {"found": page.found.points, "distrust": page.distrust.points}
    said = {part: [asdict(point) for point in of] for part, of in points.items()}
    lines = [f"Wrote {output} ({size / 1e6:.1f} MB).", *(f"  {p.about}. {p.text}" for p in page.distrust.points)]
    answer({"output": str(output), "bytes": size} | said, lines, as_json=as_json, quiet=quiet)
