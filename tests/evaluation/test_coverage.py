"""Limits of predictions are held against measured values, whole numbers included."""

from types import SimpleNamespace

import anndata
import mudata
import numpy as np
import pytest
import torch
from builders import build_plan

from omixvae.data import from_mudata
from omixvae.evaluation.coverage import NOMINAL, coverage_of
from omixvae.plan import ModalityPlan
from omixvae.vae import MultimodalVAE


def test_zeros_and_ones_that_are_predicted_right_lie_within_as_often_as_they_should():
    """Between quantiles of draws nearly all zeros would lie, whatever the limits are to hold."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 2)), rng.random((300, 30)) < 1 / (1 + np.exp(2.0))
    parts = {"x": anndata.AnnData(x), "y": anndata.AnnData(y.astype(np.float32))}
    for name, part in parts.items():
        part.var_names = [f"{name}{i}" for i in range(part.n_vars)]
    data = from_mudata(mudata.MuData(parts))
    plan = build_plan([ModalityPlan("x", 2, "gaussian", 0), ModalityPlan("y", 30, "bernoulli", 0)])
    network = MultimodalVAE(plan).eval()
    torch.nn.init.zeros_(network.decoders[1].linear.weight)
    torch.nn.init.constant_(network.decoders[1].linear.bias, -2.0)
    within = coverage_of(SimpleNamespace(network=network, plan=plan), data, 1)["all"]
    for nominal in NOMINAL:
        assert within[nominal] == pytest.approx(nominal, abs=0.02)
