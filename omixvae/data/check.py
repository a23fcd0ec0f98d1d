"""What is wrong with an input, in a biologist's words: the same findings for `fit` and for `omixvae inspect`."""

from collections.abc import Mapping, Sequence

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.config import DataConfig
from omixvae.errors import InputError, nearest

__all__ = ["check_columns", "check_modalities", "check_values", "features_phrase"]


def check_modalities(mdata: mudata.MuData, config: DataConfig) -> list[InputError]:
    """Find what is wrong with names, shapes and layers, before any value is read.

    Parameters
    ----------
    mdata
        The input.
    config
        Which modalities and layers are asked for.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> [str(e) for e in check_modalities(simulate(n_obs=50), DataConfig(modalities=("rna", "atac")))]
    ["There is no modality 'atac'. Where: option modalities. How to mend it: Known: 'rna', 'protein'."]
    """
    known = list(mdata.mod)
    errors = []
    if getattr(mdata, "axis", 0) != 0:
        return [
            InputError(
                f"The modalities of this MuData share features, not observations (axis={mdata.axis}).",
                "the MuData's axis",
                "Build it with axis=0: one modality per assay, the same samples in each.",
            )
        ]
    asked = {"modalities": config.modalities or (), "layers": tuple(config.layers)}
    for option, names in asked.items():
        for name in names:
            if name not in known:
                errors.append(InputError(f"There is no modality {name!r}.", f"option {option}", nearest(name, known)))
    if not known:
        errors.append(
            InputError("The file holds no modality.", "mdata.mod", "Put at least one AnnData into the MuData.")
        )
    for name in [name for name in config.modalities or known if name in known]:
        errors += _check_names(mdata, name) + _check_layer(mdata, name, config.layers)
    return errors


def _check_names(mdata: mudata.MuData, name: str) -> list[InputError]:
    adata = mdata.mod[name]
    if 0 in adata.shape:
        return [
            InputError(
                f"Modality {name!r} is empty: {adata.n_obs:,} observations by {adata.n_vars:,} features.",
                f"mdata[{name!r}]",
                "Leave it out with the option modalities, or write the file again with its values.",
            )
        ]
    errors = []
    for axis, names, fix in (
        (
            "obs_names",
            adata.obs_names,
            "Make them unique first, e.g. by adding the sample to each barcode (adata.obs_names_make_unique()).",
        ),
        ("var_names", adata.var_names, "Make them unique first with adata.var_names_make_unique()."),
    ):
        twice = names[names.duplicated()]
        if len(twice):
            errors.append(
                InputError(
                    f"{len(twice):,} names of modality {name!r} occur more than once, the first is {twice[0]!r}.",
                    f"mdata[{name!r}].{axis}",
                    fix,
                )
            )
    if not errors:
        marked = np.asarray(mdata.obsm[name]).ravel().astype(bool)
        if not np.array_equal(marked, mdata.obs_names.isin(adata.obs_names)):
            errors.append(
                InputError(
                    f"The MuData no longer fits its modality {name!r}, which was changed after it was put together.",
                    f"mdata.obsm[{name!r}]",
                    "Call mdata.update() and try again.",
                )
            )
    return errors


def _check_layer(mdata: mudata.MuData, name: str, layers: Mapping[str, str]) -> list[InputError]:
    adata = mdata.mod[name]
    layer = layers.get(name)
    if layer is not None and layer not in adata.layers:
        known = (
            nearest(layer, adata.layers) if len(adata.layers) else "The modality has no layers; leave the option out."
        )
        return [
            InputError(f"Modality {name!r} has no layer {layer!r}.", f"option layers, mdata[{name!r}].layers", known)
        ]
    if layer is None and adata.X is None:
        return [
            InputError(
                f"Modality {name!r} has no X.",
                f"mdata[{name!r}].X",
                f"Say which layer holds its values: layers={{{name!r}: ...}}.",
            )
        ]
    return []


def check_values(
    name: str, values: np.ndarray | sp.csr_matrix, missing: np.ndarray | sp.csr_matrix | None, features: Sequence[str]
) -> list[InputError]:
    """Find what no likelihood can take: infinities, and features without a single value.

    Parameters
    ----------
    name
        The modality.
    values
        Shape (rows, g), dense or CSR, 0 where an entry is missing.
    missing
        Shape of `values`, true where an entry is missing; None when there is none.
    features
        Names of the g features.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> values = np.array([[1.0, np.inf]])
    >>> print(check_values("rna", values, None, ["CD4", "CD8A"])[0].problem)
    Modality 'rna' holds 1 infinite value.
    """
    errors = []
    infinite = np.isinf(values if isinstance(values, np.ndarray) else values.data)
    if infinite.any():
        columns = np.flatnonzero(infinite.any(0)) if isinstance(values, np.ndarray) else values.indices[infinite]
        n = int(infinite.sum())
        errors.append(
            InputError(
                f"Modality {name!r} holds {n:,} infinite value{'s' if n > 1 else ''}.",
                f"mdata[{name!r}], {features_phrase(columns, features)}",
                "Replace them by NaN where nothing was measured; a log of zero is the usual cause.",
            )
        )
    if missing is not None:
        empty = np.flatnonzero(np.asarray(missing.sum(0)).ravel() == values.shape[0])
        if len(empty):
            errors.append(
                InputError(
                    f"{len(empty):,} feature{'s' if len(empty) > 1 else ''} of modality {name!r} "
                    f"{'have' if len(empty) > 1 else 'has'} no value at all, only NaN.",
                    f"mdata[{name!r}], {features_phrase(empty, features)}",
                    "Drop these features before training.",
                )
            )
    return errors


def features_phrase(columns: np.ndarray, features: Sequence[str]) -> str:
    """Name how many features are meant, and the first.

    Parameters
    ----------
    columns
        Their positions, in any order, repeated or not.
    features
        Names of all features.

    Returns
    -------
    str
        A phrase for the `where` part of an `InputError`.

    Examples
    --------
    >>> features_phrase(np.array([1, 1]), ["CD4", "CD8A"])
    "1 of 2 features, first: 'CD8A'"
    """
    unique = np.unique(columns)
    return f"{len(unique):,} of {len(features):,} features, first: {features[unique[0]]!r}"


def check_columns(mdata: mudata.MuData, config: DataConfig) -> list[InputError]:
    """Find what is wrong with the columns of obs that the options name.

    Parameters
    ----------
    mdata
        The input.
    config
        Names of the batch, covariate and label columns.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> [e.problem for e in check_columns(simulate(n_obs=50), DataConfig(batch_key="bath"))]
    ["There is no column 'bath'."]
    """
    errors = []
    known = list(mdata.obs.columns)
    keys = {
        "batch_key": (config.batch_key,),
        "covariate_keys": config.covariate_keys,
        "labels_key": (config.labels_key,),
    }
    for option, names in keys.items():
        for name in filter(None, names):
            if name not in known:
                errors.append(
                    InputError(f"There is no column {name!r}.", f"option {option}, mdata.obs", nearest(name, known))
                )
                continue
            column: pd.Series[object] = mdata.obs[name]
            n_missing = int(column.isna().sum())
            if option == "labels_key" and n_missing == len(column):
                errors.append(
                    InputError(f"Column {name!r} holds no label at all.", "option labels_key", "Leave the option out.")
                )
            if option != "labels_key" and n_missing:
                errors.append(
                    InputError(
                        f"Column {name!r} is missing for {n_missing:,} of {len(column):,} observations.",
                        f"option {option}, mdata.obs[{name!r}], first: {column.index[column.isna()][0]!r}",
                        "Fill the column, or leave the option out.",
                    )
                )
    if config.labels_key is not None and config.labels_key in mdata.mod:
        errors.append(
            InputError(
                f"{config.labels_key!r} is the name of a modality and of the label column.",
                "option labels_key",
                "Rename the column of mdata.obs.",
            )
        )
    return errors
