"""Draw which combinations of modalities were measured."""

import mudata
import numpy as np

from omixvae.pl.canvas import AxesLike, finish, panels
from omixvae.pl.colours import PALETTE
from omixvae.pl.sets import draw_sets
from omixvae.results.read import Results

__all__ = ["presence"]


def presence(
    mdata: mudata.MuData, *, key: str = "omixvae", most: int = 15, ax: AxesLike | None = None, show: bool = False
) -> np.ndarray:
    """Draw which combinations of modalities occur, and how often.

    Parameters
    ----------
    mdata
        Before or after `omixvae.fit`.
    key
        The option `key_added` of the training, if there was one: its modalities are shown, else all.
    most
        Combinations to show, the most frequent ones.
    ax
        Two axes to draw into; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    numpy.ndarray
        Two axes: each combination as a row of dots, and a bar for its number of observations.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> axes = presence(omixvae.simulate(n_obs=60), ax=Figure().subplots(1, 2))
    >>> [int(bar.get_width()) for bar in axes[1].patches]
    [45, 15]
    """
    present = Results(mdata, key).presence
    counts = present.value_counts()
    shown = counts.iloc[:most]
    members = np.array([list(row) for row in shown.index], dtype=bool)
    size = (4.2 + 0.35 * present.shape[1], 1.1 + 0.3 * len(shown))
    dots, bars = axes = panels(ax, 2, size, widths=(0.35 * present.shape[1] + 0.4, 3))
    draw_sets(dots, members, list(present))
    drawn = bars.barh(range(len(shown)), shown.to_numpy(), color=PALETTE[0], height=0.7)
    bars.bar_label(drawn, [f"{n:,}" for n in shown], padding=3, fontsize="small")
    bars.set(ylim=dots.get_ylim(), yticks=[])
    bars.margins(x=0.15)
    left_out = f"; {len(counts) - len(shown)} rarer combinations are not shown" if len(counts) > len(shown) else ""
    bars.set_xlabel(f"observations (of {len(present):,}{left_out})", fontsize="small")
    bars.spines[["top", "right"]].set_visible(False)
    finish(show=show)
    return axes
