"""What `omixvae.fit` and `omixvae train` must leave in a MuData, as one function without a test framework.

The tests call it, and so do benchmarks: `problems_of_results` gives a list of sentences, empty when all is well.
"""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import scipy.sparse as sp
from mudata import MuData

from omixvae.results.annotate import LARGEST_IMPUTATION

__all__ = ["problems_of_results"]

RECORD = {
    "config",
    "plan",
    "likelihoods",
    "n_private",
    "reasons",
    "features",
    "history",
    "information",
    "versions",
    "seed",
}


def problems_of_results(written: MuData, source: MuData, key: str = "omixvae") -> list[str]:
    """Find every documented result that is lacking or wrong.

    Parameters
    ----------
    written
        What `omixvae train` wrote (or `omixvae.fit` changed).
    source
        What it was given.
    key
        The option `key_added`.

    Returns
    -------
    list of str
        One sentence per problem; empty when all is well.
    """
    record = written.uns.get(key)
    if record is None:
        return [f"uns[{key!r}] is not there."]
    problems = list(_record(record, key))
    if problems:
        return problems
    return [
        *_source_kept(written, source),
        *_latent(written, key),
        *_clusters(written, record, key),
        *_private(written, record, key),
        *_imputed(written, source, record, key),
        *_loadings(written, record, key),
    ]


def _array(value: object, shape: tuple[int | None, ...], name: str) -> Iterator[str]:
    """Ask for finite float32 numbers of a shape; None stands for any size from 1 on."""
    array = np.asarray(value)
    if array.dtype != np.float32:
        yield f"{name} is {array.dtype}, not float32."
    fits = len(shape) == array.ndim and all(
        n >= 1 if asked is None else n == asked for n, asked in zip(array.shape, shape, strict=True)
    )
    if not fits:
        yield f"{name} has shape {array.shape}, not {shape}."
    elif not np.isfinite(array).all():
        yield f"{name} holds {int((~np.isfinite(array)).sum())} values that are not finite."


def _record(record: Mapping[str, object], key: str) -> Iterator[str]:
    if lacking := sorted(RECORD - set(record)):
        yield f"uns[{key!r}] lacks {', '.join(lacking)}."
        return
    yield from _not_plain(record, f"uns[{key!r}]")
    history = record["history"]
    lengths = {len(column) for column in history.values()}
    if len(lengths) != 1 or 0 in lengths:
        yield f"The columns of the history have the lengths {sorted(lengths)}."
    for name, column in history.items():
        if name != "held_out_bound" and not np.isfinite(np.asarray(column, np.float64)).all():
            yield f"The history's {name} is not finite."
    information = record["information"]
    if not {"given", "n", "rate"} <= set(information):
        yield f"The information table has only the columns {sorted(information)}."
    elif len({len(column) for column in information.values()}) != 1:
        yield "The columns of the information table differ in length."


def _not_plain(value: object, name: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner, v in value.items():
            yield from _not_plain(v, f"{name}[{inner!r}]")
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "O" and not all(isinstance(v, str) for v in value.ravel()):
            yield f"{name} is an array of objects."
    elif not isinstance(value, (str, bool, int, float, np.generic)):
        yield f"{name} is a {type(value).__name__}, no plain type."


def _source_kept(written: MuData, source: MuData) -> Iterator[str]:
    if list(written.obs_names) != list(source.obs_names):
        yield "The names of the observations or their order were changed."
    if list(written.mod) != list(source.mod):
        yield f"The modalities are {list(written.mod)}, not {list(source.mod)}."
        return
    for column in source.obs:
        if column not in written.obs or not written.obs[column].astype(str).equals(source.obs[column].astype(str)):
            yield f"obs[{column!r}] was changed."
    for mod, adata in source.mod.items():
        before, after = _values(adata.X), _values(written.mod[mod].X)
        if before.shape != after.shape or not np.array_equal(before, after, equal_nan=True):
            yield f"The values of modality {mod!r} were changed."


def _values(x: object) -> np.ndarray:
    return np.zeros(0) if x is None else np.asarray(x.toarray() if sp.issparse(x) else x, dtype=np.float64)


def _latent(written: MuData, key: str) -> Iterator[str]:
    for name in (f"X_{key}", f"X_{key}_sd"):
        if name not in written.obsm:
            yield f"obsm[{name!r}] is not there."
            return
        yield from _array(written.obsm[name], (written.n_obs, None), f"obsm[{name!r}]")
    if np.shape(written.obsm[f"X_{key}"]) != np.shape(written.obsm[f"X_{key}_sd"]):
        yield "The latents and their standard deviations differ in shape."
    if not (np.asarray(written.obsm[f"X_{key}_sd"]) > 0).all():
        yield "Some standard deviations of the latents are not positive."


def _clusters(written: MuData, record: Mapping[str, Mapping[str, object]], key: str) -> Iterator[str]:
    names = (f"{key}_cluster", f"{key}_cluster_entropy", f"{key}_cluster_probs")
    there = [name for name in names if name in written.obs or name in written.obsm]
    if record["plan"]["prior"] != "gaussian_mixture":
        if there:
            yield f"There are {there} without a mixture prior."
        return
    if len(there) != len(names):
        yield f"Only {there} of {names} are there."
        return
    # mudata 0.4 reads a column of nothing but whole numbers, such as the entropies of one cluster, as integers.
    cluster, entropy = written.obs[names[0]], written.obs[names[1]].to_numpy(np.float32)
    probabilities = np.asarray(written.obsm[names[2]])
    yield from _array(probabilities, (written.n_obs, None), f"obsm[{names[2]!r}]")
    yield from _array(entropy, (written.n_obs,), f"obs[{names[1]!r}]")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-5) or (probabilities < 0).any():
        yield "Cluster probabilities are negative, or do not sum to one."
    if not isinstance(cluster.dtype, pd.CategoricalDtype):
        yield f"obs[{names[0]!r}] is {cluster.dtype}, not categorical."
        return
    if list(cluster.cat.categories) != [str(c) for c in range(probabilities.shape[1])]:
        yield f"The clusters are named {list(cluster.cat.categories)}."
    elif not np.array_equal(cluster.cat.codes, probabilities.argmax(axis=1)):
        yield "Some observations are not in their most probable cluster."
    if (entropy < 0).any() or (entropy > np.log(probabilities.shape[1]) + 1e-5).any():
        yield "Some cluster entropies are negative, or larger than the logarithm of the number of clusters."


def _private(written: MuData, record: Mapping[str, Mapping[str, int]], key: str) -> Iterator[str]:
    for mod, adata in written.mod.items():
        n_private, name = int(record["n_private"].get(mod, 0)), f"X_{key}_private"
        if (name in adata.obsm) != (n_private > 0):
            yield f"mdata[{mod!r}].obsm[{name!r}] is {'' if name in adata.obsm else 'not '}there with {n_private=}."
        elif n_private:
            yield from _array(adata.obsm[name], (adata.n_obs, n_private), f"mdata[{mod!r}].obsm[{name!r}]")


def _imputed(written: MuData, source: MuData, record: Mapping[str, Mapping[str, str]], key: str) -> Iterator[str]:
    config = record["config"]
    for mod in [mod for mod in record["likelihoods"] if mod in source.mod]:
        adata = source.mod[mod]
        layer = json.loads(config["layers"]).get(mod)
        measured = np.full((source.n_obs, adata.n_vars), np.nan, np.float32)
        rows = source.obs_names.get_indexer(adata.obs_names)
        measured[rows] = _values(adata.X if layer is None else adata.layers[layer])
        names = [f"{key}_imputed_{mod}", f"{key}_imputed_{mod}_sd"]
        asked = {"all": True, "none": False, "missing": bool(np.isnan(measured).any())}
        wanted = asked[config["impute"]] if config["impute"] in asked else mod in json.loads(config["impute"])
        wanted &= 8 * measured.size <= LARGEST_IMPUTATION
        there = [name in written.obsm for name in names]
        if there != [wanted, wanted]:
            yield f"Imputed values of {mod!r} are {'lacking' if wanted else 'there though not asked for'}."
        elif wanted:
            yield from _imputed_values(written, names, measured)
            if list(record["features"].get(mod, ())) != list(adata.var_names):
                yield f"uns[{key!r}]['features'][{mod!r}] has other names of features than the modality."


def _imputed_values(written: MuData, names: list[str], measured: np.ndarray) -> Iterator[str]:
    for name in names:
        if not isinstance(written.obsm[name], np.ndarray):
            yield f"obsm[{name!r}] is no array."
        yield from _array(written.obsm[name], measured.shape, f"obsm[{name!r}]")
    mean, sd = (np.asarray(written.obsm[name]) for name in names)
    observed = ~np.isnan(measured)
    if mean.shape != measured.shape or sd.shape != measured.shape:
        return
    if not np.array_equal(mean[observed], measured[observed]):
        yield f"obsm[{names[0]!r}] changes measured values."
    if (sd[observed] != 0).any():
        yield f"obsm[{names[1]!r}] is not 0 where a value was measured."
    if (sd[~observed] <= 0).any():
        yield f"obsm[{names[1]!r}] is not positive where a value is predicted."


def _loadings(written: MuData, record: Mapping[str, Mapping[str, object]], key: str) -> Iterator[str]:
    name = f"{key}_loadings"
    for mod in record["likelihoods"]:
        if mod not in written.mod:
            continue
        adata = written.mod[mod]
        if (name in adata.varm) != (record["plan"]["decoder"] == "linear"):
            yield f"mdata[{mod!r}].varm[{name!r}] is there without a linear decoder, or lacking with one."
        elif name in adata.varm:
            yield from _array(adata.varm[name], (adata.n_vars, None), f"mdata[{mod!r}].varm[{name!r}]")
