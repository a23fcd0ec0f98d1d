"""What does each modality tell about the latent, in nats?"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from omixvae.data.masked import MaskedModalities
from omixvae.inference.posterior import Encoded, encode
from omixvae.vae import MultimodalVAE

__all__ = ["Information", "information"]

ALL_SUBSETS_UP_TO = 4
"""Up to this many modalities every subset is listed; beyond, single ones, all but one, and all."""


class Information:
    """Average rate, cross rates and reconstruction over some observations, for subsets S of the modalities.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.
    n_samples
        Monte-Carlo samples per observation and subset.
    most
        Observations to average over (a random choice of them, if there are more).
    seed
        Of the choice and of the samples.

    Attributes
    ----------
    rows
        Positions of the observations that are averaged over.
    """

    def __init__(
        self, network: MultimodalVAE, data: MaskedModalities, *, n_samples: int = 4, most: int = 1000, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.rows = np.sort(rng.permutation(np.flatnonzero(data.presence.any(axis=1)))[:most])
        self._network, self._names, self._n_samples = network, data.schema.modalities, n_samples
        self._generator = network.generator(seed)
        self._subsets = list(_subsets(len(self._names)))
        self._sums = np.zeros((len(self._subsets), 1 + 2 * len(self._names)))
        self._counts = np.zeros_like(self._sums)

    def __call__(self, encoded: Encoded) -> None:
        """Take the next observations; those that are not among `rows` are skipped."""
        index = encoded.batch.index
        chosen = torch.isin(index, torch.from_numpy(self.rows).to(index.device)).nonzero()[:, 0]
        if not len(chosen):
            return
        some = encoded.take(self._network, chosen)
        for i, subset in enumerate(self._subsets):
            for column, present, values in _terms(self._network, some, subset, self._n_samples, self._generator):
                self._sums[i, column] += float(values[present].double().sum())
                self._counts[i, column] += int(present.sum())

    def table(self) -> pd.DataFrame:
        """Tabulate the averages.

        Returns
        -------
        pandas.DataFrame
            One row per subset S, named ``rna+protein``; all values in nats, averaged over the `n` observations that
            have all of S: `rate` is KL(q(z|x_S) ‖ p(z)) (Eq. I1); ``adds_t`` is KL(q(z|x_{S∪t}) ‖ q(z|x_S)) (Eq. I2),
            what modality t adds; ``reconstruction_t`` is E log p(x_t | z, w_t) with z ~ q(z|x_S) (Eq. I3). NaN where
            no observation has what it takes.
        """
        with np.errstate(invalid="ignore"):
            table = self._sums / self._counts
        names = self._names
        columns = ["rate", *(f"adds_{t}" for t in names), *(f"reconstruction_{t}" for t in names)]
        index = pd.Index(["+".join(names[s] for s in subset) for subset in self._subsets], name="given")
        frame = pd.DataFrame(table, index=index, columns=columns)
        frame.insert(0, "n", self._counts[:, 0].astype(int))
        return frame


def information(
    network: MultimodalVAE, data: MaskedModalities, *, n_samples: int = 4, most: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Tabulate rate, cross rates and reconstruction for subsets S of the modalities.

    Parameters
    ----------
    network, data, n_samples, most, seed
        As for `Information`.

    Returns
    -------
    pandas.DataFrame
        As of `Information.table`.
    """
    average = Information(network, data, n_samples=n_samples, most=most, seed=seed)
    for encoded in encode(network, data, average.rows):
        average(encoded)
    return average.table()


def _subsets(m: int) -> Iterator[Sequence[int]]:
    sizes = range(1, m + 1) if m <= ALL_SUBSETS_UP_TO else (1, m - 1, m)
    for size in sizes:
        yield from combinations(range(m), size)


def _terms(
    network: MultimodalVAE, encoded: Encoded, subset: Sequence[int], n_samples: int, generator: torch.Generator
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield column, the observations it holds for, and their values, for one subset."""
    m = len(encoded.batch.modalities)
    observed = encoded.batch.presence
    mask = torch.zeros(m, dtype=torch.bool, device=observed.device)
    mask[list(subset)] = True
    whole = observed[:, mask].all(-1)
    seen = observed & mask
    q_s = network.posterior(encoded.batch, encoded.h, seen)
    z = q_s.rsample(generator, n_samples)
    yield 0, whole, (q_s.log_prob(z) - network.prior_of(encoded.batch).log_prob(z)).mean(0)
    for t in range(m):
        has_t = whole & observed[:, t]
        if not mask[t]:
            more = seen.clone()
            more[:, t] = observed[:, t]
            q_more = network.posterior(encoded.batch, encoded.h, more)
            z_more = q_more.rsample(generator, n_samples)
            yield 1 + t, has_t, (q_more.log_prob(z_more) - q_s.log_prob(z_more)).mean(0)
        total = torch.zeros(len(whole), dtype=torch.float64)
        for z_i in z:
            w = network.private_posterior(encoded.h, seen, z_i).rsample(generator)
            modality = encoded.batch.modalities[t]
            log_p = network.decode(t, z_i, w[:, t], encoded.batch).log_prob(modality.filled)
            total += modality.only_measured(log_p, 0.0).double().sum(-1).cpu() / n_samples
        yield 1 + m + t, has_t, total.to(has_t.device)
