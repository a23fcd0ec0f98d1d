"""`omixvae annotate`."""

from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import check_files, check_results, is_zarr, read_input, write_whole
from omixvae.cli.frame import Command, answer, friendly_warnings, on_rank_zero
from omixvae.errors import InputError

__all__ = ["annotate"]


@click.command(
    cls=Command,
    examples=[
        "omixvae annotate new.h5mu --model cohort_model -o new_omixvae.h5mu",
        "omixvae annotate cells.zarr --model atlas_model -o cells_omixvae.zarr",
    ],
)
@options.source_file(nargs=-1, required=True)
@options.model_folder("Folder of a saved model.")
@options.output_file("OUT.h5mu", "File to write.")
@options.in_place
@options.allow_missing_features
@options.read_from_disk
@options.computing_device
@options.quietly
@options.as_json
@options.ways_in()
@on_rank_zero
def annotate(
    sources: tuple[str, ...],
    folder: Path,
    output: Path,
    *,
    in_place: bool,
    allow_missing_features: bool,
    from_disk: bool,
    device: str,
    quiet: bool,
    as_json: bool,
    ways: dict[str, Any],
) -> None:
    """Apply a trained model to IN.h5mu, and write it with the results to OUT.h5mu.

    Any of the model's modalities may be missing from IN.h5mu, and some of their features; what is lacking is said. It
    may also be h5ad, 10x or tables, with the options of `omixvae convert`.
    """
    from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
    check_files(sources, output, None, in_place=in_place)
    if from_disk and len(sources) > 1:
        problem, fix = f"There are {len(sources)} inputs and one output.", "Annotate each file by itself."
        raise InputError(problem, f"output {output}", fix)
    mdata = read_input(*sources, from_disk=from_disk, ways=ways)

    from omixvae.model import load  # here, so that --help needs no torch
    from omixvae.summary import results_lines, summarise_results

    model = load(folder, device=options.read_config(None, {"device": device}).training.device)
    check_results(mdata, output, model.config.results.key_added, from_disk=from_disk)
    with friendly_warnings():
        model.annotate(mdata, allow_missing_features=allow_missing_features)
    write_whole(mdata, output, Path(sources[0]) if from_disk else None, model.config.results.key_added)
    summary = summarise_results(mdata, model.config.results.key_added) | {"output": str(output)}
    answer(summary, results_lines(summary["keys"], f"Wrote {output} with"), as_json=as_json, quiet=quiet)
