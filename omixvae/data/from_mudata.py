"""MuData → `MaskedModalities`: presence from names, sparse stays sparse, NaN becomes a mask, a zero stays a zero."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from omixvae.config import DataConfig
from omixvae.data.check import check_container, check_links, check_modality, check_options, check_values
from omixvae.data.columns import check_columns, find_column
from omixvae.data.covariates import as_covariate, encode, known_levels, levels_of
from omixvae.data.coverage import check_coverage
from omixvae.data.features import check_features, find_features
from omixvae.data.levels import check_levels
from omixvae.data.masked import MaskedModalities, Schema
from omixvae.data.matrices import arrange, as_matrix, dense
from omixvae.data.stored import StoredRows, StoredTable
from omixvae.data.stored_matrix import StoredMatrix, lies_on_disk
from omixvae.data.tables import ModalityTable, Table
from omixvae.errors import InputError, nearest, raise_together
from omixvae.options import per_modality

__all__ = ["from_mudata"]

MANY_UNMEASURED = 0.1
"""Part of the features of which new data hold nothing but NaN, from which on it is said."""


def from_mudata(
    mdata: mudata.MuData,
    config: DataConfig | None = None,
    schema: Schema | None = None,
    compositions: Mapping[str, np.ndarray] = MappingProxyType({}),
    *,
    allow_missing_features: bool = False,
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
        That of a trained model: features are brought into its order (further ones are left out), those that `mdata`
        lacks were not measured, and modalities that it lacks are absent for every observation. Taken from `mdata` when
        not given.
    compositions
        Shape (g,) for modalities of new data whose totals are size factors: how the total of an average observation of
        the training is divided among the features. Where features lack, the total of all is estimated from it.
    allow_missing_features
        Read new data also where they have so few of the model's features that these tell next to nothing.

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
    raise_together([*check_container(mdata)])
    new = None if schema is None else _NewData(schema, compositions, allow_missing_features)
    asked = config if schema is None else _available(config, mdata, schema)
    errors = check_options(mdata, asked)
    errors += [*check_columns(mdata, asked), *check_levels(mdata, asked)] if schema is None else []
    features = _features(mdata, asked) if schema is None else schema.features
    labels_key = config.labels_key if schema is None else schema.labels_key
    batch_column = None if errors or asked.batch_key is None else find_column(mdata, asked.batch_key)
    batch = None if batch_column is None else batch_column.astype(str).to_numpy()
    tables, covariates = [], [np.zeros((mdata.n_obs, 0), np.float32)]
    for name in [name for name in features if name != labels_key]:
        try:
            tables.append(_table(mdata, name, features[name], config, batch, new))
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    read = schema or _schema(mdata, asked, features)
    notes = [] if new is None else [*new.notes, *_differences(mdata, config, read)]
    for covariate in read.covariates:
        try:
            numbers, said = encode(mdata, covariate)
            covariates.append(numbers)
            notes += said
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    if read.labels_key is not None:
        table, said = _labels(mdata, read.labels_key, read.features[read.labels_key])
        tables.append(table)
        notes += said
    data = MaskedModalities(tuple(tables), mdata.obs_names.to_numpy(), np.concatenate(covariates, axis=1), read)
    if new is None:
        raise_together([*check_links(data)])
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return data


@dataclass(frozen=True)
class _NewData:
    """How data are read for a trained model, and what is to be said of them."""

    schema: Schema
    compositions: Mapping[str, np.ndarray]
    allow_missing_features: bool
    notes: list[str] = field(default_factory=list)

    def columns(self, adata: AnnData, name: str) -> np.ndarray:
        """Find the column of each feature, -1 where it is lacking."""
        features = self.schema.features[name]
        found = find_features(adata, features)
        allowed = self.allow_missing_features
        raise_together([*check_features(name, adata, features, found.columns, allow_missing_features=allowed)])
        self.notes.extend(found.sentences(name))
        return found.columns

    def part_of_total(self, name: str, columns: np.ndarray) -> float:
        """Return what part of an average observation's total the features make up that are not lacking."""
        composition = self.compositions.get(name)
        if composition is None or not (columns >= 0).any():
            return 1.0
        return float(composition[columns >= 0].sum() / composition.sum())

    def note_unmeasured(self, table: Table, columns: np.ndarray) -> None:
        """Take note of features without a value, whether their names are lacking or their values."""
        empty = np.flatnonzero(table.survey.n_measured == 0)
        # Of a few observations, some features have only NaN by chance.
        many = (columns < 0).any() or len(empty) >= MANY_UNMEASURED * len(columns)
        if many and table.present.any():
            self.notes.append(
                f"{table.name!r} has no value for {len(empty):,} of the {table.n_features:,} features that the model "
                f"was trained on, the first is {table.features[empty[0]]!r}; they are taken as not measured."
            )


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


def _differences(mdata: mudata.MuData, config: DataConfig, schema: Schema) -> list[str]:
    """Return which modalities a trained model cannot use: a misspelt name would otherwise go unnoticed."""
    lacking = [m for m in schema.modalities if m not in mdata.mod and m != schema.labels_key]
    if config.modalities is not None or not lacking:
        return []
    return [
        f"Modality {name!r} is not used: the model was not trained on it. {nearest(name, lacking)}"
        for name in mdata.mod
        if name not in schema.modalities
    ]


def _features(mdata: mudata.MuData, config: DataConfig) -> dict[str, tuple[str, ...]]:
    return {m: tuple(mdata.mod[m].var_names.astype(str)) for m in config.modalities or mdata.mod if m in mdata.mod}


def _schema(mdata: mudata.MuData, config: DataConfig, features: dict[str, tuple[str, ...]]) -> Schema:
    columns = {key: find_column(mdata, key) for key in (config.batch_key, *config.covariate_keys) if key is not None}
    covariates = tuple(
        as_covariate(column, "batch_key" if key == config.batch_key else "covariate_keys")
        for key, column in columns.items()
        if column is not None
    )
    labels = None if config.labels_key is None else find_column(mdata, config.labels_key)
    if config.labels_key is not None and labels is not None:
        features = features | {config.labels_key: levels_of(labels)}
    return Schema(features, config.labels_key, covariates, config.batch_key)


def _labels(mdata: mudata.MuData, name: str, categories: Sequence[str]) -> tuple[ModalityTable, list[str]]:
    """Make a column of labels a modality with one indicator column per category."""
    column, codes = find_column(mdata, name), np.full(mdata.n_obs, -1)
    notes: list[str] = []
    if column is not None:
        labels, notes = known_levels(column, categories)
        codes = pd.Categorical(labels, categories=list(categories)).codes
    known = np.flatnonzero(codes >= 0)
    row = np.full(mdata.n_obs, -1)
    row[known] = np.arange(len(known))
    values = np.eye(len(categories), dtype=np.float32)[codes[known]]
    totals = np.ones(mdata.n_obs, np.float32)
    return ModalityTable(name, tuple(categories), values, row, None, totals, is_label=True), notes


def _table(
    mdata: mudata.MuData,
    name: str,
    features: Sequence[str],
    config: DataConfig,
    batch: np.ndarray | None,
    new: _NewData | None,
) -> Table:
    """Read one modality; `new` data for a trained model may lack it, or some features, altogether."""
    if new is not None and (name not in mdata.mod or 0 in mdata.mod[name].shape):
        nothing = sp.csr_matrix((0, len(features)), dtype=np.float32)
        row = np.full(mdata.n_obs, -1)
        return ModalityTable(name, tuple(features), nothing, row, None, np.full(mdata.n_obs, np.nan, np.float32))
    layer, coverage_layer = (per_modality(of, [name]).get(name) for of in (config.layers, config.coverage_layers))
    raise_together([*check_modality(mdata, name, layer, coverage_layer, new=new is not None)])
    adata = mdata.mod[name]
    row, library = adata.obs_names.get_indexer(mdata.obs_names), np.full(mdata.n_obs, np.nan, np.float32)
    columns = None if new is None else new.columns(adata, name)
    table = _rows(adata, name, tuple(features), (layer, coverage_layer), row, library, columns)
    raise_together([*check_values(name, table.survey, features, may_be_empty=new is not None)])
    # Which rows hold anything, and how much, is known from the one look that the table has had, and keeps.
    row[(row >= 0) & (table.survey.n_measured_in[row] == 0)] = -1
    totals = table.survey.totals
    if new is not None and columns is not None:
        totals = totals / new.part_of_total(name, columns)
        new.note_unmeasured(table, columns)
    library[:] = _library(totals, row, batch)
    return table


def _rows(
    adata: AnnData,
    name: str,
    features: tuple[str, ...],
    layers: tuple[str | None, str | None],
    row: np.ndarray,
    library: np.ndarray,
    columns: np.ndarray | None,
) -> Table:
    """Find the values of a modality, in memory or on disk, with the features in the order asked for."""
    layer, coverage_layer = layers
    x = adata.X if layer is None else adata.layers[layer]
    may_be_empty = columns is not None
    if columns is not None and np.array_equal(columns, np.arange(adata.n_vars)):
        columns = None
    if lies_on_disk(x):
        if coverage_layer is not None:
            raise InputError(
                f"Modality {name!r} lies on disk, and counts out of a coverage are read from memory only.",
                f"mdata[{name!r}].layers[{coverage_layer!r}]",
                "Read the file whole: mudata.read_h5mu(path) without backed, or the command line without --from-disk.",
            )
        matrix = x if isinstance(x, StoredMatrix) else StoredMatrix([x], name)
        matrix.check(f"mdata[{name!r}].X" if layer is None else f"mdata[{name!r}].layers[{layer!r}]")
        return StoredTable(name, features, StoredRows(matrix, features, columns), row, library)
    if coverage_layer is None:
        values, missing = arrange(as_matrix(x, name), columns)
        return ModalityTable(name, features, values, row, missing, library)
    # Dense: in single cells most entries are not covered, and each of these would be stored in the mask.
    values, coverage = (dense(as_matrix(m, name)) for m in (x, adata.layers[coverage_layer]))
    if columns is not None:
        values, coverage = (np.where(columns >= 0, m[:, columns], np.float32(np.nan)) for m in (values, coverage))
    coverage = np.where(np.isnan(coverage), np.float32(0), coverage)
    raise_together([*check_coverage(name, values, coverage, features, may_be_empty=may_be_empty)])
    values, missing = arrange(np.where(coverage > 0, values, np.float32(np.nan)), None)
    return ModalityTable(name, features, values, row, missing, library, coverage=coverage)


def _library(totals: np.ndarray, row: np.ndarray, batch: np.ndarray | None) -> np.ndarray:
    totals = np.maximum(totals, 1.0)  # a row of zeros is a measurement too; its mean must stay positive
    library = pd.Series(np.append(totals, np.nan)[row])  # the last is of those that are not there
    if batch is not None:
        library = library.fillna(library.groupby(batch).transform("median"))
    return library.fillna(library.median()).to_numpy(np.float32)
