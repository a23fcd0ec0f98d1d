"""What probably is not what it seems, in data that can be trained on: said before training, and by `omixvae inspect`.

Nothing is changed because of it. A zero, a number or a word is taken for what it is until the user says otherwise.
"""

import warnings
from collections.abc import Iterable, Iterator

import mudata
import numpy as np

from omixvae.config import DataConfig
from omixvae.data.check import features_phrase
from omixvae.data.columns import find_column
from omixvae.data.levels import doubtful_columns
from omixvae.data.masked import MaskedModalities
from omixvae.data.matrices import count_in_columns
from omixvae.data.tables import Table
from omixvae.errors import InputError
from omixvae.options import per_modality

__all__ = ["doubtful_values", "find_doubts", "matrix_of", "warn_of"]

LARGE_PART = 0.1
"""Part of the observations without anything but zeros, from which on training says so."""

FEWEST_FEATURES = 3
NEAREST = 0.1
"""The sparsest observations have at least so many features, and this part of what is typical, if an observation without
any is apart from them. In mutations, copy numbers and shallow ATAC there is everything between none and many."""

BY_CHANCE = 1e-6
"""Probability below which zeros in a whole batch are no chance."""

COMMON = 0.5
"""Part of the observations elsewhere that have a feature, for it to be one that no type of cell is without."""

PART_OF_PANEL = 0.02
"""Part of the common features that a batch with another panel lacks. Of fewer the cause may be the Y chromosome."""

MOST_BATCHES = 100
"""Columns with more levels are donors or samples, which do not differ in what was looked for."""


def find_doubts(
    mdata: mudata.MuData, data: MaskedModalities, config: DataConfig, *, thorough: bool = False
) -> list[InputError]:
    """Find zeros, numbers and words that may stand for "not measured", and columns that are no categories.

    Parameters
    ----------
    mdata, data
        The input, and the same as masked modalities.
    config
        Which layers and columns are asked for.
    thorough
        Also find what is too little to be said before each training, and what takes another look at values on disk.

    Returns
    -------
    list of InputError
        Every doubt; empty when all is well.

    Examples
    --------
    >>> from omixvae.data.from_mudata import from_mudata
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> find_doubts(mdata, from_mudata(mdata), DataConfig(batch_key="batch"))
    []
    """
    return [*doubtful_columns(mdata, config), *doubtful_values(mdata, data, config, thorough=thorough)]


def warn_of(doubts: Iterable[InputError]) -> None:
    """Warn of each doubt, in one line.

    Parameters
    ----------
    doubts
        What was found.

    Examples
    --------
    >>> warn_of([])
    """
    for doubt in doubts:
        warnings.warn(f"{doubt.problem.removesuffix('.')} ({doubt.where}). {doubt.fix}", stacklevel=3)


def matrix_of(name: str, config: DataConfig) -> str:
    """Name the matrix that a modality is read from, as it is written in Python.

    Parameters
    ----------
    name
        The modality.
    config
        Which layers are asked for.

    Returns
    -------
    str
        X, or a layer.

    Examples
    --------
    >>> matrix_of("rna", DataConfig(layers={"rna": "counts"}))
    "mdata['rna'].layers['counts']"
    """
    layer = per_modality(config.layers, [name]).get(name)
    return f"mdata[{name!r}].X" if layer is None else f"mdata[{name!r}].layers[{layer!r}]"


def doubtful_values(
    mdata: mudata.MuData, data: MaskedModalities, config: DataConfig, *, thorough: bool
) -> Iterator[InputError]:
    """Find values that may stand for "not measured".

    Parameters
    ----------
    mdata, data
        The input, and the same as masked modalities.
    config
        Which layers are asked for, and the column of the batches.
    thorough
        See `find_doubts`.

    Yields
    ------
    InputError
        A doubt.

    Examples
    --------
    >>> from omixvae.data.from_mudata import from_mudata
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> list(doubtful_values(mdata, from_mudata(mdata), DataConfig(), thorough=True))
    []
    """
    column = None if config.batch_key is None else find_column(mdata, config.batch_key)
    levels, batch = np.unique(
        np.full(data.n_obs, "") if column is None else column.astype(str).to_numpy(str), return_inverse=True
    )
    for table in data.tables:
        if table.is_label:
            continue
        yield from _strays(table, config)
        yield from _rows_of_zeros(table, data, config, (levels, batch), 0.0 if thorough else LARGE_PART)
        if thorough or table.window is None:
            yield from _features_of_zeros(table, config, (levels, batch))
    empty = np.flatnonzero(~data.presence.any(axis=1))
    if len(empty):
        yield InputError(
            f"{len(empty):,} of {data.n_obs:,} observations have no value in any modality.",
            f"mdata, first: {data.obs_names[empty[0]]!r}",
            "They are not trained on, and get the latent of an average observation; leave them out if that is not "
            "wanted.",
        )


def _strays(table: Table, config: DataConfig) -> Iterator[InputError]:
    matrix = matrix_of(table.name, config)
    layer = per_modality(config.layers, [table.name]).get(table.name)
    frame = f"mdata[{table.name!r}].to_df({'' if layer is None else repr(layer)})"
    for stray in table.survey.strays:
        number = f"{stray.value:.10g}"
        yield InputError(
            f"{number} occurs {stray.n:,} times in {table.name!r}, far from all other values "
            f"({stray.rest[0]:.4g} to {stray.rest[1]:.4g}).",
            f"{matrix}, {features_phrase(stray.columns, table.features)}",
            f"If it stands for what was not measured, make it NaN: {matrix} = "
            f"{frame}.replace({number}, float('nan')).to_numpy(), or read the tables again with "
            f"omixvae convert --na {number}.",
        )


def _rows_of_zeros(
    table: Table, data: MaskedModalities, config: DataConfig, batches: tuple[np.ndarray, np.ndarray], least: float
) -> Iterator[InputError]:
    """Find assays that were not made, or failed, from `least` of the observations on or in a whole batch."""
    found, here = table.survey, np.flatnonzero(table.present)
    n_nonzero = found.n_nonzero_in[table.row[here]]
    of_zeros = here[n_nonzero == 0]
    if not 0 < len(of_zeros) < len(here):
        return
    whole = _whole_batches(n_nonzero == 0, batches[0], batches[1][here])
    if not whole and (len(of_zeros) < least * len(here) or not _are_apart(n_nonzero[n_nonzero > 0], table.n_features)):
        return
    matrix = matrix_of(table.name, config).replace(f"mdata[{table.name!r}]", "adata")
    holds = f"{matrix}.sum(axis=1) > 0" if found.smallest >= 0 else f"({matrix} != 0).sum(axis=1) > 0"
    yield InputError(
        f"{len(of_zeros):,} of {len(here):,} observations of {table.name!r} hold nothing but zeros"
        + (f", among them all of batch {_some(whole)}." if whole else "."),
        f"{matrix_of(table.name, config)}, first: {data.obs_names[of_zeros[0]]!r}",
        f"A zero is taken for a measurement. If the assay failed{' or was not made' if whole else ''} there, leave "
        f"these rows out of the modality: adata[{holds}].",
    )


def _are_apart(n_nonzero: np.ndarray, n_features: int) -> bool:
    """Return whether observations that have so many features are far from having none."""
    sparsest, typical = np.quantile(n_nonzero, [0.01, 0.5])
    return bool(sparsest >= max(NEAREST * typical, min(FEWEST_FEATURES, n_features / 2)))


def _whole_batches(of_zeros: np.ndarray, levels: np.ndarray, batch: np.ndarray) -> list[str]:
    """Name the batches that hold zeros alone, where chance does not do that."""
    n, n_zero = np.bincount(batch, minlength=len(levels)), np.bincount(batch, of_zeros, minlength=len(levels))
    elsewhere = (n_zero.sum() - n_zero + 1) / (n.sum() - n + 2)  # the share of them, were it not none
    chance = elsewhere**n
    return [str(level) for level in levels[(n_zero == n) & (n < n.sum()) & (chance < BY_CHANCE)]]


def _some(words: list[str]) -> str:
    """List the first words."""
    return ", ".join(map(repr, words[:3])) + (f" and {len(words) - 3:,} more" if len(words) > 3 else "")


def _features_of_zeros(
    table: Table, config: DataConfig, batches: tuple[np.ndarray, np.ndarray]
) -> Iterator[InputError]:
    """Find panels that were joined with zeros: features that a batch lacks, though others have them throughout."""
    levels, batch = batches
    zeros_are_common = 0 <= table.survey.smallest and table.survey.largest <= 1  # mutations, methylation
    if not 1 < len(levels) <= MOST_BATCHES or zeros_are_common:
        return
    measured, nonzero = _counts_of_batches(table, batch, len(levels))
    share = (nonzero.sum(0) - nonzero) / (measured.sum(0) - measured + 1)
    to_be_seen = measured * np.log1p(-share) < np.log(BY_CHANCE)
    lacking, common = to_be_seen & (nonzero == 0), to_be_seen & (share >= COMMON)
    n_common = (lacking & common).sum(1)
    found = np.flatnonzero((n_common > 0) & (n_common >= PART_OF_PANEL * common.sum(1)))
    if not len(found):
        return
    n_features = lacking.sum(1)
    listed = ", ".join(f"{n_features[b]:,} in batch {str(levels[b])!r}" for b in found[:3])
    yield InputError(
        f"Features of {table.name!r} that are 0 in a whole batch, and not in the others: {listed}"
        + (f", some in {len(found) - 3:,} more." if len(found) > 3 else "."),
        f"{matrix_of(table.name, config)}, {features_phrase(np.flatnonzero(lacking[found].any(0)), table.features)}",
        "A zero is taken for a measurement. If the panel of that batch lacks these features, make the values NaN "
        "there.",
    )


def _counts_of_batches(table: Table, batch: np.ndarray, n_batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Count, per batch and feature, the values and those that are not 0; observations of nothing but zeros apart."""
    measured, nonzero = (np.zeros((n_batches, table.n_features), np.int64) for _ in range(2))
    of_row = np.full(len(table.survey.totals), -1)
    of_row[table.row[table.present]] = batch[table.present]
    of_row[table.survey.n_nonzero_in == 0] = -1
    first = 0
    for block in table.blocks():
        of_block = of_row[first : first + block.values.shape[0]]
        first += len(of_block)
        for b in np.unique(of_block[of_block >= 0]):
            inside = np.flatnonzero(of_block == b)
            values = block.values[inside]
            lacking = 0 if block.missing is None else np.asarray(block.missing[inside].sum(0)).ravel()
            measured[b] += len(inside) - lacking
            nonzero[b] += count_in_columns(values, lambda values: values != 0)
    return measured, nonzero
