"""`omixvae impute`."""

from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import check_files, is_zarr, read_input, write_whole
from omixvae.cli.frame import Command, answer, friendly_warnings, on_rank_zero
from omixvae.errors import InputError
from omixvae.files import writing

__all__ = ["impute"]


@click.command(
    cls=Command,
    examples=[
        "omixvae impute new.h5mu --model cohort_model --modality protein -o protein.h5mu",
        "omixvae impute new.h5mu --model cohort_model --modality protein --given rna -o protein.zarr",
    ],
)
@options.source_file(nargs=-1, required=True)
@options.model_folder("Folder of a saved model.")
@click.option("--modality", required=True, metavar="NAME", help="Modality to predict.")
@click.option("--given", metavar="NAME,…", help="Modalities to look at [default: all]")
@options.output_file(
    "OUT.h5mu|OUT.zarr", "File to write. A zarr folder is written as predictions come, whatever their number."
)
@options.allow_missing_features
@options.read_from_disk
@options.computing_device
@options.quietly
@options.as_json
@options.ways_in(without=("modality",))
@on_rank_zero
def impute(
    sources: tuple[str, ...],
    folder: Path,
    modality: str,
    given: str | None,
    output: Path,
    *,
    allow_missing_features: bool,
    from_disk: bool,
    device: str,
    quiet: bool,
    as_json: bool,
    ways: dict[str, Any],
) -> None:
    """Predict a modality for every observation of IN.h5mu.

    OUT.h5mu holds the predicted modality: X is the mean, and the layer "sd" the standard deviation, in the units of the
    data. OUT.zarr holds the arrays mean and sd, and the names in its attributes. Measured values are predicted too.
    IN may also be h5ad, 10x or tables, with the options of `omixvae convert`.
    """
    check_files(sources, output, None, in_place=False, endings=(".h5mu", ".zarr"))
    from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
    mdata = read_input(*sources, from_disk=from_disk, ways=ways)

    from omixvae.model import load  # here, as all below, so that --help needs no torch
    from omixvae.results.annotate import LARGEST_IMPUTATION
    from omixvae.results.stream import prediction_as_mudata

    model = load(folder, device=options.read_config(None, {"device": device}).training.device)
    names = None if given is None else [name.strip() for name in given.split(",")]
    with friendly_warnings():
        data = model.read(mdata, allow_missing_features=allow_missing_features)
        if output.suffix == ".zarr":
            with writing(output):
                model.impute(data, modality, names, out=output)
        else:
            n_bytes = 8 * mdata.n_obs * len(model.schema.features.get(modality, ()))
            if n_bytes > LARGEST_IMPUTATION:
                raise InputError(
                    f"Predicted values of {modality!r} would take {n_bytes / 1e9:.1f} GB of memory.",
                    f"output {output}",
                    "End its name in .zarr: then they are written as they come.",
                )
            mean_and_sd: Any = model.impute(data, modality, names)  # two tables, as it is not asked to write them
            write_whole(prediction_as_mudata(modality, *mean_and_sd), output)
    summary = {"output": str(output), "modality": modality, "observations": int(mdata.n_obs)}
    answer(summary, [f"Wrote {output}: {modality} of {mdata.n_obs:,} observations."], as_json=as_json, quiet=quiet)
