"""What points are coloured by, and with which colours: distinct also for those who do not see red or green."""

from collections.abc import Sequence
from dataclasses import dataclass

import mudata
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import is_color_like, to_hex

from omixvae.data.columns import column_names, find_column
from omixvae.data.symbols import feature_positions, other_names
from omixvae.errors import InputError, nearest
from omixvae.likelihoods import LIKELIHOODS
from omixvae.pl.sets import set_name
from omixvae.results.read import Results

__all__ = [
    "CONTINUOUS",
    "COUNTS",
    "DIVERGING",
    "MISSING",
    "PALETTE",
    "Categories",
    "Numbers",
    "categories",
    "colour_by",
    "palette",
]

CONTINUOUS = "viridis"
DIVERGING = "PuOr_r"
MISSING = "#d4d4d4"

PALETTE = (
    # Okabe and Ito (2008), those that stand out most on white first
    *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#000000"),
    # Each is the colour farthest from all before it, for normal, protanope and deuteranope vision (in Oklab)
    *("#860049", "#6100ff", "#00f3ce", "#926dff", "#6d5500", "#553192", "#925579", "#86c279"),
    *("#0c18ce", "#c20c49", "#e700ce", "#86dbff"),
)

FEW_INTEGERS = 8
"""So many different whole numbers, at most, are taken for labels (stages, zeros and ones)."""

COUNTS = tuple(word for word, likelihood in LIKELIHOODS.items() if likelihood.kind == "counts")


@dataclass(frozen=True)
class Categories:
    """Labels of the observations.

    Parameters
    ----------
    title
        What they are.
    names
        The labels that occur, in their order.
    codes
        Shape (n,): position in `names`; -1 where there is no label.
    colours
        One for each name.
    """

    title: str
    names: tuple[str, ...]
    codes: np.ndarray
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """A number for each observation.

    Parameters
    ----------
    title
        What it is.
    unit
        In which unit, and whatever else the reader of a scale should know; may be empty.
    values
        Shape (n,), NaN where there is none.
    """

    title: str
    unit: str
    values: np.ndarray


def palette(number: int) -> tuple[str, ...]:
    """Return colours that can be told apart.

    Parameters
    ----------
    number
        How many.

    Returns
    -------
    tuple of str
        Hexadecimal; beyond 20, neighbours in the list are far apart, but not all pairs are.

    Examples
    --------
    >>> palette(2), len(set(palette(50)))
    (('#0072b2', '#e69f00'), 50)
    """
    if number <= len(PALETTE):
        return PALETTE[:number]
    spread = [to_hex(c) for c in colormaps["turbo"](np.linspace(0.02, 0.98, number))]
    step = next(s for s in range(int(0.38 * number), number) if np.gcd(s, number) == 1)
    return tuple(spread[i * step % number] for i in range(number))


def colour_by(found: Results, color: str) -> Categories | Numbers:
    """Find what a word stands for.

    Parameters
    ----------
    found
        The results.
    color
        A column of obs; ``"presence"``, ``"cluster"`` or ``"cluster_entropy"``; or a feature, alone or after the name
        of its modality and a colon.

    Returns
    -------
    Categories or Numbers
        Values of all observations.

    Raises
    ------
    InputError
        If it is none of these, or a feature of several modalities.
    """
    mdata = found.mdata
    column = find_column(mdata, color)
    if column is not None:
        return _of_column(mdata, color, column)
    if color == "presence":
        return _presence(found)
    if color == "cluster":
        return categories(mdata, found.keys.cluster, found.clusters)
    if color == "cluster_entropy":
        _ = found.clusters  # says it when there are none
        return _of_column(mdata, color, mdata.obs[found.keys.cluster_entropy])
    return _feature(found, color)


def categories(mdata: mudata.MuData, title: str, column: "pd.Series[object]") -> Categories:
    """Take a column for labels.

    Parameters
    ----------
    mdata
        Whose uns may hold colours, as scanpy keeps them.
    title
        Name of the column.
    column
        One value per observation.

    Returns
    -------
    Categories
        Labels that do not occur are left out; the colours are those that they would have with all.
    """
    labels = column.astype("category").cat
    occur = np.flatnonzero(np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.categories)))
    colours = _stored_colours(mdata, title, len(labels.categories)) or palette(len(labels.categories))
    position = np.full(len(labels.categories) + 1, -1)
    position[occur] = np.arange(len(occur))
    names = tuple(str(labels.categories[i]) for i in occur)
    return Categories(title, names, position[labels.codes], tuple(colours[i] for i in occur))


def _stored_colours(mdata: mudata.MuData, column: str, number: int) -> list[str]:
    for place in (mdata, *mdata.mod.values()):
        stored = [str(c) for c in place.uns.get(f"{column}_colors", ())]
        if len(stored) >= number > 0 and all(map(is_color_like, stored)):
            return [to_hex(c) for c in stored]
    return []


def _of_column(mdata: mudata.MuData, name: str, column: "pd.Series[object]") -> Categories | Numbers:
    if isinstance(column.dtype, pd.CategoricalDtype):
        kinds = column.cat.categories
        as_numbers = pd.api.types.is_numeric_dtype(kinds.dtype) and len(kinds) > len(PALETTE)
    else:
        as_numbers = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
        if as_numbers and pd.api.types.is_integer_dtype(column.dtype):
            as_numbers = column.nunique() > FEW_INTEGERS
    if as_numbers:
        unit = "nats" if name.endswith("cluster_entropy") else ""
        return Numbers(name, unit, column.astype(float).to_numpy(float, na_value=np.nan))
    return categories(mdata, name, column)


def _presence(found: Results) -> Categories:
    present = found.presence
    sets = pd.Series([set_name(row, list(present)) for row in present.to_numpy()])
    return categories(found.mdata, "presence", pd.Series(pd.Categorical(sets, sets.value_counts().index)))


def _feature(found: Results, color: str) -> Numbers:
    mod, feature = _find_feature(found, color)
    measured, values = found.measured(mod, feature), found.imputed_feature(mod, feature)
    unit = ""
    if values is None:
        values = measured
    elif (predicted := int((measured.isna() & values.notna()).sum())) > 0:
        unit = f"{predicted:,} of {len(values):,} predicted"
    if found.likelihood(mod) in COUNTS:
        values, unit = np.log1p(values.clip(lower=0)), "; ".join(filter(None, ["log(1 + count)", unit]))
    return Numbers(color, unit, values.to_numpy())


def _find_feature(found: Results, color: str) -> tuple[str, str]:
    mods = found.mdata.mod
    prefix, _, rest = color.partition(":")
    if prefix in mods and rest:
        return prefix, _feature_name(found, prefix, rest)
    homes = [name for name, adata in mods.items() if color in adata.var_names]
    homes = homes or [name for name, adata in mods.items() if color in other_names(adata.var)]
    if len(homes) > 1:
        choices: Sequence[str] = [f"{name}:{color}" for name in homes]
        problem = f"{color!r} is a feature of several modalities."
        raise InputError(problem, "the argument color", nearest(choices[0], choices))
    if not homes:
        features = (feature for adata in mods.values() for feature in (*adata.var_names, *other_names(adata.var)))
        special = ["presence", *(["cluster", "cluster_entropy"] if found.cluster_column else [])]
        known = dict.fromkeys([*column_names(found.mdata), *special, *features])
        problem = f"There is neither a column nor a feature {color!r}."
        raise InputError(problem, "the argument color", nearest(color, known))
    return homes[0], _feature_name(found, homes[0], color)


def _feature_name(found: Results, mod: str, feature: str) -> str:
    adata = found.mdata.mod[mod]
    return str(adata.var_names[feature_positions(mod, adata.var_names, [feature], adata.var, "the argument color")[0]])
