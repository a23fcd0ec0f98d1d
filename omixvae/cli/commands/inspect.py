"""`omixvae inspect`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import is_zarr, read_input
from omixvae.cli.frame import Command, on_rank_zero

__all__ = ["inspect"]

BAD_INPUT = 2
"""Exit code where training would not start."""


@click.command(
    cls=Command,
    further=options.FURTHER,
    examples=["omixvae inspect cohort.h5mu", "omixvae inspect cells.h5mu --batch-key donor --json"],
)
@options.source_file(nargs=-1, required=True)
@options.config_file
@options.read_from_disk
@options.as_json
@options.config_options(options.COLUMNS)
@options.ways_in()
@on_rank_zero
def inspect(
    sources: tuple[str, ...],
    file: Path | None,
    *,
    from_disk: bool,
    as_json: bool,
    ways: dict[str, Any],
    **given: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Look IN.h5mu over: what it holds, what is missing, what is chosen, what is wrong.

    Ends with exit code 2 if training would not start. IN may also be h5ad, 10x or tables, with the options of `omixvae
    convert`.
    """
    config = options.read_config(file, given)
    from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
    mdata = read_input(*sources, from_disk=from_disk, ways=ways)

    from omixvae.inspection import look_over, print_inspection  # here, so that --help needs no torch

    found = look_over(mdata, config)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        print_inspection(found, " ".join(sources))
    if found.problems:
        click.get_current_context().exit(BAD_INPUT)
