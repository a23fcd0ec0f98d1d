"""Which modality was measured in which batch, and can the batch be told apart from anything else?"""

import re
from collections.abc import Iterator

import mudata
import numpy as np
import pandas as pd

from omixvae.config import DataConfig
from omixvae.data.columns import column_names, find_column, place_of_column
from omixvae.errors import InputError

__all__ = ["look_at_batches", "modalities_by_batch"]

BATCH_WORDS = re.compile(r"(^|_)(batch|donor|plate|lane|library|run|chip|center|centre|site|pool)(_?id)?($|_)", re.I)

MOST_BATCHES = 50

FEWEST_PER_BATCH = 5
"""Observations of a typical batch; a column with fewer names the samples."""


def modalities_by_batch(mdata: mudata.MuData, config: DataConfig) -> pd.DataFrame:
    """Count the observations of each modality in each batch.

    Parameters
    ----------
    mdata
        The input.
    config
        Names the column of the batches, and the modalities.

    Returns
    -------
    pandas.DataFrame
        Batches by modalities; empty where no batch is asked for, or there is no such column.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> counts = modalities_by_batch(simulate(n_obs=60), DataConfig(batch_key="batch"))
    >>> counts.shape, int(counts["rna"].sum())
    ((2, 2), 60)
    """
    batch = None if config.batch_key is None else find_column(mdata, config.batch_key)
    if batch is None:
        return pd.DataFrame()
    asked = [name for name in config.modalities or mdata.mod if name in mdata.mod]
    has = pd.DataFrame({name: mdata.obs_names.isin(mdata.mod[name].obs_names) for name in asked}, mdata.obs_names)
    return has.groupby(batch.astype(str).to_numpy()).sum()


def look_at_batches(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    """Find batches that cannot be told apart from a missing modality or from labels, and columns that may be batches.

    Parameters
    ----------
    mdata
        The input.
    config
        Names the columns.

    Yields
    ------
    InputError
        Every caution.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> list(look_at_batches(simulate(n_obs=50), DataConfig(batch_key="batch")))
    []
    """
    if config.batch_key is None:
        yield from _unused(mdata, config)
    else:
        yield from _lacking(mdata, config)
        yield from _of_labels(mdata, config)


def _unused(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    for name in column_names(mdata):
        column = find_column(mdata, name)
        if not BATCH_WORDS.search(name) or name in (*config.covariate_keys, config.labels_key) or column is None:
            continue
        n_values = column.nunique()
        if 2 <= n_values <= min(MOST_BATCHES, mdata.n_obs / FEWEST_PER_BATCH):
            yield InputError(
                f"Column {name!r} of obs has {n_values} values and may say what was measured together.",
                place_of_column(mdata, name),
                f"If samples differ by it for technical reasons, add --batch-key {name} (batch_key={name!r}).",
            )


def _lacking(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    counts = modalities_by_batch(mdata, config)
    for name in counts:
        without = list(counts.index[counts[name] == 0])
        if not without:
            continue
        listed = ", ".join(map(repr, without[:3])) + (" …" if len(without) > 3 else "")
        yield InputError(
            f"Modality {name!r} was measured in {len(counts) - len(without)} of {len(counts)} batches; it is missing "
            f"in {listed}.",
            f"mdata[{name!r}], {place_of_column(mdata, str(config.batch_key))}",
            "Nothing need be done: it is predicted there from the other modalities. What these batches would have done "
            f"to {name} itself cannot be known, so compare its predictions between groups, not between batches.",
        )


def _of_labels(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    label = None if config.labels_key is None else find_column(mdata, config.labels_key)
    batch = find_column(mdata, str(config.batch_key))
    if label is None or batch is None:
        return
    both = pd.crosstab(label.astype(object), batch.astype(object)).to_numpy() > 0
    if both.shape[1] > 1 and both.size and np.all(both.sum(axis=1) == 1):
        yield InputError(
            f"Every label of {config.labels_key!r} occurs in one batch of {config.batch_key!r} only.",
            f"{place_of_column(mdata, str(config.labels_key))}, {place_of_column(mdata, str(config.batch_key))}",
            "Batch and biology cannot be told apart: what differs between the labels may be taken for the batch. Leave "
            "the option batch_key out to keep the difference, whatever its cause.",
        )
