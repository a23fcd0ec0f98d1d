"""`omixvae train`."""

import shlex
from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import EXAMPLE, check_files, check_results, is_zarr, read_input, write_whole
from omixvae.cli.frame import Command, answer, friendly_warnings
from omixvae.cli.resume import checkpoint_folder, keeping_model, read_resumed_config, resume_folder, saying_how_to_go_on
from omixvae.errors import InputError
from omixvae.files import check_no_model
from omixvae.processes import join_processes

__all__ = ["train"]

TRUTH = "cluster"
"""Column of the simulated example that holds the true clusters."""


@click.command(
    cls=Command,
    further=options.FURTHER,
    examples=[
        "omixvae train cohort.h5mu -o cohort_omixvae.h5mu --model cohort_model",
        "omixvae train cells.h5mu -o out.h5mu --batch-key donor --likelihoods rna=negative_binomial",
        "omixvae train example:cite -o out.h5mu    # a simulated CITE-seq set",
    ],
)
@options.source_file(nargs=-1, required=True)
@options.output_file("OUT.h5mu", "File to write, with the results.", required=False)
@options.model_folder("Folder to save the model in.", required=False)
@options.overwriting
@resume_folder
@options.config_file
@options.in_place
@options.read_from_disk
@options.quietly
@options.as_json
@options.config_options(options.COMMON)
@options.ways_in()
def train(
    sources: tuple[str, ...],
    output: Path | None,
    folder: Path | None,
    resume: Path | None,
    file: Path | None,
    *,
    overwrite: bool,
    in_place: bool,
    from_disk: bool,
    quiet: bool,
    as_json: bool,
    ways: dict[str, Any],
    **given: Any,  # noqa: ANN401 (one for each field of Config, checked there)
) -> None:
    """Train on IN.h5mu and write it, with the results, to OUT.h5mu.

    What is not given is decided from the data; `omixvae inspect` shows how, and why. With --from-disk, IN may be
    several files with the same features; a zarr folder is always read so. IN may also be h5ad, 10x or tables, with the
    options of `omixvae convert`.
    """
    processes = join_processes()
    with processes.together():
        given |= {"progress": False} if quiet or as_json else {}
        config = options.read_config(file, given) if resume is None else read_resumed_config(resume, file, given)
        from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
        _check_several(sources, output, folder, from_disk=from_disk)
        check_files(sources, output, folder, in_place=in_place)
        if folder is not None and not overwrite:
            check_no_model(folder, f"add --overwrite; `omixvae annotate --model {shlex.quote(str(folder))}` applies it")
        checkpoint = checkpoint_folder(output, folder, resume)
        mdata = read_input(*sources, from_disk=from_disk, ways=ways)
        if output is not None:
            check_results(mdata, output, config.results.key_added, from_disk=from_disk)

        from omixvae.cli.screens import train as screen  # here, as all below, so that --help needs no torch
        from omixvae.model import OmixVAE

        model = OmixVAE(**config.to_options())  # type: ignore[arg-type]  # options only, no modules
        data = model.read(mdata)
    with friendly_warnings(), saying_how_to_go_on(sources):
        model.fit(data, checkpoint)
    with processes.together():
        if not processes.first:
            return
        if output is None:
            assert folder is not None, "checked above"
            model.save(folder, overwrite=True)  # found out before the training, as all that is wrong
        else:
            # The model first: hours of training are not to be lost with what comes after them.
            with keeping_model(model, folder or checkpoint, sources, only_now=folder is None), friendly_warnings():
                model.annotate(mdata, data=data)
                write_whole(mdata, output, Path(sources[0]) if from_disk else None, config.results.key_added)
        truth = TRUTH if sources == (EXAMPLE,) and output is not None else None
        summary = screen.summarise(model, mdata, output, truth=truth)
        answer(summary, screen.lines(summary), as_json=as_json, quiet=quiet)


def _check_several(sources: tuple[str, ...], output: Path | None, folder: Path | None, *, from_disk: bool) -> None:
    """Find what cannot be done with so many inputs and outputs."""
    if from_disk and EXAMPLE in sources:
        problem = f"{EXAMPLE!r} is made in memory and lies in no file."
        raise InputError(problem, "option --from-disk", "Leave the option out.")
    if len(sources) == 1 or not from_disk:
        if output is None and folder is None:
            context = click.get_current_context()
            parameter = next(p for p in context.command.params if p.name == "output")
            raise click.MissingParameter(ctx=context, param=parameter)
        return
    if output is not None:
        raise InputError(
            f"There are {len(sources)} inputs and one output.",
            f"output {output}",
            "Give --model DIR instead, then run `omixvae annotate` with it for each file.",
        )
    if folder is None:
        raise InputError("Nothing would be kept of the training.", "option --model", "Add --model DIR.")
