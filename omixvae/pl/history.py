"""Draw how the training went."""

import mudata
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from omixvae.model import OmixVAE
from omixvae.pl.canvas import AxesLike, finish, panels
from omixvae.pl.colours import PALETTE
from omixvae.results.read import Results

__all__ = ["history"]

BLUE, ORANGE, GREEN = PALETTE[:3]


def history(
    mdata_or_model: mudata.MuData | OmixVAE, *, key: str = "omixvae", ax: AxesLike | None = None, show: bool = False
) -> np.ndarray:
    """Draw the bound over the epochs, and what it is made of.

    Parameters
    ----------
    mdata_or_model
        A MuData after `omixvae.fit`, or a model.
    key
        The option `key_added` of the training.
    ax
        Two axes to draw into; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    numpy.ndarray
        Two axes. The left one shows the bound of the observations trained on and of those held out, and the
        reconstruction, which lies above the bound by what the latents cost; the dot is the epoch whose weights were
        kept, the dashed line where the mixture prior begins. The right one shows that cost: the rate and the cross
        rate.

    Raises
    ------
    InputError
        If the MuData holds no results.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> model = omixvae.OmixVAE(max_epochs=3, progress=False).fit(omixvae.simulate(n_obs=60))
    >>> [ax.get_ylabel() for ax in history(model, ax=Figure().subplots(1, 2))]
    ['nats per observation', 'nats per observation']
    """
    epochs, prior_epoch = _read(mdata_or_model, key)
    left, right = axes = panels(ax, 2, (9.2, 4.3))
    done = epochs.index.to_numpy() + 1
    left.plot(done, epochs["reconstruction"], color=BLUE, linestyle=":", label="reconstruction, trained on")
    left.plot(done, epochs["bound"], color=BLUE, label="bound, trained on")
    if epochs["held_out_bound"].notna().any():
        left.plot(done, epochs["held_out_bound"], color=ORANGE, label="bound, held out")
    kept = _kept(epochs, prior_epoch)
    if kept is not None:
        height = epochs["held_out_bound"].iloc[kept]
        left.plot(kept + 1, height, "o", color=ORANGE, label=f"kept: epoch {kept + 1}")
    right.plot(done, epochs["rate"], color=GREEN, label="rate")
    right.plot(done, epochs["cross_rate"], color=PALETTE[4], label="cross rate")
    _limit(left, epochs[["bound", "held_out_bound", "reconstruction"]])
    _limit(right, epochs[["rate", "cross_rate"]])
    left.set_title("bound")
    right.set_title("what the latents cost")
    for panel in axes:
        if 0 < prior_epoch < len(epochs):
            panel.axvline(prior_epoch + 0.5, color="0.5", linestyle="--", linewidth=1, label="mixture prior begins")
        panel.set(xlabel="epoch", ylabel="nats per observation")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize="small", frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    finish(show=show)
    return axes


def _read(mdata_or_model: mudata.MuData | OmixVAE, key: str) -> tuple[pd.DataFrame, int]:
    if isinstance(mdata_or_model, mudata.MuData):
        found = Results(mdata_or_model, key)
        return found.history, found.record.plan.prior_epoch
    rows = mdata_or_model.history
    return pd.DataFrame(list(rows)).set_index("epoch"), mdata_or_model.plan.prior_epoch


def _kept(epochs: pd.DataFrame, prior_epoch: int) -> int | None:
    """Epoch, from 0, with the best held-out bound under the prior of the model; None if none was held out."""
    judged = epochs["held_out_bound"].iloc[prior_epoch:].dropna()
    return int(judged.idxmax()) if len(judged) else None


def _limit(ax: Axes, values: pd.DataFrame) -> None:
    """Let the first tenth of the epochs leave the frame, where they would press all others flat."""
    settled = values.iloc[len(values) // 10 :].to_numpy()
    settled = settled[np.isfinite(settled)]
    if len(settled) and np.ptp(settled) > 0:
        margin = 0.06 * np.ptp(settled)
        ax.set_ylim(settled.min() - margin, settled.max() + margin)
