"""What all benchmarks share: where the data lie, and how tables are shown and kept."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.machine import commit, machine, versions

data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=lambda: os.environ.get("OMIXVAE_TEST_DATA"),
    required=True,
    help="Folder with the h5mu files [default: the variable OMIXVAE_TEST_DATA]",
)

output_option = click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file to write.")


def show(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows that share their keys as a table, without what is a list or a dict."""
    columns = [name for name in rows[0] if not any(isinstance(row[name], (list, dict)) for row in rows)]
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    Console(width=160).print(table)


def report(tables: Mapping[str, Sequence[Mapping[str, object]]], output: Path | None) -> None:
    """Print tables, and write them as JSON if a file is given.

    Parameters
    ----------
    tables
        Title to rows, as `show` takes them.
    output
        The file. It also says on which machine, with which versions, at which commit and with which options of the
        running command the figures were found.
    """
    for title, rows in tables.items():
        show(title, rows)
    if output is not None:
        settings = click.get_current_context().params
        kept = {
            "machine": machine(settings.get("threads")),
            "versions": versions(),
            "commit": commit(),
            "settings": settings,
            "tables": tables,
        }
        output.write_text(json.dumps(kept, indent=1, default=str))


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)
