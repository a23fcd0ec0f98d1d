"""Write what was found into a MuData, under the names of `omixvae.keys`."""

import importlib.metadata
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd
import torch

from omixvae.config import Config
from omixvae.data.features import find_features
from omixvae.data.masked import MaskedModalities
from omixvae.data.tables import Table
from omixvae.errors import InputError
from omixvae.files import check_target, whole_folder, writing
from omixvae.inference import (
    cluster_probabilities,
    entropy,
    information,
    predict,
    private_latent,
    shared_latent,
)
from omixvae.keys import AXES, AXES_OF_MODALITY, Keys
from omixvae.mudata_io import without_pulling
from omixvae.plan import Plan
from omixvae.training.schedule import History
from omixvae.vae import MultimodalVAE

__all__ = [
    "annotate",
    "as_mudata",
    "check_free",
    "modalities_to_impute",
    "overlay",
    "stream_prediction",
    "versions",
]

LARGEST_IMPUTATION = 2_000_000_000
"""Most bytes that the imputed values of one modality (mean and deviation) may take in a MuData."""

DEFAULT_KEY = Config().results.key_added

CLUSTER_SAMPLES = 64
IMPUTATION_SAMPLES = 32


def annotate(
    mdata: mudata.MuData, network: MultimodalVAE, data: MaskedModalities, config: Config, plan: Plan, history: History
) -> None:
    """Write latents, clusters, imputed values and the record of the run into a MuData.

    Parameters
    ----------
    mdata
        Changed in place, only under keys that begin with ``key_added``.
    network
        The fitted network.
    data
        `mdata` as masked modalities.
    config, plan, history
        What was asked for, what was done, and how it went.

    """
    keys = Keys(config.results.key_added)
    check_free(mdata, keys.added)
    imputed = modalities_to_impute(config, data)
    _forget(mdata, keys)
    mdata.obsm[keys.latent], mdata.obsm[keys.latent_sd] = shared_latent(network, data)
    _write_private(mdata, network, data, plan, keys)
    probabilities = cluster_probabilities(network, data, CLUSTER_SAMPLES, plan.seed)
    if probabilities.shape[1]:
        names = [str(c) for c in range(probabilities.shape[1])]
        mdata.obs[keys.cluster] = pd.Categorical.from_codes(probabilities.argmax(axis=1), names)
        mdata.obsm[keys.cluster_probabilities] = probabilities
        mdata.obs[keys.cluster_entropy] = entropy(probabilities).astype(np.float32)
    features = {}
    for s, table in enumerate(data.tables):
        if table.name in imputed and _fits(table, data.n_obs):
            features[table.name] = _write_imputed(mdata, network, data, s, keys, plan.seed)
        if table.name in mdata.mod:
            _write_features(mdata.mod[table.name], network, table, s, keys)
    mdata.uns[keys.added] = _record(network, data, config, plan, history) | {"features": features}


def check_free(mdata: mudata.MuData, key: str) -> None:
    """Check that results replace nothing but results.

    Parameters
    ----------
    mdata
        Before results are written.
    key
        The option `key_added`. All under its default is taken for ours, also where the record of the run was lost.

    Raises
    ------
    InputError
        If something stands where results are to be written, without the record of an earlier run, or two of them would
        have one name.
    """
    keys, record = Keys(key), mdata.uns.get(key)
    for name in mdata.mod:
        other = next((m for m in mdata.mod if keys.imputed(m) == keys.imputed_sd(name)), None)
        if other is not None:
            raise InputError(
                f"Imputed values of modality {other!r} and deviations of {name!r} would have one name.",
                f"mdata.obsm[{keys.imputed(other)!r}]",
                f"Rename the modality {other!r}.",
            )
    if key == DEFAULT_KEY or (isinstance(record, Mapping) and {"plan", "config"} <= set(record)):
        return
    there = [f"mdata.uns[{key!r}]"] if record is not None else []
    for axis in AXES:
        there += [f"mdata.{axis}[{name!r}]" for name in keys.among(getattr(mdata, axis), axis)]
    for modality, adata in mdata.mod.items():
        for axis in AXES_OF_MODALITY:
            names = keys.among(getattr(adata, axis), axis, of_modality=True)
            there += [f"mdata[{modality!r}].{axis}[{name!r}]" for name in names]
    if there:
        raise InputError(
            f"Results under the name {key!r} would replace what omixvae has not written.",
            ", ".join(there),
            "Choose another name by the option key_added, or delete it first.",
        )


def modalities_to_impute(config: Config, data: MaskedModalities) -> tuple[str, ...]:
    """Say which modalities the option `impute` means.

    Parameters
    ----------
    config
        What was asked for.
    data
        Says where something is missing.

    Returns
    -------
    tuple of str
        Names of modalities, in the order of the data.
    """
    asked, names = config.results.impute, data.schema.modalities
    if asked == "none":
        return ()
    if asked == "all":
        return names
    if asked == "missing":
        return tuple(t.name for t in data.tables if t.has_missing or not t.present.all())
    return tuple(name for name in names if name in asked)


def overlay(table: Table, rows: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put measured values over predicted ones; their standard deviation is 0.

    Parameters
    ----------
    table
        The modality.
    rows
        Shape (rows,): positions of the observations.
    mean, sd
        Shape (rows, g): predictions.

    Returns
    -------
    tuple of numpy.ndarray
        Mean and standard deviation, shape (rows, g).
    """
    batch = table.at(rows, torch.device("cpu"), torch.float32)
    mask = batch.mask.numpy()
    return np.where(mask, batch.filled.numpy(), mean), np.where(mask, np.float32(0), sd)


def _forget(mdata: mudata.MuData, keys: Keys) -> None:
    """Remove the results of an earlier run, so that none of them can be taken for those of this one."""
    for axis in AXES:
        for name in keys.among(getattr(mdata, axis), axis):
            del getattr(mdata, axis)[name]
    for adata in mdata.mod.values():
        for axis in AXES_OF_MODALITY:
            for name in keys.among(getattr(adata, axis), axis, of_modality=True):
                del getattr(adata, axis)[name]


def _write_private(
    mdata: mudata.MuData, network: MultimodalVAE, data: MaskedModalities, plan: Plan, keys: Keys
) -> None:
    for s, modality in enumerate(plan.modalities):
        if modality.n_private and modality.name in mdata.mod:
            mean, _ = private_latent(network, data, s, modality.n_private, plan.seed)
            adata = mdata.mod[modality.name]
            adata.obsm[keys.private] = mean[mdata.obs_names.get_indexer(adata.obs_names)]


def _write_features(adata: anndata.AnnData, network: MultimodalVAE, table: Table, s: int, keys: Keys) -> None:
    """Write what is known of each feature of a modality."""
    decoder, likelihood = network.decoders[s], network.likelihoods[s]
    columns = find_features(adata, table.features).columns
    known = np.flatnonzero(columns >= 0)

    def aligned(values: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
        """Bring values of the model's features into the order of the data; something else where it knows no such."""
        result = np.full((adata.n_vars, *values.shape[1:]), otherwise, values.dtype)
        result[columns[known]] = values[known]
        return result

    if decoder.loadings is not None:
        adata.varm[keys.loadings] = aligned(decoder.loadings.detach().cpu().float().numpy())
    if likelihood.takes_coverage:
        adata.var[keys.coverage] = aligned(likelihood.get_buffer("typical_coverage").cpu().float().numpy())
    r2 = aligned(decoder.calibration.skill[0].cpu().float().numpy())
    if np.isfinite(r2).any():
        adata.var[keys.imputation_r2] = r2
        adata.var[keys.imputable] = aligned(decoder.calibration.imputable.cpu().numpy(), otherwise=False)


def _fits(table: Table, n_obs: int) -> bool:
    """Check whether imputed values have room in a MuData, and tell where else they can go if not."""
    n_bytes = 8 * n_obs * table.n_features
    if n_bytes > LARGEST_IMPUTATION:
        warnings.warn(
            f"Imputed values of {table.name!r} would take {n_bytes / 1e9:.1f} GB and were not written; "
            f"model.impute(mdata, {table.name!r}, out='{table.name}.zarr') streams them to disk.",
            stacklevel=3,
        )
    return n_bytes <= LARGEST_IMPUTATION


def _write_imputed(
    mdata: mudata.MuData, network: MultimodalVAE, data: MaskedModalities, s: int, keys: Keys, seed: int
) -> np.ndarray:
    """Write arrays, which a file holds whatever their width and names, and return the names of their columns."""
    table = data.tables[s]
    order = _order(pd.Index(table.features), mdata, table.name)
    mean = np.empty((data.n_obs, table.n_features), np.float32)
    sd = np.empty_like(mean)
    for rows, predicted, deviation in predict(network, data, s, IMPUTATION_SAMPLES, seed):
        values, deviations = overlay(table, rows, predicted, deviation)
        mean[rows], sd[rows] = values[:, order], deviations[:, order]
    mdata.obsm[keys.imputed(table.name)], mdata.obsm[keys.imputed_sd(table.name)] = mean, sd
    return np.array(table.features, object)[order]


def _order(features: pd.Index, mdata: mudata.MuData, modality: str) -> np.ndarray:
    """Return positions of a model's features such that they come in the order of the MuData, others after them."""
    if modality not in mdata.mod:  # labels, or a modality that is predicted for data without it
        return np.arange(len(features))
    positions = features.get_indexer(mdata.mod[modality].var_names)
    first = positions[positions >= 0]
    return np.append(first, np.setdiff1d(np.arange(len(features)), first))


def _record(
    network: MultimodalVAE, data: MaskedModalities, config: Config, plan: Plan, history: History
) -> dict[str, object]:
    """Say in plain types what was asked for, what was done and how it went."""
    table = information(network, data, seed=plan.seed).reset_index()
    rows = [asdict(row) for row in history]
    return {
        "config": _plain(config.to_options()),
        "plan": _plain({k: v for k, v in asdict(plan).items() if k not in ("reasons", "modalities")}),
        "likelihoods": {m.name: m.likelihood for m in plan.modalities},
        "n_private": {m.name: m.n_private for m in plan.modalities},
        "reasons": dict(plan.reasons),
        "history": {name: np.array([row[name] for row in rows]) for name in rows[0]},
        "information": {c: table[c].to_numpy(str if c == "given" else np.float64) for c in table.columns},
        "versions": versions(),
        "seed": plan.seed,
    }


def versions() -> dict[str, str]:
    """Give the versions of the packages that results depend on.

    Returns
    -------
    dict
        Package to version.
    """
    packages = ("omixvae", "torch", "numpy", "scipy", "scikit-learn", "anndata", "mudata")
    return {name: importlib.metadata.version(name) for name in packages}


def _plain(options: Mapping[str, object]) -> dict[str, object]:
    """Keep only what an h5mu can hold: None is left out, collections become JSON."""
    kept = {k: v for k, v in options.items() if v is not None}
    return {k: v if isinstance(v, (str, int, float, bool)) else json.dumps(v) for k, v in kept.items()}


def stream_prediction(
    out: Path,
    batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    columns: np.ndarray,
    obs_names: np.ndarray,
    var_names: np.ndarray,
) -> Path:
    """Write predictions to a zarr folder as they come.

    Parameters
    ----------
    out
        Folder that ends in ``.zarr``; one that is there is refused.
    batches
        Positions, mean and standard deviation of some observations at a time.
    columns
        Features to keep.
    obs_names, var_names
        Names of the observations and of the kept features.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    InputError
        If `out` cannot be written.
    """
    import zarr  # only here: half a second that no other call needs

    check_target(out)
    if out.suffix != ".zarr" or out.exists():
        raise InputError(
            f"{out} {'is there already' if out.exists() else 'does not end in .zarr'}.",
            "the argument out",
            "Give a new name that ends in .zarr.",
        )
    with whole_folder(out) as temporary:
        shape = (len(obs_names), len(columns))
        with writing(out, Exception):  # before the work: names that cannot be written stop it
            group = zarr.open_group(temporary, mode="w")
            group.attrs["obs_names"], group.attrs["var_names"] = list(map(str, obs_names)), list(map(str, var_names))
            arrays = [
                group.create_array(name, shape=shape, chunks=(min(1024, shape[0]), shape[1]), dtype="f4")
                for name in ("mean", "sd")
            ]
        for rows, *values in batches:
            with writing(out, Exception):
                for array, value in zip(arrays, values, strict=True):
                    array[rows[0] : rows[-1] + 1] = value[:, columns]
    return out


def as_mudata(modality: str, mean: pd.DataFrame, sd: pd.DataFrame) -> mudata.MuData:
    """Make a MuData of a predicted modality.

    Parameters
    ----------
    modality
        Its name.
    mean, sd
        Prediction of each entry, and its standard deviation.

    Returns
    -------
    mudata.MuData
        One modality: `X` is the mean, and the layer ``"sd"`` the standard deviation.

    Examples
    --------
    >>> mean = pd.DataFrame([[1.0]], ["cell1"], ["CD4"])
    >>> as_mudata("protein", mean, mean)["protein"].layers["sd"].tolist()
    [[1.0]]
    """
    adata = anndata.AnnData(
        mean.to_numpy(), pd.DataFrame(index=mean.index), pd.DataFrame(index=mean.columns), layers={"sd": sd.to_numpy()}
    )
    with without_pulling():
        return mudata.MuData({modality: adata})
