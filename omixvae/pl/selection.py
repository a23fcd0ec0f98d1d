"""Draw how well each setting of a selection describes observations that were held out."""

import numpy as np
from matplotlib.axes import Axes

from omixvae.evaluation import Selection, word
from omixvae.pl.canvas import finish, panel

__all__ = ["selection"]

NARROW_RANGE = 20.0
"""Ratio of the largest to the smallest value of an option from which its axis is logarithmic."""


def selection(found: Selection, *, ax: Axes | None = None, show: bool = False) -> Axes:
    """Draw the held-out log-likelihood against the first option of the grid.

    Parameters
    ----------
    found
        What `omixvae.select` found.
    ax
        Axes to draw into; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    matplotlib.axes.Axes
        One line for each combination of the other options; points without lines where the first option is not a
        number. Bars are one standard error of the difference from the best setting (a dotted line at its height); a
        ring marks the chosen setting.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> found = omixvae.select(
    ...     omixvae.simulate(n_obs=60), {"n_latent": [2, 5]}, n_folds=2, n_samples=4, max_epochs=2, progress=False
    ... )
    >>> selection(found, ax=Figure().subplots()).get_xlabel()
    'n_latent'
    """
    ax = panel(ax, (6.4, 4.2))
    first, *others = found.options
    values = list(found.table[first])
    numbers = all(_is_number(v) for v in values)
    names = list(dict.fromkeys(map(word, values)))
    x = np.array(values, float) if numbers else np.array([names.index(word(v)) for v in values], float)
    lines = [", ".join(f"{name}={word(row[name])}" for name in others) for _, row in found.table.iterrows()]
    for line in dict.fromkeys(lines):
        here = np.flatnonzero([name == line for name in lines])
        here = here[np.argsort(x[here], kind="stable")]
        rows, style = found.table.iloc[here], "o-" if numbers else "o"
        ax.errorbar(x[here], rows["log_likelihood"], rows["se"], fmt=style, capsize=3, label=line or None)
    chosen = found.table["chosen"].to_numpy()
    height = found.table["log_likelihood"].to_numpy()
    ax.plot(x[chosen], height[chosen], "o", markersize=14, fillstyle="none", color="black", label="chosen")
    ax.axhline(np.nanmax(height), linestyle=":", linewidth=1, color="grey", zorder=0)
    if numbers and x.min() > 0 and x.max() / x.min() > NARROW_RANGE:
        ax.set_xscale("log")
    ticks = np.unique(x)
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks] if numbers else names)
    ax.set_xticks([], minor=True)
    ax.set(xlabel=first, ylabel="held-out log-likelihood (nats per observation)")
    ax.legend()
    finish(show=show)
    return ax


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
