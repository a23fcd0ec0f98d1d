"""Modalities, and a table of the samples → one MuData."""

from collections.abc import Mapping, Sequence
from typing import Any

import anndata
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.errors import InputError, raise_together
from omixvae.mudata_io import without_pulling
from omixvae.sources.how import Ways
from omixvae.sources.modalities import Found
from omixvae.sources.orientation import find_sides
from omixvae.sources.samples import add_samples, read_samples, sample_names
from omixvae.sources.tables import Table, repeated

__all__ = ["assemble"]

MOSTLY = 0.5
"""Part of zeros from which a table is kept as a sparse matrix: the same values, in less memory."""


def assemble(found: Sequence[Found], ways: Ways) -> tuple[mudata.MuData, list[str]]:
    """Put together what was found.

    Parameters
    ----------
    found
        What was given, each with its modalities, whose names are all different.
    ways
        How to read it.

    Returns
    -------
    tuple
        The MuData, and what the user should know of how it was made.

    Raises
    ------
    InputError
        If the parts do not go together.

    Examples
    --------
    >>> cells = anndata.AnnData(np.ones((2, 1)), pd.DataFrame(index=["a", "b"]), pd.DataFrame(index=["CD4"]))
    >>> mdata, notes = assemble([Found("the AnnData", {"rna": cells})], Ways())
    >>> mdata.shape, notes
    ((2, 1), ["There is a single modality, 'rna': nothing can be learned of how several go together."])
    """
    notes = [note for part in found for note in part.notes]
    samples = None if ways.obs is None else read_samples(ways.obs, ways)
    whole = found[0].whole if len(found) == 1 else None
    if whole is None:
        mdata = _build(found, samples, ways, notes)
    else:
        mdata = whole if samples is None and not ways.numbers else whole.copy()
        for adata in mdata.mod.values() if ways.numbers else ():
            _remove(adata, ways.numbers)
    if samples is not None:
        where = "the table of samples" if isinstance(ways.obs, pd.DataFrame) else f"file {ways.obs}"
        notes += add_samples(mdata, samples, where)
    return mdata, notes


def _build(found: Sequence[Found], samples: pd.DataFrame | None, ways: Ways, notes: list[str]) -> mudata.MuData:
    parts = {name: values for part in found for name, values in part.modalities.items()}
    known = [set(part.obs_names) for part in parts.values() if isinstance(part, anndata.AnnData)]
    known += [] if samples is None else [sample_names(samples)]
    tables = {name: part for name, part in parts.items() if isinstance(part, Table)}
    sides = _sides(tables, set().union(*known), ways, notes)
    modalities = {
        name: _turned(name, part, sides[name], alone=len(parts) == 1)
        if isinstance(part, Table)
        else _named(name, part, notes)
        for name, part in parts.items()
    }
    where = {name: f"modality {name!r}, obs_names" for name in modalities}
    raise_together([e for name in modalities for e in repeated(modalities[name].obs_names, "sample", where[name])])
    for name in modalities if ways.numbers else ():
        _remove(modalities[name], ways.numbers)
    if len(modalities) == 1:
        [only] = modalities
        notes.append(f"There is a single modality, {only!r}: nothing can be learned of how several go together.")
    with without_pulling():
        mdata = mudata.MuData(modalities)
    _add_columns(mdata, found, modalities)
    return mdata


def _sides(tables: Mapping[str, Table], known: set[str], ways: Ways, notes: list[str]) -> dict[str, str]:
    """Find where the samples of each table are, and say what is not plain."""
    if not tables:
        return {}
    if ways.samples is not None:
        return dict.fromkeys(tables, ways.samples)
    if not known and len(tables) == 1:
        [(name, table)] = tables.items()
        n_rows, n_columns = table.values.shape
        notes.append(
            f"The {n_rows:,} rows of {name!r} were taken as samples, its {n_columns:,} columns as features. If it is "
            "the other way round: samples='columns' (--samples columns)."
        )
        return {name: "rows"}
    sides = find_sides(tables, known)
    turned = [name for name in tables if sides[name] == "columns"]
    if turned:
        listed = " and ".join(filter(None, (", ".join(map(repr, turned[:-1])), repr(turned[-1]))))
        notes.append(
            f"Samples are in the columns of {listed}: the names there stand elsewhere, too. If that is wrong: "
            "samples='rows' (--samples rows)."
        )
    return sides


def _turned(name: str, table: Table, side: str, *, alone: bool) -> anndata.AnnData:
    """Make a modality of a table: samples become rows, and a table that is mostly zero a sparse matrix."""
    samples, features = (table.rows, table.columns) if side == "rows" else (table.columns, table.rows)
    values = table.values if side == "rows" else table.values.T
    if samples is None and not alone:
        raise InputError(
            f"The samples of {name!r} have no names, only numbers that pandas made, so that nothing pairs them.",
            table.where,
            "Set the names as the index, as in df.index = names.",
        )
    if samples is None:
        samples = pd.Index([f"sample{i}" for i in range(len(values))])
    if features is None:
        features = pd.Index([f"{name}{j}" for j in range(values.shape[1])])
    is_sparse = np.count_nonzero(values) <= (1 - MOSTLY) * values.size
    x = sp.csr_matrix(values) if is_sparse else np.ascontiguousarray(values)
    return anndata.AnnData(x, pd.DataFrame(index=samples), pd.DataFrame(index=features))


def _named(name: str, adata: anndata.AnnData, notes: list[str]) -> anndata.AnnData:
    """Return features that have the same name different ones, as scanpy does."""
    twice = adata.var_names[adata.var_names.duplicated()]
    if len(twice):
        adata.var["name"] = adata.var_names
        adata.var_names = anndata.utils.make_index_unique(adata.var_names)
        notes.append(
            f"{len(twice):,} features of {name!r} had the name of another, the first is {twice[0]!r}: they became "
            f"{twice[0] + '-1'!r} and so on. Their own names are in var['name']."
        )
    return adata


def _remove(adata: anndata.AnnData, numbers: Sequence[float]) -> None:
    """Put NaN in the place of values that stand for "not measured"."""
    if adata.X is not None:
        adata.X = _without(adata.X, numbers)
    for layer in [layer for layer in adata.layers if layer is not None]:
        adata.layers[layer] = _without(adata.layers[layer], numbers)


def _without(matrix: Any, numbers: Sequence[float]) -> Any:  # noqa: ANN401 (dense or sparse, which have no common class)
    if sp.issparse(matrix):
        if 0 in numbers:
            return _without(matrix.toarray(), numbers)
        changed = matrix.astype(np.result_type(matrix.dtype, np.float32))
        changed.data = _without(matrix.data, numbers)
        return changed
    values = np.asarray(matrix)
    values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    return np.where(np.isin(values, np.asarray(numbers, values.dtype)), np.nan, values).astype(values.dtype)


def _add_columns(mdata: mudata.MuData, found: Sequence[Found], modalities: Mapping[str, anndata.AnnData]) -> None:
    """Take columns along that describe samples: of a MuData among others, and of an AnnData that holds all."""
    for part in found:
        if part.whole is not None:
            columns = part.whole.obs
        elif len(found) == 1 and not isinstance(first := next(iter(part.modalities.values())), Table):
            columns = first.obs
        else:
            continue
        for column in columns:
            mdata.obs[column] = columns[column].reindex(mdata.obs_names)
