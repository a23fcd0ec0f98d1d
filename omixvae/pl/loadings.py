"""Draw which features each latent dimension moves."""

from collections.abc import Sequence

import mudata
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from omixvae.errors import InputError, nearest
from omixvae.pl.canvas import finish, panel, write_cells
from omixvae.pl.colours import DIVERGING
from omixvae.results.read import Results

__all__ = ["loadings"]

MOST_SHARED, MOST_PRIVATE = 6, 2
"""Dimensions shown when none are asked for: those with the largest weights."""

LONGEST_NAME = 18


def loadings(
    mdata: mudata.MuData,
    mod: str,
    dims: Sequence[int | str] | None = None,
    n_features: int = 10,
    *,
    key: str = "omixvae",
    ax: Axes | None = None,
    show: bool = False,
) -> Axes:
    """Draw the features with the largest weights of each latent dimension.

    Parameters
    ----------
    mdata
        After `omixvae.fit` with a linear decoder (`auto` takes it for cohorts).
    mod
        The modality.
    dims
        Dimensions such as ``"shared 0"`` or ``"private 1"``; a number is that of a shared one. When not given the six
        shared and the two private ones whose weights in this modality are largest.
    n_features
        Features of each dimension, those with the largest weights, whatever their sign.
    key
        The option `key_added` of the training.
    ax
        Axes to draw into; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    matplotlib.axes.Axes
        A column for each dimension; in it the names of its features, from the most positive weight to the most negative
        one, on the colour of the weight. The sign of a dimension has no meaning of its own, only that of features
        relative to one another.

    Raises
    ------
    InputError
        If the decoder was not linear, or there is no such modality or dimension.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, n_latent=2, n_private=1, decoder="linear", max_epochs=2, progress=False)
    >>> ax = loadings(mdata, "protein", ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['shared 0', 'shared 1', 'private 0']
    """
    weights = Results(mdata, key).loadings(mod)
    weights = weights[_largest(weights) if dims is None else _asked(weights, dims)]
    n_features = min(n_features, len(weights))
    values, names = _top(weights, n_features)
    longest = min(LONGEST_NAME, max(map(len, names.ravel())))
    ax = panel(ax, (1.6 + weights.shape[1] * max(0.8, 0.25 + 0.075 * longest), 1.1 + 0.24 * n_features))
    most = np.abs(values).max() or 1.0
    image = ax.imshow(values, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto")
    write_cells(ax, [[_short(str(name)) for name in row] for row in names], np.abs(values) > 0.65 * most, "x-small")
    ax.set_xticks(range(weights.shape[1]), weights.columns, fontsize="small")
    ax.xaxis.tick_top()
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(0.5, weights.shape[1] - 1), minor=True)
    ax.grid(which="minor", axis="x", color="white", linewidth=3)
    ax.tick_params(which="minor", length=0)
    ax.set_title(f"features of {mod} with the largest weights", fontsize="medium")
    ax.figure.colorbar(image, ax=ax, label="weight")
    finish(show=show)
    return ax


def _largest(weights: pd.DataFrame) -> list[str]:
    size = np.square(weights).sum().sort_values(ascending=False, kind="stable")
    shared = size.index.str.startswith("shared")
    chosen = {*size.index[shared][:MOST_SHARED], *size.index[~shared][:MOST_PRIVATE]}
    return [name for name in weights if name in chosen]


def _asked(weights: pd.DataFrame, dims: Sequence[int | str]) -> list[str]:
    names = [dim if isinstance(dim, str) else f"shared {dim}" for dim in dims]
    for name in names:
        if name not in weights:
            raise InputError(f"There is no dimension {name!r}.", "the argument dims", nearest(name, weights.columns))
    return names


def _top(weights: pd.DataFrame, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values and names of the largest weights of each column, the most positive first: each (features, dims)."""
    values = weights.to_numpy(float)
    largest = np.argsort(-np.abs(values), axis=0, kind="stable")[:n_features]
    falling = np.argsort(-np.take_along_axis(values, largest, axis=0), axis=0, kind="stable")
    rows = np.take_along_axis(largest, falling, axis=0)
    return np.take_along_axis(values, rows, axis=0), weights.index.to_numpy(str)[rows]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
