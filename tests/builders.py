"""Small data for tests, each made from a seed alone."""

import dataclasses

import anndata
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from omixvae.config import Config
from omixvae.data import MaskedModalities, from_mudata
from omixvae.data.masked import MaskedBatch
from omixvae.plan import ModalityPlan, Plan, make_plan
from omixvae.priors import GaussianMixturePrior
from omixvae.vae import MultimodalVAE

MODALITIES = ("rna", "protein", "mutation")


def build_mdata(
    n_obs: int = 40,
    seed: int = 0,
    *,
    n_features: tuple[int, int, int] = (8, 5, 4),
    missing: float = 0.25,
    missing_entries: float = 0.1,
    sparse: bool = True,
) -> mudata.MuData:
    """Make a MuData with three modalities that share a latent of two dimensions.

    Parameters
    ----------
    n_obs
        Observations; each has at least one modality.
    seed
        The same seed gives the same data.
    n_features
        Features of ``rna`` (counts), ``protein`` (continuous) and ``mutation`` (zeros and ones).
    missing
        Part of the observations that each modality lacks.
    missing_entries
        Part of the entries of ``protein`` that are NaN; each feature keeps at least one value.
    sparse
        Store ``rna`` as CSR.

    Returns
    -------
    mudata.MuData
        The rows of each modality are in an order of their own. ``obs`` holds ``batch`` (two levels), ``age`` (a number)
        and ``group`` (three labels that follow the latent).
    """
    rng = np.random.default_rng(seed)
    names = np.array([f"sample{i:03d}" for i in range(n_obs)])
    group = rng.integers(3, size=n_obs)
    z = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])[group] + 0.5 * rng.standard_normal((n_obs, 2))
    signal = [z @ rng.standard_normal((2, g)) + rng.standard_normal(g) for g in n_features]
    protein = signal[1] + 0.3 * rng.standard_normal(signal[1].shape)
    hidden = rng.random(protein.shape) < missing_entries
    values = {
        "rna": rng.poisson(rng.gamma(3.0, np.exp(0.5 * signal[0] + 1.0) / 3.0)).astype(np.float32),
        "protein": protein.astype(np.float32),
        "mutation": (rng.random(signal[2].shape) < 1 / (1 + np.exp(-signal[2]))).astype(np.float32),
    }
    present = rng.random((n_obs, len(MODALITIES))) >= missing
    present[~present.any(axis=1), rng.integers(len(MODALITIES))] = True
    present[:3] = True  # every combination of options meets some complete observations
    hidden[:3] = False
    values["protein"][hidden] = np.nan
    parts = {}
    for s, modality in enumerate(MODALITIES):
        rows = rng.permutation(np.flatnonzero(present[:, s]))
        x = values[modality][rows]
        parts[modality] = anndata.AnnData(
            sp.csr_matrix(x) if sparse and modality == "rna" else x,
            obs=pd.DataFrame(index=names[rows]),
            var=pd.DataFrame(index=[f"{modality}{j}" for j in range(x.shape[1])]),
        )
    mdata = mudata.MuData(parts)
    order = pd.Index(names).get_indexer(mdata.obs_names)
    mdata.obs["batch"] = pd.Categorical(np.array(["first", "second"])[order % 2])
    mdata.obs["age"] = 20.0 + order
    mdata.obs["group"] = pd.Categorical(np.array(["a", "b", "c"])[group[order]])
    return mdata


def build_plan(modalities: list[ModalityPlan], **changes: object) -> Plan:
    """Make a plan for a small model: that of the data of `build_mdata`, with `changes` of its decisions."""
    decisions: dict[str, object] = {
        "n_latent": 2,
        "n_clusters": 3,
        "choose_clusters": False,
        "prior": "standard_normal",
        "hidden_size": 16,
        "max_epochs": 6,
        "warm_up_epochs": 2,
        "prior_epoch": 2,
        "held_out": 0.0,
        "shrinkage": 0.0,
    }
    plan = make_plan(Config(), from_mudata(build_mdata()))
    return dataclasses.replace(plan, modalities=tuple(modalities), **(decisions | changes))


def plan_of(data: MaskedModalities, n_private: int = 2, **changes: object) -> Plan:
    """Make a plan for the data of `build_mdata`."""
    words = {"rna": "negative_binomial", "protein": "gaussian", "mutation": "bernoulli"}
    modalities = [ModalityPlan(t.name, t.n_features, words[t.name], n_private) for t in data.tables]
    return build_plan(modalities, **changes)


def all_rows(data: MaskedModalities, dtype: torch.dtype = torch.float64) -> MaskedBatch:
    """Give all observations as one batch."""
    return data.rows(np.arange(data.n_obs), torch.device("cpu"), dtype)


def small_network(data: MaskedModalities, **changes: object) -> MultimodalVAE:
    """Make a network with arbitrary weights, in float64; a mixture prior gets three components apart from another."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MultimodalVAE(plan_of(data, decoder="mlp", **changes)).double()
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(60, 2, generator=generator, dtype=torch.float64)
    groups = torch.arange(60) % 2  # the third group is empty
    if isinstance(network.prior, GaussianMixturePrior):
        network.prior.take_groups(z + groups.unsqueeze(-1), groups)
    return network
