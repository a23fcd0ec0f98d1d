"""Draw how much of each modality the latents explain."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from omixvae.pl.canvas import panel

__all__ = ["variance_explained"]


def variance_explained(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much of each modality each latent explains.

    Parameters
    ----------
    table
        What `OmixVAE.variance_explained` gave.
    ax
        Matplotlib axes to draw into; new ones are made when not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each shared latent, by what they explain; a column for each modality, under whose name stands what its
        shared and its private latents explain together.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, n_latent=2, n_private=1, max_epochs=2, progress=False)
    >>> ax = variance_explained(model.variance_explained(mdata), Figure().subplots())
    >>> len(ax.get_yticklabels())
    2
    """
    ax = panel(ax, (2 + 1.4 * len(table.columns), 1.2 + 0.15 * len(table)))
    shared = table[table.index.str.match(r"shared \d")]
    shared = shared.iloc[np.argsort(-shared.sum(axis=1).to_numpy(), kind="stable")]
    image = ax.imshow(100 * shared.clip(lower=0), cmap="Blues", aspect="auto", vmin=0)
    together = table.loc[["shared", "private"]].fillna(0.0)
    names = [f"{name}\nshared {of['shared']:.0%}\nprivate {of['private']:.0%}" for name, of in together.items()]
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(shared)), list(shared.index))
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, label="variance explained (%)")
    return ax
