"""omixvae with all its defaults, on the scale of the comparison."""

from collections.abc import Sequence

import mudata
import numpy as np

import omixvae
from benchmarks.peers.outcome import COVERAGES, Outcome
from benchmarks.peers.sets import on_scale, untied, values_of

__all__ = ["run"]

DRAWS = 200
LARGEST_DRAWN = 2**27
"""Values drawn at a time: half a gigabyte."""


def run(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Train on what is seen, and predict the modalities that are wanted."""
    model = omixvae.OmixVAE(seed=seed, batch_key=batch, progress=False).fit(mdata)
    tails = [side for c in COVERAGES for side in ((1 - c) / 2, (1 + c) / 2)]
    rng = np.random.default_rng([seed, 1])
    values, limits = {}, {}
    for name in wanted:
        like = values_of(mdata, name)
        means, sides = [], []
        for rows in np.array_split(np.arange(mdata.n_obs), -(-DRAWS * like.size // LARGEST_DRAWN)):
            draws = model.impute_draws(mdata[rows], name, n_samples=DRAWS)
            means.append(on_scale(draws, like).mean(axis=0))
            draws = untied(draws, like, rng)
            sides.append(np.quantile(draws, tails, axis=0, overwrite_input=True).astype(np.float32))
        limits[name] = np.concatenate(sides, axis=1)
        # the mean of the logarithms is not the logarithm of the mean
        logged = on_scale(like, like) is not like
        values[name] = np.concatenate(means) if logged else model.impute(mdata, name)[0].to_numpy()
    return Outcome(
        values,
        limits,
        latent=model.latent(mdata)[0],
        draw=model.latent(mdata, n_samples=1)[0],
        clusters=model.clusters(mdata)[0].cat.codes.to_numpy(),
    )
