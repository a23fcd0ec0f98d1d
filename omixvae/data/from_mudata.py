"""MuData → `MaskedModalities`: presence from names, sparse stays sparse, NaN becomes a mask, a zero stays a zero."""

import warnings
from collections.abc import Sequence

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from omixvae.config import DataConfig
from omixvae.data.check import (
    check_columns,
    check_container,
    check_links,
    check_modality,
    check_options,
    check_values,
)
from omixvae.data.columns import find_column
from omixvae.data.coverage import check_coverage
from omixvae.data.levels import check_levels, taken_as_number
from omixvae.data.masked import Covariate, MaskedModalities, Schema
from omixvae.data.matrices import Matrix, as_matrix, split_missing
from omixvae.data.stored import StoredMatrix, StoredRows, StoredTable, lies_on_disk
from omixvae.data.tables import ModalityTable, Table
from omixvae.errors import InputError, nearest, raise_together
from omixvae.options import per_modality

__all__ = ["from_mudata"]


def from_mudata(
    mdata: mudata.MuData, config: DataConfig | None = None, schema: Schema | None = None
) -> MaskedModalities:
    """Read a MuData as masked modalities.

    Parameters
    ----------
    mdata
        Observations may be absent from any modality, in any order, and values may be NaN (a row of nothing but NaN
        is absent). It is not changed. Values that lie on disk (of a file that was opened with ``backed="r"``, or with
        `omixvae.data.open_mudata`) are looked at once, and then read as they are needed.
    config
        Which modalities, layers and columns to read; all modalities, their X and no column when not given.
    schema
        That of a trained model: features are brought into its order (further ones are left out), modalities that
        `mdata` lacks are absent for every observation. Taken from `mdata` when not given.

    Returns
    -------
    MaskedModalities
        Observations in the order of ``mdata.obs_names``.

    Raises
    ------
    InputError
        If names, shapes, columns or values cannot be used; all problems together.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> data = from_mudata(simulate(n_obs=100), DataConfig(batch_key="batch"))
    >>> data.n_obs, data.covariates.shape
    (100, (100, 2))
    """
    config = config or DataConfig()
    raise_together(check_container(mdata))
    asked = config if schema is None else _available(config, mdata, schema)
    errors = check_options(mdata, asked) + check_columns(mdata, asked)
    errors += check_levels(mdata, asked) if schema is None else []
    features = _features(mdata, asked) if schema is None else schema.features
    labels_key = config.labels_key if schema is None else schema.labels_key
    batch_column = None if errors or asked.batch_key is None else find_column(mdata, asked.batch_key)
    batch = None if batch_column is None else batch_column.astype(str).to_numpy()
    tables, covariates = [], [np.zeros((mdata.n_obs, 0), np.float32)]
    for name in [name for name in features if name != labels_key]:
        try:
            tables.append(_table(mdata, name, features[name], config, batch, new=schema is not None))
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    read = schema or _schema(mdata, asked, features)
    for covariate in read.covariates:
        try:
            covariates.append(_encode(mdata, covariate))
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    if read.labels_key is not None:
        tables.append(_labels(mdata, read.labels_key, read.features[read.labels_key]))
    data = MaskedModalities(tuple(tables), mdata.obs_names.to_numpy(), np.concatenate(covariates, axis=1), read)
    if schema is None:
        raise_together(check_links(data))
    else:
        _note_differences(mdata, config, schema)
    return data


def _available(config: DataConfig, mdata: mudata.MuData, schema: Schema) -> DataConfig:
    """Ask of new data only what it has: a trained model can do without the rest."""
    modalities = tuple(m for m in schema.modalities if m in mdata.mod and 0 not in mdata.mod[m].shape)
    if not modalities:
        known = ", ".join(repr(m) for m in schema.modalities if m != schema.labels_key)
        raise InputError(
            f"None of the modalities that the model was trained on has a value here; there are "
            f"{', '.join(map(repr, mdata.mod))}, the model knows {known}.",
            "mdata.mod",
            "Give at least one of them, under the name that it had in the training.",
        )
    keys = [c.name for c in schema.covariates if find_column(mdata, c.name) is not None]
    return DataConfig(
        modalities=modalities,
        layers=per_modality(config.layers, modalities),
        coverage_layers=per_modality(config.coverage_layers, modalities),
        batch_key=schema.batch_key if schema.batch_key in keys else None,
        covariate_keys=tuple(k for k in keys if k != schema.batch_key),
    )


def _note_differences(mdata: mudata.MuData, config: DataConfig, schema: Schema) -> None:
    """Say what a trained model cannot use, or has to do without: a misspelt name would otherwise go unnoticed."""
    lacking = [m for m in schema.modalities if m not in mdata.mod and m != schema.labels_key]
    for name in [m for m in mdata.mod if m not in schema.modalities]:
        if config.modalities is None and lacking:
            warnings.warn(
                f"Modality {name!r} is not used: the model was not trained on it. {nearest(name, lacking)}",
                stacklevel=3,
            )
    for covariate in schema.covariates:
        if find_column(mdata, covariate.name) is None:
            warnings.warn(
                f"There is no column {covariate.name!r}, which the model was trained with; an average is used for all "
                "observations. Add the column to mdata.obs if it is known.",
                stacklevel=3,
            )


def _features(mdata: mudata.MuData, config: DataConfig) -> dict[str, tuple[str, ...]]:
    return {m: tuple(mdata.mod[m].var_names.astype(str)) for m in config.modalities or mdata.mod if m in mdata.mod}


def _schema(mdata: mudata.MuData, config: DataConfig, features: dict[str, tuple[str, ...]]) -> Schema:
    columns = {key: find_column(mdata, key) for key in (config.batch_key, *config.covariate_keys) if key is not None}
    covariates = tuple(
        _covariate(column, "batch_key" if key == config.batch_key else "covariate_keys")
        for key, column in columns.items()
        if column is not None
    )
    labels = None if config.labels_key is None else find_column(mdata, config.labels_key)
    if config.labels_key is not None and labels is not None:
        features = features | {config.labels_key: _levels(labels)}
    return Schema(features, config.labels_key, covariates, config.batch_key)


def _levels(column: "pd.Series[object]") -> tuple[str, ...]:
    return tuple(sorted(column.dropna().astype(str).unique()))


def _covariate(column: "pd.Series[object]", option: str) -> Covariate:
    name = str(column.name)
    if not taken_as_number(column, option):
        return Covariate(name, _levels(column))
    numbers = column.to_numpy(np.float64)
    return Covariate(name, (), float(numbers.mean()), float(numbers.std()) or 1.0)


def _encode(mdata: mudata.MuData, covariate: Covariate) -> np.ndarray:
    """Turn a column into numbers; a level that the model has not seen (or a missing column) is its average: zeros."""
    column = find_column(mdata, covariate.name)
    if column is None:
        return np.zeros((mdata.n_obs, covariate.width), np.float32)
    if covariate.categories:
        return np.stack([(column.astype(str) == c).to_numpy(np.float32) for c in covariate.categories], axis=1)
    try:
        numbers = column.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Column {covariate.name!r} holds {column.iloc[0]!r}, but the model was trained with numbers there.",
            f"mdata.obs[{covariate.name!r}]",
            "Convert the column to numbers.",
        ) from error
    return ((numbers - covariate.center) / covariate.scale).astype(np.float32)[:, None]


def _labels(mdata: mudata.MuData, name: str, categories: Sequence[str]) -> ModalityTable:
    """Make a column of labels a modality with one indicator column per category."""
    column, codes = find_column(mdata, name), np.full(mdata.n_obs, -1)
    if column is not None:
        codes = pd.Categorical(column.astype(str).where(column.notna()), categories=list(categories)).codes
    known = np.flatnonzero(codes >= 0)
    row = np.full(mdata.n_obs, -1)
    row[known] = np.arange(len(known))
    values = np.eye(len(categories), dtype=np.float32)[codes[known]]
    return ModalityTable(name, tuple(categories), values, row, None, np.ones(mdata.n_obs, np.float32), is_label=True)


def _table(
    mdata: mudata.MuData,
    name: str,
    features: Sequence[str],
    config: DataConfig,
    batch: np.ndarray | None,
    *,
    new: bool,
) -> Table:
    """Read one modality; `new` data for a trained model may lack it, or some features' values, altogether."""
    if new and (name not in mdata.mod or 0 in mdata.mod[name].shape):
        nothing = sp.csr_matrix((0, len(features)), dtype=np.float32)
        row = np.full(mdata.n_obs, -1)
        return ModalityTable(name, tuple(features), nothing, row, None, np.full(mdata.n_obs, np.nan, np.float32))
    layer, coverage_layer = (per_modality(of, [name]).get(name) for of in (config.layers, config.coverage_layers))
    raise_together(check_modality(mdata, name, layer, coverage_layer))
    adata = mdata.mod[name]
    row, library = adata.obs_names.get_indexer(mdata.obs_names), np.full(mdata.n_obs, np.nan, np.float32)
    table = _rows(adata, name, tuple(features), (layer, coverage_layer), row, library, new=new)
    raise_together(check_values(name, table.survey, features, may_be_empty=new))
    # Which rows hold anything, and how much, is known from the one look that the table has had, and keeps.
    row[(row >= 0) & (table.survey.n_measured_in[row] == 0)] = -1
    library[:] = _library(table.survey.totals, row, batch)
    return table


def _rows(
    adata: AnnData,
    name: str,
    features: tuple[str, ...],
    layers: tuple[str | None, str | None],
    row: np.ndarray,
    library: np.ndarray,
    *,
    new: bool,
) -> Table:
    """Find the values of a modality, in memory or on disk, with the features in the order asked for."""
    layer, coverage_layer = layers
    x = adata.X if layer is None else adata.layers[layer]
    names = adata.var_names.astype(str)
    columns = None if tuple(names) == features else _positions(names, features, name)
    if lies_on_disk(x):
        if coverage_layer is not None:
            raise InputError(
                f"Modality {name!r} lies on disk, and counts out of a coverage are read from memory only.",
                f"option coverage_layers, mdata[{name!r}]",
                "Read the file whole: mudata.read_h5mu(path) without backed, or the command line without --from-disk.",
            )
        matrix = x if isinstance(x, StoredMatrix) else StoredMatrix([x], name)
        return StoredTable(name, features, StoredRows(matrix, features, columns), row, library)
    values, coverage = _in_order(as_matrix(x, name), columns), None
    if coverage_layer is not None:
        # Dense: in single cells most entries are not covered, and each of these would be stored in the mask.
        values = _dense(values)
        coverage = _dense(_in_order(as_matrix(adata.layers[coverage_layer], name), columns))
        coverage = np.where(np.isnan(coverage), np.float32(0), coverage)
        raise_together(check_coverage(name, values, coverage, features, may_be_empty=new))
        values = np.where(coverage > 0, values, np.float32(np.nan))
    values, missing = split_missing(values)
    return ModalityTable(name, features, values, row, missing, library, coverage=coverage)


def _in_order(matrix: Matrix, columns: np.ndarray | None) -> Matrix:
    return matrix if columns is None else matrix[:, columns]


def _dense(matrix: Matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _positions(names: pd.Index, features: Sequence[str], name: str) -> np.ndarray:
    positions = names.get_indexer(pd.Index(features))
    lacking = np.flatnonzero(positions < 0)
    if len(lacking):
        raise InputError(
            f"Modality {name!r} lacks {len(lacking):,} of the {len(features):,} features that the model was trained "
            f"on, the first is {features[lacking[0]]!r}.",
            f"mdata[{name!r}].var_names",
            "Add these features with NaN for values that were not measured, or train again without them.",
        )
    return positions


def _library(totals: np.ndarray, row: np.ndarray, batch: np.ndarray | None) -> np.ndarray:
    totals = np.maximum(totals, 1.0)  # a row of zeros is a measurement too; its mean must stay positive
    library = np.full(len(row), np.nan)
    library[row >= 0] = totals[row[row >= 0]]
    if np.isnan(library).all():
        return library.astype(np.float32)
    if batch is not None:
        for level in np.unique(batch):
            inside = batch == level
            if np.isfinite(library[inside]).any():
                library[inside & np.isnan(library)] = np.nanmedian(library[inside])
    return np.where(np.isnan(library), np.nanmedian(library), library).astype(np.float32)
