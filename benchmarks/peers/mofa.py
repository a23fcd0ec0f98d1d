"""MOFA+ (Argelaguet et al. 2020) with the default options of mofapy2; runs in an environment of its own."""

from collections.abc import Sequence
from statistics import NormalDist

import mudata
import numpy as np
from mofapy2.run.entry_point import entry_point

from benchmarks.peers.outcome import COVERAGES, Outcome
from benchmarks.peers.sets import on_scale, values_of

__all__ = ["run"]


def run(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Train on what is seen; features are standardised, abundances as log(1 + x), zeros and ones as they are.

    A feature that does not vary among what is seen is left out, as MOFA+ asks for, and predicted by its mean.
    """
    measured = {name: values_of(mdata, name) for name in mdata.mod}
    tables = {name: on_scale(values, values) for name, values in measured.items()}
    binary = {name: bool(np.isin(x[~np.isnan(x)], (0, 1)).all()) for name, x in tables.items()}
    center = {name: np.where(binary[name], 0.0, np.nanmean(x, axis=0)) for name, x in tables.items()}
    unit = {name: np.where(binary[name], 1.0, np.maximum(np.nanstd(x, axis=0), 1e-6)) for name, x in tables.items()}
    varies = {name: np.nanstd(x, axis=0) > 1e-6 for name, x in tables.items()}
    data = [[((x - center[name]) / unit[name])[:, varies[name]].astype(np.float64)] for name, x in tables.items()]

    mofa = entry_point()
    mofa.set_data_options()
    mofa.set_data_matrix(data, likelihoods=["bernoulli" if binary[name] else "gaussian" for name in tables])
    mofa.set_model_options()
    mofa.set_train_options(seed=seed, quiet=True)
    mofa.build()
    mofa.run()

    factors = mofa.model.nodes["Z"].getExpectations()
    noise = mofa.model.nodes["Tau"].getExpectations()
    values, limits = {}, {}
    for s, (name, w) in enumerate(zip(tables, mofa.model.nodes["W"].getExpectations(), strict=True)):
        if name not in wanted:
            continue
        mean = factors["E"] @ w["E"].T
        values[name] = np.repeat(np.nanmean(tables[name], axis=0, keepdims=True), len(mean), axis=0)
        if binary[name]:
            values[name][:, varies[name]] = 1 / (1 + np.exp(-mean))
            continue
        values[name][:, varies[name]] += unit[name][varies[name]] * mean
        deviation = np.zeros_like(values[name])
        variance = factors["E2"] @ w["E2"].T - factors["E"] ** 2 @ w["E"].T ** 2 + 1 / noise[s]["E"]
        deviation[:, varies[name]] = unit[name][varies[name]] * np.sqrt(variance)
        tails = [sign * NormalDist().inv_cdf((1 + c) / 2) for c in COVERAGES for sign in (-1, 1)]
        limits[name] = np.stack([values[name] + t * deviation for t in tails]).astype(np.float32)
    return Outcome(values, limits, factors["E"])
