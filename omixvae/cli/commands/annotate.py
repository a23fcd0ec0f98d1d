"""`omixvae annotate`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli.files import check_files, check_results, is_zarr, read_input, written_whole
from omixvae.cli.frame import Command, friendly_warnings, on_rank_zero
from omixvae.cli.options import (
    allow_missing_features,
    as_json,
    computing_device,
    in_place,
    model_folder,
    output_file,
    quietly,
    read_config,
    read_from_disk,
    source_file,
    ways_in,
)
from omixvae.errors import InputError

__all__ = ["annotate"]


@click.command(
    cls=Command,
    examples=[
        "omixvae annotate new.h5mu --model cohort_model -o new_omixvae.h5mu",
        "omixvae annotate cells.zarr --model atlas_model -o cells_omixvae.zarr",
    ],
)
@source_file(nargs=-1, required=True)
@model_folder("Folder of a saved model.")
@output_file("OUT.h5mu", "File to write.")
@in_place
@allow_missing_features
@read_from_disk
@computing_device
@quietly
@as_json
@ways_in()
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
        raise InputError(
            f"There are {len(sources)} inputs and one output.", f"output {output}", "Annotate each file by itself."
        )
    mdata = read_input(*sources, from_disk=from_disk, ways=ways)

    from omixvae.cli.screens import annotate as screen  # here, so that --help needs no torch
    from omixvae.model import load
    from omixvae.summary import summarise_results

    model = load(folder, device=read_config(None, {"device": device}).training.device)
    check_results(mdata, output, model.config.results.key_added, from_disk=from_disk)
    with friendly_warnings():
        model.annotate(mdata, allow_missing_features=allow_missing_features)
    copied = Path(sources[0]) if from_disk else None
    with written_whole(mdata, output, copied, model.config.results.key_added):
        pass
    summary = summarise_results(mdata, model.config.results.key_added) | {"output": str(output)}
    if as_json:
        click.echo(json.dumps(summary))
    elif not quiet:
        screen.show(summary)
