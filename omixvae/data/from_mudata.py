"""MuData → `MaskedModalities`: presence from names, sparse stays sparse, NaN becomes a mask, a zero stays a zero."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from omixvae.config import DataConfig
from omixvae.data.check import (
    check_container,
    check_links,
    check_names_and_layers,
    check_options,
    check_values,
)
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
"""Share of the features without any value in new data from which on the user is told."""


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
        That of a trained model: features are brought into its order (further ones are left out), those that are missing
        in `mdata` were not measured, and modalities that are missing are absent for every observation. Taken from
        `mdata` when not given.
    compositions
        Shape (g,) for modalities of new data whose totals are size factors: how the total of an average observation of
        the training is divided among the features. Where features are missing, the total of all is estimated from it.
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
    raise_together(check_container(mdata))
    if schema is None:
        data, notes = _read_to_train(mdata, config)
    else:
        data, notes = _read_for_model(mdata, config, _NewData(schema, compositions, allow_missing_features))
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return data


def _read_to_train(mdata: mudata.MuData, config: DataConfig) -> tuple[MaskedModalities, list[str]]:
    """Read what the options ask for, and return what the user should know about it, in sentences."""
    errors = [*check_options(mdata, config), *check_columns(mdata, config), *check_levels(mdata, config)]
    batch = None if errors else _column(mdata, config.batch_key)
    features = {m: tuple(mdata.mod[m].var_names.astype(str)) for m in config.modalities or mdata.mod if m in mdata.mod}

    def table(name: str) -> Table:
        layers = _layers(config, name)
        raise_together(check_names_and_layers(mdata, name, *layers))
        adata = mdata.mod[name]
        values = _values(_Modality(name, adata, features[name], *layers))
        raise_together(check_values(name, values.survey, features[name]))
        row = _measured_rows(values, adata.obs_names.get_indexer(mdata.obs_names))
        return _with_rows(values, row, _library(values.survey.totals, row, batch))

    tables = _collect(table, (name for name in features if name != config.labels_key), errors)
    data, notes = _put_together(mdata, tables, _schema(mdata, config, features))
    raise_together(check_links(data))
    return data, notes


def _read_for_model(mdata: mudata.MuData, config: DataConfig, new: "_NewData") -> tuple[MaskedModalities, list[str]]:
    """Read what a trained model knows, and return what the user should know about it, in sentences."""
    available = _options_for(config, mdata, new.schema)
    errors = check_options(mdata, available)
    batch = None if errors else _column(mdata, available.batch_key)
    features = new.schema.features

    def table(name: str) -> Table:
        if name not in mdata.mod or 0 in mdata.mod[name].shape:
            return _absent(name, features[name], mdata.n_obs)
        layers = _layers(config, name)
        raise_together(check_names_and_layers(mdata, name, *layers, new=True))
        adata = mdata.mod[name]
        columns = new.columns(adata, name)
        values = _values(_Modality(name, adata, features[name], *layers, columns))
        raise_together(check_values(name, values.survey, features[name], may_be_empty=True))
        row = _measured_rows(values, adata.obs_names.get_indexer(mdata.obs_names))
        totals = values.survey.totals / new.part_of_total(name, columns)
        read = _with_rows(values, row, _library(totals, row, batch))
        new.note_unmeasured(read, columns)
        return read

    tables = _collect(table, (name for name in features if name != new.schema.labels_key), errors)
    data, notes = _put_together(mdata, tables, new.schema)
    return data, [*new.notes, *_unused_modalities(mdata, config, new.schema), *notes]


def _collect(read: Callable[[str], Table], names: Iterable[str], errors: list[InputError]) -> list[Table]:
    """Read each modality; raise what is wrong with any of them together with the errors found before."""
    tables = []
    for name in names:
        try:
            tables.append(read(name))
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    return tables


def _put_together(mdata: mudata.MuData, tables: Sequence[Table], schema: Schema) -> tuple[MaskedModalities, list[str]]:
    """Add covariates and labels to the modalities; also return what the user should know about them."""
    covariates = [np.zeros((mdata.n_obs, 0), np.float32)]
    notes: list[str] = []
    errors: list[InputError] = []
    for covariate in schema.covariates:
        try:
            numbers, said = encode(mdata, covariate)
            covariates.append(numbers)
            notes += said
        except InputError as error:
            errors.append(error)
    raise_together(errors)
    if schema.labels_key is not None:
        labels, said = _labels(mdata, schema.labels_key, schema.features[schema.labels_key])
        tables = [*tables, labels]
        notes += said
    names = mdata.obs_names.to_numpy()
    return MaskedModalities(tuple(tables), names, np.concatenate(covariates, axis=1), schema), notes


@dataclass(frozen=True)
class _NewData:
    """How data are read for a trained model, and what the user should know about them."""

    schema: Schema
    compositions: Mapping[str, np.ndarray]
    allow_missing_features: bool
    notes: list[str] = field(default_factory=list)

    def columns(self, adata: AnnData, name: str) -> np.ndarray:
        """Find the column of each feature, -1 where it is missing."""
        features = self.schema.features[name]
        found = find_features(adata, features)
        allowed = self.allow_missing_features
        raise_together(check_features(name, adata, features, found.columns, allow_missing_features=allowed))
        self.notes.extend(found.sentences(name))
        return found.columns

    def part_of_total(self, name: str, columns: np.ndarray) -> float:
        """Return the share of an average observation's total that is in the features that are not missing."""
        composition = self.compositions.get(name)
        if composition is None or not (columns >= 0).any():
            return 1.0
        return float(composition[columns >= 0].sum() / composition.sum())

    def note_unmeasured(self, table: Table, columns: np.ndarray) -> None:
        """Take note of features without a value, whether their names are missing or their values."""
        empty = np.flatnonzero(table.survey.n_measured == 0)
        # Of a few observations, some features have only NaN by chance.
        many = (columns < 0).any() or len(empty) >= MANY_UNMEASURED * len(columns)
        if many and table.present.any():
            self.notes.append(
                f"{table.name!r} has no value for {len(empty):,} of the {table.n_features:,} features that the model "
                f"was trained on, the first is {table.features[empty[0]]!r}; they are taken as not measured."
            )


def _options_for(config: DataConfig, mdata: mudata.MuData, schema: Schema) -> DataConfig:
    """Restrict the options to what new data have: a trained model can do without the rest."""
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


def _unused_modalities(mdata: mudata.MuData, config: DataConfig, schema: Schema) -> list[str]:
    """Name the modalities that a trained model cannot use: a misspelt name would otherwise go unnoticed."""
    missing = [m for m in schema.modalities if m not in mdata.mod and m != schema.labels_key]
    if config.modalities is not None or not missing:
        return []
    return [
        f"Modality {name!r} is not used: the model was not trained on it. {nearest(name, missing)}"
        for name in mdata.mod
        if name not in schema.modalities
    ]


def _column(mdata: mudata.MuData, key: str | None) -> np.ndarray | None:
    """Return the levels of a column as text; None if it is not asked for or not there."""
    column = None if key is None else find_column(mdata, key)
    return None if column is None else column.astype(str).to_numpy()


def _layers(config: DataConfig, name: str) -> tuple[str | None, str | None]:
    """Return the layer with the values of a modality, and the one with its coverage."""
    layer, coverage_layer = (per_modality(of, [name]).get(name) for of in (config.layers, config.coverage_layers))
    return layer, coverage_layer


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
    """Turn a column of labels into a modality with one indicator column per category."""
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


def _absent(name: str, features: Sequence[str], n_obs: int) -> ModalityTable:
    """Make a modality that no observation has."""
    nothing = sp.csr_matrix((0, len(features)), dtype=np.float32)
    library = np.full(n_obs, np.nan, np.float32)
    return ModalityTable(name, tuple(features), nothing, np.full(n_obs, -1), None, library)


@dataclass(frozen=True, eq=False)
class _Modality:
    """A modality of a MuData, and which of its values are read.

    Parameters
    ----------
    name, adata
        The modality.
    features
        Those to read, in this order.
    layer, coverage_layer
        Where values and coverages lie; X and none when not given.
    columns
        New data alone: the column of each feature, -1 where it is missing.
    """

    name: str
    adata: AnnData
    features: tuple[str, ...]
    layer: str | None
    coverage_layer: str | None
    columns: np.ndarray | None = None


def _values(m: _Modality) -> ModalityTable | StoredTable:
    """Find the values of a modality, in memory or on disk, one row for each observation that it has."""
    x = m.adata.X if m.layer is None else m.adata.layers[m.layer]
    row, library = np.arange(m.adata.n_obs), np.full(m.adata.n_obs, np.nan, np.float32)
    columns = m.columns
    if columns is not None and np.array_equal(columns, np.arange(m.adata.n_vars)):
        columns = None
    if lies_on_disk(x):
        if m.coverage_layer is not None:
            raise InputError(
                f"Modality {m.name!r} lies on disk, and counts out of a coverage are read from memory only.",
                f"mdata[{m.name!r}].layers[{m.coverage_layer!r}]",
                "Read the file whole: mudata.read_h5mu(path) without backed, or the command line without --from-disk.",
            )
        matrix = x if isinstance(x, StoredMatrix) else StoredMatrix([x], m.name)
        matrix.check(f"mdata[{m.name!r}].X" if m.layer is None else f"mdata[{m.name!r}].layers[{m.layer!r}]")
        return StoredTable(m.name, m.features, StoredRows(matrix, m.features, columns), row, library)
    if m.coverage_layer is None:
        values, missing = arrange(as_matrix(x, m.name), columns)
        return ModalityTable(m.name, m.features, values, row, missing, library)
    # Dense: in single cells most entries are not covered, and each of these would be stored in the mask.
    values, coverage = (dense(as_matrix(matrix, m.name)) for matrix in (x, m.adata.layers[m.coverage_layer]))
    if columns is not None:
        values, coverage = (np.where(columns >= 0, v[:, columns], np.float32(np.nan)) for v in (values, coverage))
    coverage = np.where(np.isnan(coverage), np.float32(0), coverage)
    raise_together(check_coverage(m.name, values, coverage, m.features, may_be_empty=m.columns is not None))
    values, missing = arrange(np.where(coverage > 0, values, np.float32(np.nan)), None)
    return ModalityTable(m.name, m.features, values, row, missing, library, coverage=coverage)


def _measured_rows(table: Table, row: np.ndarray) -> np.ndarray:
    """Return the stored row of each observation (n,), -1 also where it holds no value."""
    return np.where((row >= 0) & (table.survey.n_measured_in[row] == 0), -1, row)


def _with_rows(table: ModalityTable | StoredTable, row: np.ndarray, library: np.ndarray) -> Table:
    """Assign the stored rows of a table to observations, each with its total."""
    assigned = replace(table, row=row, library=library)
    if isinstance(assigned, ModalityTable):
        # A cached property, which `replace` does not copy: all values would be surveyed once more.
        assigned.__dict__["survey"] = table.survey
    return assigned


def _library(totals: np.ndarray, row: np.ndarray, batch: np.ndarray | None) -> np.ndarray:
    """Compute the library size of each observation: its total, at least 1; where absent, the median of its batch.

    Parameters
    ----------
    totals
        Shape (rows,): sum of the measured entries of each stored row.
    row
        Shape (n,): stored row of each observation, -1 where the modality is absent.
    batch
        Shape (n,): batch of each observation, if one is given.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32. The median of all observations where none of the batch has the modality; NaN where none at
        all has it.
    """
    totals = np.maximum(totals, 1.0)  # a row of zeros is a measurement too; its mean must stay positive
    library = pd.Series(np.append(totals, np.nan)[row])  # the last is of those that are not there
    if batch is not None:
        library = library.fillna(library.groupby(batch).transform("median"))
    known = library.dropna()
    return library.fillna(known.median() if len(known) else np.nan).to_numpy(np.float32)
