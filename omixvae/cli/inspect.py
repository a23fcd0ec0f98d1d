"""`omixvae inspect`."""

import json
from pathlib import Path
from typing import Any

import click

from omixvae.cli.files import is_zarr, read_input
from omixvae.cli.group import Command, in_first_process
from omixvae.cli.options import (
    COLUMNS,
    FURTHER,
    as_json,
    config_file,
    config_options,
    read_config,
    read_from_disk,
    source_file,
)

__all__ = ["inspect"]


@click.command(
    cls=Command,
    further=FURTHER,
    examples=["omixvae inspect cohort.h5mu", "omixvae inspect cells.h5mu --batch-key donor --json"],
)
@source_file()
@config_file
@read_from_disk
@as_json
@config_options(COLUMNS)
@in_first_process
def inspect(
    source: str,
    file: Path | None,
    *,
    from_disk: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Show what IN.h5mu holds, what is missing, and what training would choose, and why."""
    config = read_config(file, options)
    mdata = read_input(source, from_disk=from_disk or is_zarr(Path(source)))

    from omixvae.cli import screens  # here, so that --help needs no torch
    from omixvae.data import from_mudata
    from omixvae.plan import make_plan

    data = from_mudata(mdata, config.data)
    plan = make_plan(config, data)
    report = screens.describe(data, plan)
    if as_json:
        click.echo(json.dumps(report))
    else:
        screens.print_description(source, report)
