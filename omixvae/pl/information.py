"""Draw what each set of modalities tells about the latents."""

import mudata
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from omixvae.pl.canvas import AxesLike, finish, panels, write_cells
from omixvae.pl.colours import PALETTE
from omixvae.pl.sets import draw_sets
from omixvae.results.read import Results

__all__ = ["information"]


def information(
    mdata: mudata.MuData, *, key: str = "omixvae", ax: AxesLike | None = None, show: bool = False
) -> np.ndarray:
    """Draw how much each set of modalities tells, and what each further modality would add.

    Parameters
    ----------
    mdata
        After `omixvae.fit`.
    key
        The option `key_added` of the training.
    ax
        Two axes to draw into; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    numpy.ndarray
        Two axes with a row for each set: dark dots for its modalities, and in the columns of the others what they
        would add to it; then a bar for what it tells about the shared latents. All in nats per observation, averaged
        over those that have what it takes.

    Raises
    ------
    InputError
        If the MuData holds no results.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> axes = information(mdata, ax=Figure().subplots(1, 2))
    >>> len(axes[1].patches)
    3
    """
    found = Results(mdata, key)
    table = found.information
    trained = [c.removeprefix("adds_") for c in table if c.startswith("adds_")]
    # A file gives the columns back in alphabetical order; labels that were trained on are no modality of the MuData.
    modalities = [*found.modalities, *sorted(set(trained) - set(found.modalities))]
    members = np.array([[name in given.split("+") for name in modalities] for given in table.index])
    table, members = _in_order(table, members)
    size = (5.2 + 0.55 * len(modalities), 1.4 + 0.3 * len(table))
    dots, bars = axes = panels(ax, 2, size, widths=(0.55 * len(modalities) + 0.4, 3.4))
    _draw_added(dots, table[[f"adds_{name}" for name in modalities]].to_numpy(), members)
    draw_sets(dots, members, modalities, show_absent=False)
    drawn = bars.barh(range(len(table)), table["rate"].fillna(0), color=PALETTE[0], height=0.7)
    bars.bar_label(drawn, [_label(row) for row in table.itertuples()], padding=3, fontsize="small")
    bars.set(ylim=dots.get_ylim(), yticks=[])
    bars.margins(x=0.3)
    bars.set_xlabel("information about the shared latents (nats)", fontsize="small")
    bars.spines[["top", "right"]].set_visible(False)
    dots.set_xlabel("dot: measured\nnumber: would add (nats)", fontsize="small")
    finish(show=show)
    return axes


def _in_order(table: pd.DataFrame, members: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Small sets first, and among those of one size the ones that tell most."""
    order = np.lexsort((-table["rate"].fillna(-np.inf), members.sum(axis=1)))
    return table.iloc[order], members[order]


def _draw_added(ax: Axes, added: np.ndarray, members: np.ndarray) -> None:
    added = np.where(members, np.nan, added)
    most = np.nanmax(added) if np.isfinite(added).any() else 1.0
    ax.imshow(np.ma.masked_invalid(added), cmap="Blues", vmin=0, vmax=1.4 * most, aspect="auto", zorder=1)
    texts = [[f"{value:.1f}" if np.isfinite(value) else "" for value in row] for row in added]
    write_cells(ax, texts, added > 0.75 * most)


def _label(row: pd.Series) -> str:
    return f"{row.rate:.1f}  (n = {int(row.n):,})" if row.n else "measured together nowhere"
