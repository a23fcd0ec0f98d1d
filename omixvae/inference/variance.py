"""How much of each modality do the latents explain, together and one by one?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from omixvae.data.masked import MaskedModalities, ModalityBatch
from omixvae.inference.posterior import Encoded, encode, latent_names
from omixvae.likelihoods import Likelihood
from omixvae.vae import MultimodalVAE

__all__ = ["variance_explained"]


def variance_explained(network: MultimodalVAE, data: MaskedModalities, n_private: Sequence[int]) -> pd.DataFrame:
    """Tabulate the part of each modality's variance that latents explain.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.
    n_private
        Private dimensions of each modality.

    Returns
    -------
    pandas.DataFrame
        One column per modality. Rows: ``all``, ``shared`` and ``private`` latents, then each of them alone, ``shared
        0`` …, ``private 0`` …; NaN where the modality has no such latent, or does not vary.

    Notes
    -----
    R² = 1 - Σ (x - x̂)² / Σ (x - x̄)² over the measured entries, on the scale that the encoder sees (standard units, or
    logged counts of an observation of typical depth). x̂ is decoded from the posterior means of the latents in question,
    and the average of each other latent. With a linear decoder this is the table of factor analysis (MOFA; Argelaguet
    et al. 2018); with hidden layers, parts need not add up, and can be below zero.
    """
    means = _means(network, data)
    d, p = network.n_latent, network.n_private
    latents = torch.arange(d + p)
    kept = torch.stack([latents >= 0, latents < d, latents >= d, *(latents == i for i in range(d + p))])
    table = {}
    for s, name in enumerate(data.schema.modalities):
        exists = latents < d + n_private[s]
        column = _explained(network, data, s, means[s], kept)
        column[~(kept & exists).any(1).numpy()] = np.nan
        table[name] = column
    return pd.DataFrame(table, index=pd.Index(["all", "shared", "private", *latent_names(d + p, d)], name="latents"))


def _means(network: MultimodalVAE, data: MaskedModalities) -> list[tuple[Tensor, Tensor]]:
    """Return the average latents, and the average values, of the observations that have each modality."""
    sums: list[list[Tensor]] = [[] for _ in data.tables]
    counts = [0] * len(data.tables)
    for encoded in encode(network, data):
        latents = _latents(network, encoded)
        for s, modality in enumerate(encoded.batch.modalities):
            x = modality.only_measured(_seen(network.likelihoods[s], modality), 0.0)
            new = [latents[:, s][modality.present].sum(0), x.sum(0), modality.mask.expand_as(x).sum(0)]
            sums[s] = [old + more for old, more in zip(sums[s], new, strict=True)] if sums[s] else new
            counts[s] += int(modality.present.sum())
    return [(z / max(1, n), x / measured.clamp(min=1)) for (z, x, measured), n in zip(sums, counts, strict=True)]


def _explained(
    network: MultimodalVAE, data: MaskedModalities, s: int, means: tuple[Tensor, Tensor], kept: Tensor
) -> np.ndarray:
    """Return R² for each set of latents that is kept, shape (sets,)."""
    average, mean = means
    errors, total = np.zeros(len(kept)), 0.0
    d = network.n_latent
    for encoded in encode(network, data):
        modality = encoded.batch.modalities[s]
        x = _seen(network.likelihoods[s], modality)
        latents = _latents(network, encoded)[:, s]
        total += float(modality.only_measured((x - mean) ** 2, 0.0).double().sum())
        for k, keep in enumerate(kept.to(x.device)):
            used = torch.where(keep, latents, average)
            expected = network.decode(s, used[:, :d], used[:, d:], encoded.batch).mean
            predicted = network.likelihoods[s].encoder_input(expected, modality.exposure)
            errors[k] += float(modality.only_measured((x - predicted) ** 2, 0.0).double().sum())
    return 1 - errors / total if total else np.full(len(kept), np.nan)


def _latents(network: MultimodalVAE, encoded: Encoded) -> Tensor:
    """Return the posterior means of z and of w_s side by side, shape (n, m, d + p)."""
    presence, z = encoded.batch.presence, encoded.posterior.mean
    w = network.private_posterior(encoded.h, presence, z).mean
    return torch.cat([z.unsqueeze(1).expand(-1, presence.shape[1], -1), w], dim=-1)


def _seen(likelihood: Likelihood, modality: ModalityBatch) -> Tensor:
    return likelihood.encoder_input(modality.filled, modality.exposure)
