"""Zeros of a sparse table need not be looked at."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from omixvae.data.masked import ModalityTable
from omixvae.encoders import FeatureEncoder
from omixvae.likelihoods import LIKELIHOODS

N, G = 30, 12


@pytest.mark.parametrize("word", [word for word, likelihood in LIKELIHOODS.items() if likelihood.keeps_zeros])
def test_sparse_and_dense_values_are_encoded_alike(word, float64):
    rng = np.random.default_rng(0)
    x = (rng.random((N - 5, G)) < 0.3).astype(np.float32)
    row = np.full(N, -1)
    row[rng.permutation(N)[: N - 5]] = np.arange(N - 5)
    library = np.where(row >= 0, x.sum(axis=1)[row] + 1, 3.0).astype(np.float32)
    likelihood, encoder = LIKELIHOODS[word](G).to(float64), FeatureEncoder(G, hidden_size=8, n_out=4).to(float64)
    encoder.center.copy_(torch.from_numpy(rng.standard_normal(G)))
    encoder.unit.copy_(torch.from_numpy(0.5 + rng.random(G)))
    results = []
    for values in (x, sp.csr_matrix(x)):
        table = ModalityTable("x", tuple(map(str, range(G))), values, row, None, library)
        batch = table.at(np.arange(N)[::-1].copy(), torch.device("cpu"), float64)
        assert (batch.stored is None) == isinstance(values, np.ndarray)
        h = encoder(likelihood, batch, torch.zeros(N, 0, dtype=float64))
        assert torch.isfinite(h).all()
        slopes = torch.autograd.grad(h[batch.present].square().sum(), list(encoder.network.parameters()))
        results.append((h[batch.present].detach(), *slopes))
    for dense, sparse in zip(*results, strict=True):
        torch.testing.assert_close(sparse, dense, rtol=1e-10, atol=1e-12)
