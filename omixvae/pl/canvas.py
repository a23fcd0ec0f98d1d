"""Axes to draw into: those that the caller gives, or new ones of Matplotlib's pyplot."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes

from omixvae.errors import InputError

__all__ = ["AxesLike", "finish", "panel", "panels", "write_cells"]

AxesLike: TypeAlias = Axes | Sequence[Axes] | np.ndarray


def panel(ax: AxesLike | None, size: tuple[float, float]) -> Axes:
    """Return the axes of a figure that has one panel.

    Parameters
    ----------
    ax
        What the caller gave.
    size
        Width and height in inches of the figure that is made when nothing was given.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`, or new ones.
    """
    return panels(ax, 1, size)[0]


def panels(
    ax: AxesLike | None,
    number: int,
    size: tuple[float, float],
    *,
    columns: int | None = None,
    widths: Sequence[float] | None = None,
) -> np.ndarray:
    """Return the axes of a figure that has several panels.

    Parameters
    ----------
    ax
        What the caller gave: as many axes as there are panels, in any shape.
    number
        Panels.
    size
        Width and height in inches of the figure that is made when nothing was given.
    columns
        Panels that stand beside each other; all when not given.
    widths
        Relative widths of the columns.

    Returns
    -------
    numpy.ndarray
        Shape (number,), of Axes.

    Raises
    ------
    InputError
        If there are not as many axes as panels.
    """
    if ax is not None:
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != number:
            raise InputError(
                f"The plot needs {number} axes, and {len(given)} were given.",
                "the argument ax",
                f"Give as many, such as plt.subplots(1, {number})[1], or none.",
            )
        return given
    from matplotlib import pyplot as plt  # only here: it needs a second, and looks for a screen

    columns = columns or number
    rows = -(-number // columns)
    figure = plt.figure(figsize=size, layout="constrained")
    made = figure.subplots(rows, columns, squeeze=False, width_ratios=widths).ravel()
    for unused in made[number:]:
        unused.remove()
    return made[:number]


def write_cells(ax: Axes, texts: Sequence[Sequence[str]], dark: np.ndarray, size: str = "small") -> None:
    """Write into the cells of an image.

    Parameters
    ----------
    ax
        The axes that the image is in.
    texts
        Of each row, of each column.
    dark
        Shape (rows, columns), true where a cell is so dark that the text has to be white.
    size
        Of the letters.
    """
    for row, of_row in enumerate(texts):
        for column, text in enumerate(of_row):
            if text:
                colour = "w" if dark[row, column] else "k"
                ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def finish(*, show: bool) -> None:
    """Show all open figures, if asked for.

    Parameters
    ----------
    show
        Whether to.
    """
    if show:
        from matplotlib import pyplot as plt  # only here, as above

        plt.show()
