"""`omixvae inspect`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli.files import is_zarr, read_input
from omixvae.cli.frame import Command, on_rank_zero
from omixvae.cli.options import (
    COLUMNS,
    FURTHER,
    as_json,
    config_file,
    config_options,
    read_config,
    read_from_disk,
    source_file,
    ways_in,
)

__all__ = ["inspect"]

BAD_INPUT = 2
"""Exit code where training would not start."""


@click.command(
    cls=Command,
    further=FURTHER,
    examples=["omixvae inspect cohort.h5mu", "omixvae inspect cells.h5mu --batch-key donor --json"],
)
@source_file(nargs=-1, required=True)
@config_file
@read_from_disk
@as_json
@config_options(COLUMNS)
@ways_in()
@on_rank_zero
def inspect(
    sources: tuple[str, ...],
    file: Path | None,
    *,
    from_disk: bool,
    as_json: bool,
    ways: dict[str, Any],
    **options: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Look IN.h5mu over: what it holds, what is missing, what is chosen, what is wrong.

    Ends with exit code 2 if training would not start. IN may also be h5ad, 10x or tables, with the options of `omixvae
    convert`.
    """
    config = read_config(file, options)
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
