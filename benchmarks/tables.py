"""What all benchmarks share: where the data lie, and how a table is shown and kept."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=lambda: os.environ.get("OMIXVAE_TEST_DATA"),
    required=True,
    help="Folder with the h5mu files [default: the variable OMIXVAE_TEST_DATA]",
)


def show(title: str, rows: Sequence[dict[str, object]], output: Path | None) -> None:
    """Print rows that share their keys as a table, and write them as JSON if a file is given."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=140).print(table)
    if output is not None:
        output.write_text(json.dumps(rows, indent=1))
