"""Are the values what they should be: counts that were not logged, rows that hold anything, features that vary?"""

from collections.abc import Iterator

import mudata
import numpy as np
import scipy.sparse as sp

from omixvae.config import DataConfig
from omixvae.data import MaskedModalities
from omixvae.data.check import features_phrase, layer_names
from omixvae.data.doubts import matrix_of
from omixvae.data.stored_matrix import lies_on_disk
from omixvae.data.tables import Table
from omixvae.errors import InputError
from omixvae.options import per_modality

__all__ = ["kind_of_values", "look_at_layers", "look_at_values"]

LOOKED_AT = 1000
"""Rows of a layer that are looked at, spread over all."""

LARGEST_LOGGED = 30.0
"""No logarithm of an abundance is larger (2³⁰)."""

MANY_ZEROS = 0.3
"""Part of the values that are zero, from which on small numbers that are not whole are probably logged counts."""

MANY_FEATURES = 20_000

AS_THEY_ARE = "Counts are modelled best as they are"

FEW_ENTRIES = 0.02
"""Part of the features that were measured, below which an observation says next to nothing."""


def kind_of_values(table: Table) -> str:
    """Say in two words what the values of a modality are.

    Parameters
    ----------
    table
        The modality.

    Returns
    -------
    str
        What they look like, not what they are said to be.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> kind_of_values(from_mudata(simulate(n_obs=50)).table("rna"))
    'counts'
    """
    found = table.survey
    if table.is_label:
        return "labels"
    if not np.isfinite([found.smallest, found.largest]).all():
        return "none"
    if found.smallest < 0:
        return "whole numbers" if found.whole else "continuous"
    if found.whole:
        return "0 and 1" if found.largest <= 1 else "counts"
    if found.largest <= 1:
        return "fractions"
    return "logged counts?" if _seem_logged(table) else "not negative"


def _seem_logged(table: Table) -> bool:
    found = table.survey
    n_values = max(1, int(found.n_measured.sum()))
    small = 1 < found.largest <= LARGEST_LOGGED and found.smallest == 0
    return bool(small and not found.whole and found.n_zero > MANY_ZEROS * n_values)


def look_at_layers(mdata: mudata.MuData, data: MaskedModalities, config: DataConfig) -> Iterator[InputError]:
    """Find modalities whose counts lie elsewhere than where they are read from.

    Parameters
    ----------
    mdata, data
        The input, and the same as masked modalities.
    config
        Which layers are asked for.

    Yields
    ------
    InputError
        Every caution.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> list(look_at_layers(mdata, from_mudata(mdata), DataConfig()))
    []
    """
    for table in data.tables:
        if table.name not in mdata.mod or table.is_label or table.survey.whole or table.coverage is not None:
            continue
        adata, name = mdata.mod[table.name], table.name
        read, where = per_modality(config.layers, [name]).get(name), matrix_of(name, config)
        counts = [layer for layer in layer_names(adata) if layer != read and _are_counts(adata.layers[layer])]
        if counts:
            layer = counts[0]
            problem = f"Modality {name!r} is read from values that are no counts, and its layer {layer!r} holds counts."
            fix = f"{AS_THEY_ARE}: add --layers {name}={layer} (layers={{{name!r}: {layer!r}}})."
        elif read is None and adata.raw is not None and _are_counts(adata.raw.X):
            problem = f"Modality {name!r} is read from values that are no counts, and its raw holds counts."
            fix = (
                f"{AS_THEY_ARE}: set mdata[{name!r}].layers['counts'] = "
                f"mdata[{name!r}].raw[:, mdata[{name!r}].var_names].X, then add --layers {name}=counts."
            )
        elif _seem_logged(table) and _are_logged_counts(adata.X if read is None else adata.layers[read]):
            problem = f"Modality {name!r} holds logarithms of counts: log(1 + count), nothing else was done to them."
            fix = f"{AS_THEY_ARE}: {where} = numpy.rint(numpy.expm1({where})) gives them back."
        elif _seem_logged(table):
            problem = (
                f"Modality {name!r} seems to hold normalised and logged counts (0 to {table.survey.largest:.3g}, "
                f"{table.survey.n_zero / max(1, table.survey.n_measured.sum()):.0%} of them 0)."
            )
            fix = (
                "If you have the counts, put them into a layer and name it: "
                f"--layers {name}=counts. If not, train on these as they are."
            )
        else:
            continue
        yield InputError(problem, where, fix)


def _some(matrix: object) -> np.ndarray:
    """Take values of some rows of a matrix in memory: for a sparse one those that are stored."""
    if lies_on_disk(matrix):
        return np.zeros(0)
    n_rows = matrix.shape[0]  # type: ignore[attr-defined]  # an array or a sparse matrix
    rows = np.unique(np.linspace(0, n_rows - 1, min(LOOKED_AT, n_rows)).astype(int))
    some = matrix[rows]  # type: ignore[index]
    values = np.asarray(some.data if sp.issparse(some) else some, dtype=np.float64).ravel()
    return values[~np.isnan(values)]


def _are_counts(matrix: object) -> bool:
    values = _some(matrix)
    return bool(len(values) and values.min() >= 0 and values.max() > 1 and np.all(values == np.rint(values)))


def _are_logged_counts(matrix: object) -> bool:
    values = _some(matrix)
    counts = np.expm1(values[(values > 0) & (values < 7)])  # beyond a thousand, float32 holds no whole number so well
    return bool(len(counts) and np.all(np.abs(counts - np.rint(counts)) < 0.01) and counts.max() > 1.5)


def look_at_values(data: MaskedModalities, config: DataConfig) -> Iterator[InputError]:
    """Find observations and features of which there is next to nothing to learn, and modalities that are wide.

    Parameters
    ----------
    data
        The input.
    config
        Which layers are asked for.

    Yields
    ------
    InputError
        Every caution.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> [caution.problem for caution in look_at_values(from_mudata(simulate(n_obs=50)), DataConfig())]
    ["Features of 'rna' that never vary: 4 of 400."]
    """
    for table in data.tables:
        if not table.is_label:
            yield from _doubts_of(table, data, matrix_of(table.name, config))


def _doubts_of(table: Table, data: MaskedModalities, matrix: str) -> Iterator[InputError]:
    here = np.flatnonzero(table.present)
    few = here[table.survey.n_measured_in[table.row[here]] < FEW_ENTRIES * table.n_features]
    if len(few):
        yield InputError(
            f"{len(few):,} of {len(here):,} observations of {table.name!r} have values for fewer than "
            f"{FEW_ENTRIES:.0%} of its features.",
            f"{matrix}, first: {data.obs_names[few[0]]!r}",
            "Their latents rest on next to nothing (see X_omixvae_sd); leave them out if the assay failed.",
        )
    moments = table.moments
    still = np.flatnonzero((moments.variance <= 1e-12 * np.square(moments.mean)) & (table.survey.n_measured > 0))
    if len(still):
        yield InputError(
            f"Features of {table.name!r} that never vary: {len(still):,} of {table.n_features:,}.",
            f"{matrix}, {features_phrase(still, table.features)}",
            "They tell nothing and cost time: leave them out.",
        )
    if table.n_features > MANY_FEATURES:
        yield InputError(
            f"Modality {table.name!r} has {table.n_features:,} features.",
            f"mdata[{table.name!r}]",
            "Time and memory grow with them. Usually the 2,000 to 5,000 genes that vary most "
            "(scanpy.pp.highly_variable_genes), or regions found in 1 % of the cells, say as much.",
        )
