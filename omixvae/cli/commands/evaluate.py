"""`omixvae evaluate`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import is_zarr, read_input
from omixvae.cli.frame import Command, friendly_warnings, on_rank_zero

__all__ = ["evaluate"]


@click.command(
    cls=Command,
    examples=[
        "omixvae evaluate new.h5mu --model cohort_model",
        "omixvae evaluate new.h5mu --model cohort_model --labels-key stage --json",
        "omixvae evaluate cohort.h5mu --model cohort_model --held-out    # what it was trained on",
    ],
)
@options.source_file(nargs=-1, required=True)
@options.model_folder("Folder of a saved model.")
@click.option("--labels-key", metavar="COLUMN", help="Column of obs to compare the clusters with.")
@click.option("--held-out", is_flag=True, help="IN is what was trained on, unchanged: take what was held out of it.")
@click.option("--n-samples", type=click.IntRange(min=1), metavar="N", help="Of each log-likelihood [default: 128].")
@click.option("--most", type=click.IntRange(min=1), metavar="N", help="Observations to judge by [default: 1000].")
@options.allow_missing_features
@options.read_from_disk
@options.computing_device
@options.as_json
@options.ways_in()
@on_rank_zero
def evaluate(
    sources: tuple[str, ...],
    folder: Path,
    labels_key: str | None,
    n_samples: int | None,
    most: int | None,
    *,
    held_out: bool,
    allow_missing_features: bool,
    from_disk: bool,
    device: str,
    as_json: bool,
    ways: dict[str, Any],
) -> None:
    """Judge a trained model by observations that it was not trained on.

    How probable they are under the model, what each modality tells, and how well modalities are predicted from one
    another: better than by the mean, and with limits that hold what they say? IN may also be h5ad, 10x or tables, with
    the options of `omixvae convert`.
    """
    from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
    mdata = read_input(*sources, from_disk=from_disk, ways=ways)

    from omixvae import evaluation  # here, as all below, so that --help needs no torch
    from omixvae.cli.screens import evaluate as screen
    from omixvae.model import load

    model = load(folder, device=options.read_config(None, {"device": device}).training.device)
    with friendly_warnings():
        found = evaluation.evaluate(
            model,
            mdata,
            labels_key=labels_key,
            held_out=held_out,
            n_samples=n_samples or evaluation.SAMPLES,
            most=most or evaluation.MOST_EVALUATED,
            allow_missing_features=allow_missing_features,
        )
    summary = screen.summarise(found, held_out=held_out)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        screen.show(" ".join(sources), summary)
