"""Draw the latents as a map of the observations."""

import math
from collections.abc import Sequence
from typing import Literal

import mudata
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from omixvae.pl.canvas import AxesLike, finish, panels
from omixvae.pl.colours import CONTINUOUS, MISSING, Categories, Numbers, colour_by
from omixvae.pl.embedding import embedding
from omixvae.results.read import Results

__all__ = ["latent"]

LONGEST_NAME = 32
"""Characters of a label in a legend; of longer ones the middle is left out, since it is the ends that differ."""

ROWS_OF_LEGEND = 16

LEGENDS = Literal["auto", "on data", "right", "none"]


def latent(
    mdata: mudata.MuData,
    color: str | Sequence[str] | None = None,
    *,
    basis: str = "umap",
    key: str = "omixvae",
    legend: LEGENDS = "auto",
    size: float | None = None,
    columns: int = 3,
    ax: AxesLike | None = None,
    show: bool = False,
) -> Axes | np.ndarray:
    """Draw the shared latents in two dimensions, each observation as a point.

    Parameters
    ----------
    mdata
        After `omixvae.fit`.
    color
        What the points are coloured by: a column of obs (of the MuData or of a modality), ``"presence"`` (which
        modalities were measured), ``"cluster"``, ``"cluster_entropy"`` (how unsure the cluster is), or a feature such
        as ``"CD4"`` or ``"rna:CD4"`` (measured values, and predicted ones where there are such). A list makes a panel
        of each. The clusters when not given, or else the presence.
    basis
        ``"umap"`` (computed once, then kept in ``mdata.obsm["X_omixvae_umap"]`` until the latents change; principal
        components below 15 observations), ``"pca"``, or a key of obsm.
    key
        The option `key_added` of the training.
    legend
        Where labels are named: ``"on data"``, ``"right"``, ``"none"``, or ``"auto"``: on the data where names are short
        and stand apart.
    size
        Area of a point in square points (1/72 inch); by the number of observations when not given.
    columns
        Panels beside each other.
    ax
        Axes to draw into, one for each panel; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    matplotlib.axes.Axes, or numpy.ndarray of them
        One panel, or one for each colour of a list.

    Raises
    ------
    InputError
        If the MuData holds no results, or what is asked for is not there.

    Notes
    -----
    Grey points have no value and lie below the others, which are drawn in random order. Colours that scanpy has left in
    ``uns["COLUMN_colors"]`` are used. Scales of numbers end at the 1st and the 99th percentile.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> axes = latent(mdata, ["presence", "protein:protein01"], basis="pca", ax=Figure().subplots(1, 2))
    >>> [ax.get_title() for ax in axes]
    ['presence', 'protein:protein01']
    """
    found = Results(mdata, key)
    _ = found.record  # says it when there are no results
    default = found.cluster_column or "presence"
    asked = [default] if color is None else [color] if isinstance(color, str) else list(color)
    coloured = [colour_by(found, name) for name in asked]
    points, name = embedding(found, basis)
    columns = min(columns, len(asked))
    figure_size = (5.2 * columns, 3.8 * math.ceil(len(asked) / columns))
    axes = panels(ax, len(asked), figure_size, columns=columns)
    area = size or float(np.clip(40_000 / len(points), 3, 50))
    for panel, values in zip(axes, coloured, strict=True):
        _draw(panel, points, values, area, legend)
        panel.set(title=values.title, xlabel=f"{name} 1", ylabel=f"{name} 2", xticks=[], yticks=[])
        panel.xaxis.label.set_size("small")
        panel.yaxis.label.set_size("small")
        panel.spines[["top", "right"]].set_visible(False)
    finish(show=show)
    return axes[0] if color is None or isinstance(color, str) else axes


def _draw(ax: Axes, points: np.ndarray, values: Categories | Numbers, area: float, legend: LEGENDS) -> None:
    known = values.codes >= 0 if isinstance(values, Categories) else ~np.isnan(values.values)
    _scatter(ax, points[~known], MISSING, area)
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))  # else the last label hides the others
    if isinstance(values, Categories):
        _scatter(ax, points[order], to_rgba_array(values.colours)[values.codes[order]], area)
        _name(ax, points, values, legend, unknown=not known.all())
        return
    shown = values.values[order]
    low, high = _limits(shown)
    colours = ScalarMappable(Normalize(low, high), CONTINUOUS)
    _scatter(ax, points[order], colours.to_rgba(shown), area)
    if len(order):
        beyond = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        extend = beyond[bool(shown.min() < low), bool(shown.max() > high)]
        scale = ax.inset_axes((1.03, 0.1, 0.035, 0.8))  # beside the panel, however wide the legends of others are
        ax.figure.colorbar(colours, cax=scale, label=values.unit, extend=extend)


def _scatter(ax: Axes, points: np.ndarray, colours: np.ndarray | str, area: float) -> None:
    ax.scatter(points[:, 0], points[:, 1], s=area, c=colours, linewidths=0, rasterized=True)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the scale: outliers must not take it all, yet a gene of few cells must be seen in them."""
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99]) if len(values) >= 100 else (values.min(), values.max())
    return (float(low), float(high)) if high > low else (float(values.min()), float(values.max()))


def _name(ax: Axes, points: np.ndarray, values: Categories, legend: LEGENDS, *, unknown: bool) -> None:
    if legend == "none":
        return
    centres = np.array([np.median(points[values.codes == i], axis=0) for i in range(len(values.names))])
    if legend == "on data" or (legend == "auto" and _fits(points, centres, values.names)):
        outline = [withStroke(linewidth=2.5, foreground="white")]
        for (x, y), name in zip(centres, values.names, strict=True):
            ax.text(x, y, name, ha="center", va="center", weight="bold", path_effects=outline)
        return
    pairs = [*zip(values.names, values.colours, strict=True), *([("no value", MISSING)] if unknown else [])]
    handles = [Line2D([], [], marker="o", linestyle="", color=colour, label=_short(name)) for name, colour in pairs]
    ax.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize="small" if len(pairs) <= 2 * ROWS_OF_LEGEND else "x-small",
        ncols=math.ceil(len(pairs) / ROWS_OF_LEGEND),
        handletextpad=0.2,
        columnspacing=1,
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[1 - LONGEST_NAME // 2 :]}"


def _fits(points: np.ndarray, centres: np.ndarray, names: Sequence[str]) -> bool:
    """Return whether short names at these places would stand clear of one another, in a panel of the usual size."""
    if not names or max(map(len, names)) > 3:
        return False
    span = np.ptp(points, axis=0)
    apart = np.abs(centres[:, None] - centres[None]) / np.where(span > 0, span, 1)
    width, height = 0.025 * max(map(len, names)) + 0.01, 0.05
    clear = (apart[..., 0] > width) | (apart[..., 1] > height)
    return bool(clear[~np.eye(len(names), dtype=bool)].all())
