"""One run: simulate, train one system with one seed, and measure it."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.paper import metrics, simulations
from benchmarks.paper.simulations import Simulation, to_mudata
from benchmarks.paper.systems import COMPONENTS, System
from omixvae import OmixVAE
from omixvae.objectives import OBJECTIVES

__all__ = ["EXPERIMENTS", "PUBLISHED", "information_figures", "run"]


@dataclass(frozen=True)
class Settings:
    """What the systems of an experiment have in common.

    Parameters
    ----------
    n_latent, batch_size, learning_rate
        As in the paper, but for the learning rate: it is higher at the start, and falls along a cosine.
    epochs
        Passes over the data, when not asked otherwise.
    hidden_size, experts_size
        Width of the layers; that of experts, which have no aggregation network, to match their parameters.
    beta_start
        Option of omixvae. Above 1 where noise is small: without it the experiment with a label still rose after 800
        epochs.
    """

    n_latent: int
    batch_size: int
    learning_rate: float
    epochs: int
    hidden_size: int
    experts_size: int
    beta_start: float = 0.0


EXPERIMENTS = {
    "linear": Settings(n_latent=5, batch_size=500, learning_rate=2e-3, epochs=100, hidden_size=256, experts_size=512),
    "label": Settings(
        n_latent=2,
        batch_size=250,
        learning_rate=5e-3,
        epochs=400,
        hidden_size=128,
        experts_size=128,
        beta_start=30.0,
    ),
    "five": Settings(n_latent=10, batch_size=250, learning_rate=5e-3, epochs=60, hidden_size=256, experts_size=256),
    "mnist": Settings(n_latent=40, batch_size=256, learning_rate=1e-3, epochs=100, hidden_size=256, experts_size=256),
}
LIKELIHOOD_ROWS = {"label": 4000, "five": 1000}
"""Observations whose log-likelihood is estimated."""

LAYERS = {"label": 2, "five": 3}
"""Of the paper's decoders, which have the shape of the mixing functions; those of `linear` are our own."""

EXPERTS = ("poe", "moe", "mopoe")

PUBLISHED = ("empty", "four", "cut", "plain")
"""What the authors' scripts do otherwise. Where they depart from their text: the mixture bound is averaged over the
empty set, too; there are four modalities, and decoders of two layers; train and test are the halves of what was sorted
by segment. Where we depart from both: the latents' cost has its full weight from the first step."""


def run(
    system: System,
    seed: int,
    *,
    epochs: int | None = None,
    width: float = 1.0,
    n_obs: int | None = None,
    published: Collection[str] = (),
) -> dict[str, float]:
    """Simulate, train and measure.

    Parameters
    ----------
    system
        What to train.
    seed
        Of the data, the start and the training.
    epochs
        Passes over the data; those of `EXPERIMENTS` when not given.
    width
        Factor on the sizes of hidden layers.
    n_obs
        Observations; the paper's number when not given.
    published
        Of `PUBLISHED`, what is done as in the authors' scripts rather than as in their text.

    Returns
    -------
    dict
        Figures by name; all likelihoods in nats per observation, seconds of processor time.
    """
    began = time.process_time()
    train, test = _data(system, seed, {} if n_obs is None else {"n_obs": n_obs}, published)
    settings = EXPERIMENTS[system.experiment]
    options = _options(system, settings, train) | {"max_epochs": epochs or settings.epochs, "seed": seed}
    options["hidden_size"] = round(width * options["hidden_size"])
    if "plain" in published:
        options["beta_start"] = 1.0
    layers = 2 if "four" in published else LAYERS.get(system.experiment, 0)
    if "empty" in published and system.objective == "mixture":
        options["objective"] = replace(OBJECTIVES["mixture"], subset_sizes="any")
    model = OmixVAE(decoders=_decoders(system, train, layers), **options).fit(to_mudata(train))
    return _measure(system, model, test, seed) | {"seconds": time.process_time() - began}


def _data(
    system: System, seed: int, size: Mapping[str, int], published: Collection[str]
) -> tuple[Simulation, Simulation]:
    """Give what is trained on and what is measured on: the same but for the experiment with five modalities."""
    if system.experiment == "five":
        return simulations.five(
            seed,
            missing=system.variant == "missing",
            n_modalities=4 if "four" in published else 5,
            cut="cut" in published,
            **size,
        )
    if system.experiment == "linear":
        one = simulations.linear(seed, private=system.variant == "private", **size)
    else:
        one = simulations.label(seed, **size)
    return one, one


def _options(system: System, settings: Settings, train: Simulation) -> dict[str, Any]:
    noise = {"linear": 1.0, "label": 0.1}.get(system.experiment)
    return {
        "likelihoods": {name: "categorical" if name == "label" else "gaussian" for name in train.values},
        "noise": {name: noise for name in train.values if noise is not None and name != "label"},
        "n_latent": settings.n_latent,
        "n_private": 5 if system.variant == "private" else 0,
        "private_dropout": 0.0,
        "prior": "standard_normal" if system.components == 1 else "gaussian_mixture",
        "n_clusters": system.components,
        "n_components": COMPONENTS,
        "aggregation": system.aggregation,
        "objective": system.objective,
        "subset_law": "independent",
        "decoder": "linear" if system.experiment == "linear" else "mlp",
        "shrinkage": 1.0,
        "hidden_size": settings.experts_size if system.aggregation in EXPERTS else settings.hidden_size,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "beta_start": settings.beta_start,
        "early_stopping": False,
        "progress": False,
        "device": "cpu",
    }


def _decoders(system: System, train: Simulation, layers: int) -> dict[str, nn.Module]:
    if not layers:
        return {}
    n_latent = EXPERIMENTS[system.experiment].n_latent
    torch.manual_seed(0)  # they are the same for every seed; what is simulated is not
    return {name: _dense(n_latent, values.shape[1], layers) for name, values in train.values.items()}


def _dense(n_in: int, size: int, n_layers: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(n_in, size)]
    for _ in range(n_layers - 1):
        layers += [nn.LeakyReLU(0.1), nn.Linear(size, size)]
    return nn.Sequential(*layers)


def _measure(system: System, model: OmixVAE, test: Simulation, seed: int) -> dict[str, float]:
    mdata = to_mudata(test)
    sample = model.latent(mdata, n_samples=1)[0]
    figures = {
        f"{kind}_mcc": metrics.mcc(test.latent, sample, weak=kind == "weak", rng=np.random.default_rng(seed))
        for kind in ("weak", "strong")
    }
    information = model.information(mdata)
    figures |= information_figures(information, list(test.values))
    if system.experiment == "linear":
        log_likelihood = _exact(model, test)
        values = np.concatenate(list(test.values.values()), axis=1)
        best = metrics.factor_log_likelihood(values, test.n_stacked, 1.0)
        figures["gap"] = metrics.relative_gap(best, log_likelihood)
    else:
        n_samples = {"label": 64, "five": 512}[system.experiment]
        measured = mdata[: LIKELIHOOD_ROWS[system.experiment]].copy()
        log_likelihood = float(model.log_likelihood(measured, n_samples=n_samples).mean())
    return figures | {"log_likelihood": log_likelihood}


def _exact(model: OmixVAE, data: Simulation) -> float:
    """Give the log-likelihood of the linear model in closed form, from its weights."""
    loadings, private, offset, noise = [], [], [], []
    for likelihood, decoder in zip(model.network.likelihoods, model.network.decoders, strict=True):
        weight = (likelihood.unit[:, None] * decoder.loadings).detach().double().numpy()
        loadings.append(weight[:, : model.plan.n_latent])
        private.append(weight[:, model.plan.n_latent :])
        offset.append((likelihood.center + likelihood.unit * decoder.offset).detach().double().numpy())
        noise.append(np.full(len(weight), likelihood.noise))
    values = np.concatenate(list(data.values.values()), axis=1)
    return metrics.linear_gaussian_log_likelihood(values, loadings, private, offset, noise)


def information_figures(table: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """Average rates and reconstructions over the modalities (Eqs. I1 to I3).

    Parameters
    ----------
    table
        What `OmixVAE.information` gave.
    names
        The modalities.

    Returns
    -------
    dict
        Rate and reconstruction of what is seen by all modalities together; the cross rate of all but one to all, and
        the cross reconstruction of each modality from each other one.
    """
    everything = table.loc["+".join(names)]
    cross, adds = [], []
    for t in names:
        others = "+".join(name for name in names if name != t)
        cross += [table.loc[s, f"reconstruction_{t}"] for s in names if s != t]
        adds.append(table.loc[others, f"adds_{t}"])
    return {
        "rate": float(everything["rate"]),
        "cross_rate": float(np.mean(adds)),
        "reconstruction": float(np.mean([everything[f"reconstruction_{t}"] for t in names])),
        "cross_reconstruction": float(np.mean(cross)),
    }
