"""Execute the tutorials: `python tutorials/execute.py` stores what they show, `--short` only sees that they run.

A cell with the tag `parameters` says how much is computed (cells, epochs); its metadata `short` holds what `--short`
puts in its place.
"""

import sys
import tempfile
from pathlib import Path

import click
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def shorten(notebook: nbformat.NotebookNode) -> None:
    """Put the short parameters in the place of the full ones."""
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = cell.metadata["short"]


def execute(path: Path, *, short: bool) -> None:
    """Execute a notebook in a folder of its own; keep its outputs unless it is a short run."""
    notebook = nbformat.read(path, as_version=4)
    if short:
        shorten(notebook)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": folder}}, record_timing=False
        ).execute()
    if not short:
        nbformat.write(notebook, path)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--short", is_flag=True, help="With small parameters, and without storing the outputs.")
def main(names: tuple[str, ...], *, short: bool) -> None:
    """Execute the tutorials NAMES (all, if none is named)."""
    for name in names or NAMES:
        click.echo(name)
        try:
            execute(FOLDER / f"{name}.ipynb", short=short)
        except CellExecutionError as error:
            sys.exit(f"{name}.ipynb: {error}")


if __name__ == "__main__":
    main()
