"""omixvae with all its defaults, on the scale of the comparison."""

import mudata
import numpy as np

import omixvae
from benchmarks.peers.outcome import COVERAGES, Outcome
from benchmarks.peers.sets import on_scale, values_of

__all__ = ["run"]

DRAWS = 200


def run(mdata: mudata.MuData, seed: int, batch: str | None = None) -> Outcome:
    """Train on what is seen, and predict every modality."""
    model = omixvae.OmixVAE(seed=seed, batch_key=batch, progress=False).fit(mdata)
    values, limits = {}, {}
    for name in mdata.mod:
        like = values_of(mdata, name)
        draws = on_scale(model.impute_draws(mdata, name, n_samples=DRAWS), like)
        tails = [side for c in COVERAGES for side in ((1 - c) / 2, (1 + c) / 2)]
        limits[name] = np.quantile(draws, tails, axis=0).astype(np.float32)
        # the mean of the logarithms is not the logarithm of the mean
        logged = on_scale(like, like) is not like
        values[name] = draws.mean(axis=0) if logged else model.impute(mdata, name)[0].to_numpy()
    return Outcome(values, limits, model.latent(mdata)[0], model.clusters(mdata)[0].cat.codes.to_numpy())
