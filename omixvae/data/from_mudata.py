"""MuData → `MaskedModalities`: presence from names, sparse stays sparse, NaN becomes a mask, a zero stays a zero."""

from collections.abc import Sequence

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.config import DataConfig
from omixvae.data.check import check_columns, check_modalities, check_values
from omixvae.data.masked import Covariate, MaskedModalities, Matrix, ModalityTable, Schema
from omixvae.errors import InputError, raise_together

__all__ = ["from_mudata"]


def from_mudata(
    mdata: mudata.MuData, config: DataConfig | None = None, schema: Schema | None = None
) -> MaskedModalities:
    """Read a MuData as masked modalities.

    Parameters
    ----------
    mdata
        Observations may be absent from any modality, in any order, and values may be NaN. It is not changed.
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
    errors = check_modalities(mdata, _available(config, mdata) if schema else config)
    errors += check_columns(mdata, _available(config, mdata) if schema else config)
    raise_together(errors)
    schema = schema or _schema(mdata, config)
    covariates = np.concatenate(
        [np.zeros((mdata.n_obs, 0), np.float32), *(_encode(mdata.obs, c) for c in schema.covariates)], axis=1
    )
    batch = None
    if schema.batch_key is not None and schema.batch_key in mdata.obs:
        batch = mdata.obs[schema.batch_key].astype(str).to_numpy()
    tables = []
    for name, features in schema.features.items():
        if name == schema.labels_key:
            tables.append(_labels(mdata.obs, name, features))
            continue
        try:
            tables.append(_table(mdata, name, features, config.layers.get(name), batch))
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    return MaskedModalities(tuple(tables), mdata.obs_names.to_numpy(), covariates, schema)


def _available(config: DataConfig, mdata: mudata.MuData) -> DataConfig:
    """Ask of new data only what it has: a trained model can do without the rest."""
    return DataConfig(
        modalities=tuple(m for m in config.modalities or tuple(mdata.mod) if m in mdata.mod),
        layers={m: layer for m, layer in config.layers.items() if m in mdata.mod},
        batch_key=config.batch_key if config.batch_key in mdata.obs else None,
        covariate_keys=config.covariate_keys,
    )


def _schema(mdata: mudata.MuData, config: DataConfig) -> Schema:
    features = {m: tuple(mdata.mod[m].var_names.astype(str)) for m in config.modalities or mdata.mod}
    if config.labels_key is not None:
        features[config.labels_key] = _levels(mdata.obs[config.labels_key])
    keys = ([config.batch_key] if config.batch_key else []) + list(config.covariate_keys)
    covariates = tuple(_covariate(mdata.obs[k], always_categories=k == config.batch_key) for k in dict.fromkeys(keys))
    return Schema(features, config.labels_key, covariates, config.batch_key)


def _levels(column: "pd.Series[object]") -> tuple[str, ...]:
    return tuple(sorted(column.dropna().astype(str).unique()))


def _covariate(column: "pd.Series[object]", *, always_categories: bool) -> Covariate:
    name = str(column.name)
    if always_categories or not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Covariate(name, _levels(column))
    numbers = column.to_numpy(np.float64)
    return Covariate(name, (), float(numbers.mean()), float(numbers.std()) or 1.0)


def _encode(obs: pd.DataFrame, covariate: Covariate) -> np.ndarray:
    """Turn a column into numbers; a level that the model has not seen (or a missing column) is its average: zeros."""
    if covariate.name not in obs:
        return np.zeros((len(obs), covariate.width), np.float32)
    column = obs[covariate.name]
    if covariate.categories:
        return np.stack([(column.astype(str) == c).to_numpy(np.float32) for c in covariate.categories], axis=1)
    return ((column.to_numpy(np.float64) - covariate.center) / covariate.scale).astype(np.float32)[:, None]


def _labels(obs: pd.DataFrame, name: str, categories: Sequence[str]) -> ModalityTable:
    """Make a column of labels a modality with one indicator column per category."""
    codes = np.full(len(obs), -1)
    if name in obs:
        codes = pd.Categorical(obs[name].astype(str).where(obs[name].notna()), categories=list(categories)).codes
    known = np.flatnonzero(codes >= 0)
    row = np.full(len(obs), -1)
    row[known] = np.arange(len(known))
    values = np.eye(len(categories), dtype=np.float32)[codes[known]]
    return ModalityTable(name, tuple(categories), values, row, None, np.ones(len(obs), np.float32), is_label=True)


def _table(
    mdata: mudata.MuData, name: str, features: Sequence[str], layer: str | None, batch: np.ndarray | None
) -> ModalityTable:
    if name not in mdata.mod:
        nothing = sp.csr_matrix((0, len(features)), dtype=np.float32)
        row = np.full(mdata.n_obs, -1)
        return ModalityTable(name, tuple(features), nothing, row, None, np.ones(mdata.n_obs, np.float32))
    adata = mdata.mod[name]
    values = _as_matrix(adata.X if layer is None else adata.layers[layer], name)
    names = adata.var_names.astype(str)
    if tuple(names) != tuple(features):
        values = values[:, _positions(names, features, name)]
    values, missing = _split_missing(values)
    raise_together(check_values(name, values, missing, features))
    row = adata.obs_names.get_indexer(mdata.obs_names)
    return ModalityTable(name, tuple(features), values, row, missing, _library(values, row, batch))


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


def _as_matrix(x: object, name: str) -> Matrix:
    """Bring whatever AnnData may hold into a float32 array or CSR matrix, without a copy where it already is one."""
    if hasattr(x, "to_memory"):  # a sparse dataset of a backed file, or a lazy array
        x = x.to_memory()
    try:
        if sp.issparse(x):
            return sp.csr_matrix(x, dtype=np.float32)
        return np.asarray(x, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Modality {name!r} holds values that are no numbers ({error}).",
            f"mdata[{name!r}]",
            "Convert them to numbers, with NaN for what was not measured.",
        ) from error


def _split_missing(values: Matrix) -> tuple[Matrix, Matrix | None]:
    """Separate values and missing entries: NaN becomes 0 and an entry of the mask."""
    nan = np.isnan(values if isinstance(values, np.ndarray) else values.data)
    if not nan.any():
        return values, None
    if isinstance(values, np.ndarray):
        return np.where(nan, np.float32(0), values), nan
    filled = values.copy()
    filled.data[nan] = 0
    missing = sp.csr_matrix((nan, values.indices.copy(), values.indptr.copy()), shape=values.shape)
    missing.eliminate_zeros()
    return filled, missing


def _library(values: Matrix, row: np.ndarray, batch: np.ndarray | None) -> np.ndarray:
    totals = np.asarray(values.sum(1, dtype=np.float64)).ravel()
    totals = np.maximum(totals, 1.0)  # a row of zeros is a measurement too; its mean must stay positive
    library = np.where(row >= 0, totals[np.maximum(row, 0)], np.nan)
    if batch is not None:
        for level in np.unique(batch):
            inside = batch == level
            if np.isfinite(library[inside]).any():
                library[inside & np.isnan(library)] = np.nanmedian(library[inside])
    return np.where(np.isnan(library), np.nanmedian(library), library).astype(np.float32)
