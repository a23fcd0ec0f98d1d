"""The table of explained variance equals its definition, one observation and one set of latents at a time."""

import numpy as np
import pytest
import torch
from builders import all_rows, build_mdata, small_network

from omixvae import inference
from omixvae.data import from_mudata

N_PRIVATE = [2, 1, 0]
SETS = {
    "all": [0, 1, 2, 3],
    "shared": [0, 1],
    "private": [2, 3],
    "shared 0": [0],
    "shared 1": [1],
    "private 0": [2],
    "private 1": [3],
}


@pytest.mark.parametrize("sparse", [True, False])
def test_variance_explained_equals_its_definition(sparse):
    data = from_mudata(build_mdata(sparse=sparse))
    network, batch = small_network(data), all_rows(data)
    table = inference.variance_explained(network, data, N_PRIVATE)
    assert list(table.index) == list(SETS)
    for s, name in enumerate(data.schema.modalities):
        modality, likelihood = batch.modalities[s], network.likelihoods[s]
        with torch.no_grad():
            h = network.features(batch)
            z = network.posterior(batch, h, batch.presence).mean
            latents = torch.cat([z, network.private_posterior(h, batch.presence, z).mean[:, s]], dim=1)
            seen = likelihood.encoder_input(modality.filled, modality.exposure).numpy()
        mask = np.broadcast_to(modality.mask.numpy(), seen.shape)
        average = latents[modality.present].mean(0)
        mean = np.array([seen[mask[:, j], j].mean() for j in range(seen.shape[1])])
        for row, dimensions in SETS.items():
            error = total = 0.0
            for i in np.flatnonzero(modality.present):
                used = average.clone()
                used[dimensions] = latents[i, dimensions]
                one = data.rows(np.array([i]), torch.device("cpu"), torch.float64)
                with torch.no_grad():
                    p = network.decode(s, used[None, :2], used[None, 2:], one)
                    predicted = likelihood.encoder_input(p.mean, one.modalities[s].exposure)[0].numpy()
                error += ((seen[i] - predicted) ** 2)[mask[i]].sum()
                total += ((seen[i] - mean) ** 2)[mask[i]].sum()
            exists = row in ("all", "shared") or min(dimensions) < 2 + N_PRIVATE[s]
            expected = 1 - error / total if exists else np.nan
            assert table.loc[row, name] == pytest.approx(expected, rel=1e-6, nan_ok=True), (row, name)


def test_a_modality_that_no_observation_has_explains_nothing():
    data = from_mudata(build_mdata())
    new = build_mdata()
    del new.mod["rna"]
    table = inference.variance_explained(small_network(data), from_mudata(new, schema=data.schema), N_PRIVATE)
    assert table["rna"].isna().all()
    assert table.loc["all", "protein"] < 1
