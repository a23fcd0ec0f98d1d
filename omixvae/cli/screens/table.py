"""A table on the terminal."""

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Column, Table

__all__ = ["table"]


def table(words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Make a table for the terminal.

    Parameters
    ----------
    words, numbers
        Names of the columns; those of numbers come last, and stand at the right.
    rows
        Text of each cell.

    Returns
    -------
    rich.table.Table
        To print.
    """
    made = Table(*map(escape, words), *(Column(escape(name), justify="right") for name in numbers))
    for row in rows:
        made.add_row(*map(escape, row))
    return made
