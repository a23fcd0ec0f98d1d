"""Sets of modalities: what to call them, and a picture of which modalities each consists of."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

__all__ = ["draw_sets", "set_name"]

MEMBER, ABSENT = "0.15", "0.88"


def set_name(members: np.ndarray, modalities: Sequence[str]) -> str:
    """Return a short name of a set of modalities.

    Parameters
    ----------
    members
        Shape (m,), of bool: which belong to it.
    modalities
        The names of all.

    Returns
    -------
    str
        Says what is lacking where that is shorter than what is there.

    Examples
    --------
    >>> names = ["rna", "atac", "protein", "mirna"]
    >>> set_name(np.array([True, True, False, False]), names), set_name(np.array([True, True, True, False]), names)
    ('rna+atac', 'all but mirna')
    """
    inside = [name for name, member in zip(modalities, members, strict=True) if member]
    outside = [name for name, member in zip(modalities, members, strict=True) if not member]
    if not inside:
        return "nothing"
    if not outside and len(inside) > 2:
        return "all"
    if len(outside) == 1 and len(inside) > 2:
        return f"all but {outside[0]}"
    return "+".join(inside)


def draw_sets(ax: Axes, members: np.ndarray, modalities: Sequence[str], *, show_absent: bool = True) -> None:
    """Draw sets of modalities as rows of dots, the first on top.

    Parameters
    ----------
    ax
        Its y axis counts the sets.
    members
        Shape (sets, m), of bool.
    modalities
        Names of the columns.
    show_absent
        Whether modalities that do not belong to a set have a pale dot.
    """
    for inside, colour in ((False, ABSENT), (True, MEMBER)):
        if inside or show_absent:
            rows, columns = np.nonzero(members == inside)
            ax.scatter(columns, rows, s=42, c=colour, linewidths=0, zorder=3)
    for row, inside in enumerate(members):
        if inside.any() and show_absent:
            ends = np.flatnonzero(inside)[[0, -1]]
            ax.plot(ends, [row, row], color=MEMBER, linewidth=1.6, zorder=2)
    long = max(map(len, modalities)) > 4
    ax.set_xticks(range(len(modalities)), modalities, rotation=45 if long else 0, ha="left" if long else "center")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set(xlim=(-0.6, len(modalities) - 0.4), ylim=(len(members) - 0.4, -0.6), yticks=[])
    ax.spines[:].set_visible(False)
