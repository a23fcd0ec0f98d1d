"""Write what was found into a MuData, under the names of `omixvae.results.keys`."""

import warnings
from collections.abc import Callable

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.config import Config
from omixvae.data.features import find_features
from omixvae.data.masked import MaskedModalities
from omixvae.data.tables import Table
from omixvae.errors import InputError
from omixvae.fitted import Fitted, versions
from omixvae.inference import (
    Encoded,
    Gather,
    Information,
    encode,
    entropy,
    make_completion,
    make_private_moments,
    make_responsibilities,
    shared_moments,
)
from omixvae.results.keys import AXES, AXES_OF_MODALITY, Keys
from omixvae.results.record import Record, is_record
from omixvae.vae import MultimodalVAE

__all__ = ["annotate", "check_free", "modalities_to_impute"]

LARGEST_IMPUTATION = 2_000_000_000
"""Most bytes that the imputed values of one modality (mean and deviation) may take in a MuData."""

DEFAULT_KEY = Config().results.key_added

CLUSTER_SAMPLES = 64
IMPUTATION_SAMPLES = 32


def annotate(mdata: mudata.MuData, fitted: Fitted, data: MaskedModalities) -> None:
    """Write latents, clusters, imputed values and the record of the run into a MuData.

    Parameters
    ----------
    mdata
        Changed in place, only under keys that begin with ``key_added``, and when all is computed.
    fitted
        The model.
    data
        `mdata` as masked modalities.

    Notes
    -----
    The encoders see each observation once: all results are taken from the same pass.
    """
    config, plan, network = fitted.config, fitted.plan, fitted.network
    keys = Keys(config.results.key_added)
    check_free(mdata, keys.added)
    asked = modalities_to_impute(config, data)
    information = Information(network, data, seed=plan.seed)
    shared, private = Gather(shared_moments), Gather(make_private_moments(network, plan.seed))
    clusters = Gather(make_responsibilities(network, CLUSTER_SAMPLES, plan.seed))
    imputed = [
        _Imputed(mdata, network, data, s, plan.seed)
        for s, table in enumerate(data.tables)
        if table.name in asked and not _warn_if_too_large(table, data.n_obs)
    ]
    collectors: list[Callable[[Encoded], None]] = [information, shared, private, clusters, *imputed]
    for encoded in encode(network, data):
        for collect in collectors:
            collect(encoded)

    _delete_results(mdata, keys)
    mdata.obsm[keys.latent], mdata.obsm[keys.latent_sd] = shared.arrays
    (probabilities,) = clusters.arrays
    if probabilities.shape[1]:
        names = [str(c) for c in range(probabilities.shape[1])]
        mdata.obs[keys.cluster] = pd.Categorical.from_codes(probabilities.argmax(axis=1), names)
        mdata.obsm[keys.cluster_probabilities] = probabilities
        mdata.obs[keys.cluster_entropy] = entropy(probabilities).astype(np.float32)
    for values in imputed:
        mdata.obsm[keys.imputed(values.name)], mdata.obsm[keys.imputed_sd(values.name)] = values.mean, values.sd
    for s, (table, modality) in enumerate(zip(data.tables, plan.modalities, strict=True)):
        if table.name in mdata.mod:
            adata = mdata.mod[table.name]
            _write_features(adata, network, table, s, keys)
            if modality.n_private:
                mean = private.arrays[0][:, s, : modality.n_private]
                adata.obsm[keys.private] = mean[mdata.obs_names.get_indexer(adata.obs_names)]
    record = Record(
        config=config,
        plan=plan,
        history=fitted.history,
        information=information.table(),
        features={values.name: values.features for values in imputed},
        versions=versions(),
    )
    mdata.uns[keys.added] = record.to_uns()


def check_free(mdata: mudata.MuData, key: str) -> None:
    """Check that results replace nothing but results.

    Parameters
    ----------
    mdata
        Before results are written.
    key
        The option `key_added`. Everything under its default is taken for ours, also where the record of the run was
        lost.

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
    if key == DEFAULT_KEY or is_record(record):
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
    """Return which modalities the option `impute` means.

    Parameters
    ----------
    config
        What was asked for.
    data
        Shows where something is missing.

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


def _delete_results(mdata: mudata.MuData, keys: Keys) -> None:
    """Delete the results of an earlier run, so that none of them can be taken for those of this one."""
    for axis in AXES:
        for name in keys.among(getattr(mdata, axis), axis):
            del getattr(mdata, axis)[name]
    for adata in mdata.mod.values():
        for axis in AXES_OF_MODALITY:
            for name in keys.among(getattr(adata, axis), axis, of_modality=True):
                del getattr(adata, axis)[name]


def _write_features(adata: anndata.AnnData, network: MultimodalVAE, table: Table, s: int, keys: Keys) -> None:
    """Write what is known of each feature of a modality."""
    decoder, likelihood = network.decoders[s], network.likelihoods[s]
    columns = find_features(adata, table.features).columns
    known = np.flatnonzero(columns >= 0)

    def aligned(values: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
        """Bring values of the model's features into the order of the data; `otherwise` for features unknown to it."""
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


def _warn_if_too_large(table: Table, n_obs: int) -> bool:
    """Return whether imputed values are too large for a MuData, and warn where else they can go if they are."""
    n_bytes = 8 * n_obs * table.n_features
    is_too_large = n_bytes > LARGEST_IMPUTATION
    if is_too_large:
        warnings.warn(
            f"Imputed values of {table.name!r} would take {n_bytes / 1e9:.1f} GB and were not written; "
            f"model.impute(mdata, {table.name!r}, out='{table.name}.zarr') streams them to disk.",
            stacklevel=3,
        )
    return is_too_large


class _Imputed:
    """The values of a modality, predicted where none was measured: arrays, which a file holds at any width."""

    def __init__(self, mdata: mudata.MuData, network: MultimodalVAE, data: MaskedModalities, s: int, seed: int) -> None:
        table = data.tables[s]
        self.name = table.name
        self._order = _order(pd.Index(table.features), mdata, table.name)
        self._of = make_completion(network, s, IMPUTATION_SAMPLES, seed)
        self.features = np.array(table.features, object)[self._order]
        self.mean = np.empty((data.n_obs, table.n_features), np.float32)
        self.sd = np.empty_like(self.mean)

    def __call__(self, encoded: Encoded) -> None:
        rows = encoded.batch.index.cpu().numpy()
        mean, sd = self._of(encoded)
        self.mean[rows], self.sd[rows] = mean[:, self._order], sd[:, self._order]


def _order(features: pd.Index, mdata: mudata.MuData, modality: str) -> np.ndarray:
    """Return positions that bring a model's features into the order of the MuData, others after them."""
    if modality not in mdata.mod:  # labels, or a modality that is predicted for data without it
        return np.arange(len(features))
    positions = features.get_indexer(mdata.mod[modality].var_names)
    first = positions[positions >= 0]
    return np.append(first, np.setdiff1d(np.arange(len(features)), first))
