"""Draw how far imputed values can be trusted."""

from collections.abc import Sequence
from typing import Literal

import mudata
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from omixvae.data.symbols import feature_positions
from omixvae.evaluation import NOMINAL, covered
from omixvae.model import OmixVAE
from omixvae.options import as_names
from omixvae.pl.canvas import AxesLike, finish, panels
from omixvae.pl.colours import PALETTE
from omixvae.results.read import Results

__all__ = ["imputation"]

MOST_BARS = 40
"""Up to so many features each has a bar with its name; more are a curve."""

NAMED = 12
"""Of the best features of a curve so many are named, if they have room above it."""

NAMES_AT, LINE = 0.28, 0.05
"""Where the names begin and how far apart they are, in parts of the panel."""

LOWEST = -0.5
"""Below this R² says only that the feature is worse than its mean by much; bars and curve leave the frame."""

BLUE, GREY = PALETTE[0], "0.72"


def imputation(
    mdata: mudata.MuData,
    mod: str,
    *,
    features: str | Sequence[str] | None = None,
    model: OmixVAE | None = None,
    key: str = "omixvae",
    ax: AxesLike | None = None,
    show: bool = False,
) -> Axes | np.ndarray:
    """Draw how well each feature of a modality is predicted from the other modalities.

    Parameters
    ----------
    mdata
        After `omixvae.fit`.
    mod
        The modality that was imputed.
    features
        Features to show; all when not given.
    model
        The fitted model: then a second panel shows whether limits of predictions hold as many of the measured values
        as they say. It predicts up to 400 observations (50 at least, where features are many) that have this modality
        from the others that they have, and looks at up to 200 of the features.
    key
        The option `key_added` of the training.
    ax
        Axes to draw into, two with `model` and one without; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    matplotlib.axes.Axes, or numpy.ndarray of them
        R² in observations that were held out, from the best feature to the worst; grey are those that are predicted no
        better than by their mean, as far as can be told. Features that could not be judged are not drawn, but counted
        in the title. With `model` two axes: in the second each dot is the part of the values within the limits, over
        all features, and the pale bar holds the middle 80 % of the features. Above the line limits are wider than they
        need be. Whole numbers that lie on a limit count in part, so that these should be on the line too.

    Raises
    ------
    InputError
        If nothing is known of the modality's imputation, or a feature is not known.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=150)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> ax = imputation(mdata, "protein", features=["protein01", "protein02"], ax=Figure().subplots())
    >>> sorted(label.get_text() for label in ax.get_yticklabels())
    ['protein01', 'protein02']
    """
    skill = Results(mdata, key).skill(mod)
    if features is not None:
        asked = feature_positions(mod, skill.index, as_names(features), mdata.mod[mod].var, "the argument features")
    judged = skill[skill["r2"].notna()].sort_values("r2", ascending=False, kind="stable")
    shown = judged if features is None else judged[judged.index.isin(skill.index[asked])]
    as_bars = len(shown) <= MOST_BARS
    height = 1.3 + 0.22 * len(shown) if as_bars else 4.2
    axes = panels(ax, 1 if model is None else 2, (5.6 if model is None else 9.6, max(height, 3.2)))
    (_draw_bars if as_bars else _draw_curve)(axes[0], shown)
    axes[0].set_title(_title(mod, skill), fontsize="medium")
    if model is not None:
        _draw_calibration(axes[1], covered(model, mdata, mod))
    finish(show=show)
    return axes[0] if model is None else axes


def _title(mod: str, skill: pd.DataFrame) -> str:
    n_judged = int(skill["r2"].notna().sum())
    share = f"{mod}: {int(skill['imputable'].sum()):,} of {n_judged:,} features are imputable"
    unknown = len(skill) - n_judged
    return f"{share}\n{unknown:,} more could not be judged" if unknown else share


def _colours(shown: pd.DataFrame) -> list[str]:
    return [BLUE if imputable else GREY for imputable in shown["imputable"]]


def _draw_bars(ax: Axes, shown: pd.DataFrame) -> None:
    ax.barh(range(len(shown)), shown["r2"], color=_colours(shown), height=0.7)
    ax.set_yticks(range(len(shown)), shown.index, fontsize="small")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set(xlim=_ends(shown), ylim=(len(shown) - 0.4, -0.6), xlabel="R² in held-out observations")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    _name_colours(ax, shown, "lower right")


def _draw_curve(ax: Axes, shown: pd.DataFrame) -> None:
    ranks = np.arange(1, len(shown) + 1)
    r2 = shown["r2"].to_numpy()
    across, up = np.array([-0.5, 0.5, 0.5, -0.5]), np.array([0, 0, 1, 1])
    corners = np.stack([ranks[:, None] + across, r2[:, None] * up], axis=-1)
    # One artist: thousands of bars take seconds. Smooth edges would let the ground shine through between neighbours.
    ax.add_collection(PolyCollection(list(corners), facecolors=_colours(shown), antialiased=False, rasterized=True))
    ax.plot(ranks, r2, color="0.3", linewidth=1)
    low, high = _ends(shown)
    ax.set(xlim=(0, len(shown) + 1), ylim=(low, high))
    ax.axhline(0, color="black", linewidth=0.8)
    top = (r2[int(NAMES_AT * len(r2))] - low) / (high - low)
    room = int((0.97 - top) / LINE)
    for i, rank in enumerate(ranks[shown["imputable"]][: min(NAMED, room)]):
        ax.annotate(
            str(shown.index[rank - 1]),
            (rank, r2[rank - 1]),
            (NAMES_AT, 0.97 - LINE * i),
            textcoords="axes fraction",
            fontsize="x-small",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 2, "shrinkB": 0},
        )
    ax.set(xlabel="features, from the best to the worst", ylabel="R² in held-out observations")
    ax.spines[["top", "right"]].set_visible(False)
    _name_colours(ax, shown, "upper right")


def _ends(shown: pd.DataFrame) -> tuple[float, float]:
    r2 = shown["r2"]
    return max(LOWEST, min(0.0, r2.min() * 1.05)) if len(r2) else 0.0, max(1.0 if r2.empty else r2.max() * 1.05, 0.1)


def _name_colours(ax: Axes, shown: pd.DataFrame, where: Literal["upper right", "lower right"]) -> None:
    if shown["imputable"].all():
        return
    handles = [Patch(color=BLUE, label="imputable"), Patch(color=GREY, label="no better than the mean")]
    ax.legend(handles=handles, loc=where, fontsize="small", edgecolor="none", framealpha=0.8)


def _draw_calibration(ax: Axes, within: pd.DataFrame) -> None:
    values = within.drop(columns="all").to_numpy()
    low, high = np.nanquantile(values, (0.1, 0.9), axis=1)
    middle = within["all"].to_numpy()
    ax.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1)
    ax.vlines(NOMINAL, low, high, color=BLUE, linewidth=4, alpha=0.3)
    ax.plot(NOMINAL, middle, "o", color=BLUE)
    for nominal, part in zip(NOMINAL, middle, strict=True):
        ax.annotate(f"{part:.0%}", (nominal, part), (-7, 5), textcoords="offset points", ha="right", fontsize="small")
    ax.set_xticks(NOMINAL, [f"{nominal:.0%}" for nominal in NOMINAL], fontsize="small")
    ax.set_yticks(np.linspace(0, 1, 6), [f"{part:.0%}" for part in np.linspace(0, 1, 6)])
    ax.set(xlim=(0.4, 1), ylim=(min(0.4, float(np.nanmin(low)) - 0.05), 1.02))
    ax.set(xlabel="should lie within the limits", ylabel="measured values that do")
    ax.set_title("limits of predictions from the other modalities", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
