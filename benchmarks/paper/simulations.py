"""The data sets that Hirt et al. 2024 simulate for their Tables 2, 3 and 4, with the truth beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.mudata_io import without_pulling

__all__ = ["LinearSimulation", "Simulation", "five", "label", "linear", "to_mudata"]

N_MODALITIES = 5
N_SEGMENTS = 5
LEAK = 0.1
LARGEST_CONDITION = 25.0


@dataclass(frozen=True)
class Simulation:
    """Values of all modalities, and what they were made from.

    Parameters
    ----------
    values
        Modality name to values, float32, shape (n, g); also those of observations that lack the modality.
    present
        Which observation (row) has which modality (column, in the order of `values`), shape (n, m).
    latent
        The true shared latent state, shape (n, d).
    segment
        The true component of the mixture that the latent state was drawn from, shape (n,); None if there is no mixture.
    """

    values: dict[str, np.ndarray]
    present: np.ndarray
    latent: np.ndarray
    segment: np.ndarray | None


@dataclass(frozen=True)
class LinearSimulation(Simulation):
    """x_s = W_s z + V_s w_s + b_s + ε_s, with z, w_s ~ N(0, I) and ε_s ~ N(0, diag σ_s²).

    Parameters
    ----------
    loadings, private_loadings
        W_s, shape (g, d), and V_s, shape (g, p), of each modality; p is 0 where nothing is private.
    offset, noise
        b_s and σ_s of each modality, shape (g,).
    """

    loadings: tuple[np.ndarray, ...]
    private_loadings: tuple[np.ndarray, ...]
    offset: tuple[np.ndarray, ...]
    noise: tuple[np.ndarray, ...]

    @property
    def n_stacked(self) -> int:
        """Latent dimensions, shared and private, of the model of all modalities one after the other."""
        return self.latent.shape[1] + sum(v.shape[1] for v in self.private_loadings)


def linear(seed: int, *, private: bool, n_obs: int = 5000) -> LinearSimulation:
    """Draw five modalities of 30 to 59 features from a linear model with orthonormal loadings (Table 2).

    Parameters
    ----------
    seed
        The same seed gives the same data.
    private
        Whether each modality has five latent dimensions of its own beside the five that all share.
    n_obs
        Number of observations.

    Returns
    -------
    LinearSimulation
        The noise has variance 1; with or without private latents, WₛᵀWₛ = I and so p(z|x) has covariance I / 6.

    Examples
    --------
    >>> linear(0, private=True, n_obs=10).n_stacked
    30
    """
    n_latent = 5
    n_private = 5 if private else 0
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n_obs, n_latent))
    values, loadings, private_loadings, offset, noise = {}, [], [], [], []
    for s in range(N_MODALITIES):
        n_features = int(rng.integers(30, 60))
        both = _orthonormal(n_features, n_latent + n_private, rng)
        loadings.append(both[:, :n_latent])
        private_loadings.append(both[:, n_latent:])
        offset.append(rng.standard_normal(n_features))
        noise.append(np.ones(n_features))
        states = np.concatenate([latent, rng.standard_normal((n_obs, n_private))], axis=1)
        drawn = states @ both.T + offset[s] + noise[s] * rng.standard_normal((n_obs, n_features))
        values[f"x{s}"] = drawn.astype(np.float32)
    return LinearSimulation(
        values=values,
        present=_all_present(n_obs, N_MODALITIES),
        latent=latent,
        segment=None,
        loadings=tuple(loadings),
        private_loadings=tuple(private_loadings),
        offset=tuple(offset),
        noise=tuple(noise),
    )


def label(seed: int, n_obs: int = 4000) -> Simulation:
    """Draw a modality of two features and its label, from a mixture of five Gaussians (Table 3).

    Parameters
    ----------
    seed
        The same seed gives the same data.
    n_obs
        Number of observations; the five segments are of one size, up to one.

    Returns
    -------
    Simulation
        Modality ``x`` is W₂ leaky(W₁ z) with orthogonal matrices, and noise of standard deviation 0.1; ``label`` is one
        column per segment, 1 for the observation's own.
    """
    n_latent = 2
    rng = np.random.default_rng(seed)
    segments = _Segments.draw(n_latent, rng)
    layers = [_orthonormal(n_latent, n_latent, rng) for _ in range(2)]
    segment, latent = segments.sample(n_obs, rng)
    values = {"x": _observe(latent, layers, 0.1, rng), "label": np.eye(N_SEGMENTS, dtype=np.float32)[segment]}
    return Simulation(values, _all_present(n_obs, 2), latent, segment)


def five(
    seed: int, *, missing: bool, n_obs: int = 5000, n_modalities: int = N_MODALITIES, cut: bool = False
) -> tuple[Simulation, Simulation]:
    """Draw five modalities of 25 features from ten latent dimensions and five segments (Table 4).

    Parameters
    ----------
    seed
        The same seed gives the same data.
    missing
        Whether half of all modalities of observations are missing; each observation keeps at least one.
    n_obs
        Number of observations to train on, and as many to test on.
    n_modalities
        Five in the paper's text, four in the published script.
    cut
        Whether the observations to train on are the first half of all when sorted by segment, so that most of those
        to test on come from other segments.

    Returns
    -------
    train, test
        From the same segments and the same mixing functions W₃ leaky(W₂ leaky(W₁ z)), one per modality, with noise of
        standard deviation 0.5.

    Notes
    -----
    The matrices are uniform on (−1, 1), then scaled so that the weights of each feature have length 1: no layer swells
    what it is given. They are drawn again until the ratio of their largest to their smallest singular value is at most
    25.
    """
    n_latent, n_features = 10, 25
    rng = np.random.default_rng(seed)
    segments = _Segments.draw(n_latent, rng)
    sizes = (n_latent, n_features, n_features, n_features)
    mixings = [[_well_conditioned(n_out, n_in, rng) for n_in, n_out in pairwise(sizes)] for _ in range(n_modalities)]

    def observe(segment: np.ndarray, latent: np.ndarray) -> Simulation:
        values = {f"x{s}": _observe(latent, layers, 0.5, rng) for s, layers in enumerate(mixings)}
        present = _half_present(n_obs, n_modalities, rng) if missing else _all_present(n_obs, n_modalities)
        return Simulation(values, present, latent, segment)

    if not cut:
        return observe(*segments.sample(n_obs, rng)), observe(*segments.sample(n_obs, rng))
    segment, latent = segments.sample(2 * n_obs, rng)
    train, test = np.array_split(np.argsort(segment, kind="stable"), 2)
    train, test = rng.permutation(train), rng.permutation(test)
    return observe(segment[train], latent[train]), observe(segment[test], latent[test])


def to_mudata(simulation: Simulation) -> mudata.MuData:
    """Give the data as a MuData whose observations are in the order of the simulation's rows.

    Parameters
    ----------
    simulation
        What was drawn.

    Returns
    -------
    mudata.MuData
        Each modality holds the observations that have it; their names are the numbers of the rows, with zeros in front.
    """
    n_obs = len(simulation.present)
    names = np.array([f"{i:0{len(str(n_obs - 1))}d}" for i in range(n_obs)])
    modalities = {}
    for present, (name, values) in zip(simulation.present.T, simulation.values.items(), strict=True):
        assert present.any(), f"no observation has the modality {name!r}"
        features = pd.DataFrame(index=[f"{name}_{j}" for j in range(values.shape[1])])
        modalities[name] = anndata.AnnData(values[present], obs=pd.DataFrame(index=names[present]), var=features)
    # otherwise mudata puts the observations of the first modality first, whatever order is given
    with without_pulling():
        mdata = mudata.MuData(modalities, obs=pd.DataFrame(index=names))
    assert mdata.obs_names.equals(pd.Index(names)), "mudata changed the order of the observations"
    return mdata


@dataclass(frozen=True)
class _Segments:
    """A mixture of diagonal Gaussians; `mean` and `scale` have shape (segments, d)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def draw(cls, n_latent: int, rng: np.random.Generator) -> "_Segments":
        shape = (N_SEGMENTS, n_latent)
        return cls(rng.uniform(-5, 5, shape), rng.uniform(0.5, 3, shape))

    def sample(self, n_obs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Give the segment and the latent state of observations, as many from each segment, in random order."""
        segment = rng.permutation(np.arange(n_obs) % len(self.mean))
        noise = rng.standard_normal((n_obs, self.mean.shape[1]))
        return segment, self.mean[segment] + self.scale[segment] * noise


def _observe(latent: np.ndarray, layers: Sequence[np.ndarray], noise: float, rng: np.random.Generator) -> np.ndarray:
    """Mix the latent state through linear layers with leaky ReLU between them, and add noise."""
    mixed = latent @ layers[0].T
    for layer in layers[1:]:
        mixed = np.where(mixed > 0, mixed, LEAK * mixed) @ layer.T
    return (mixed + noise * rng.standard_normal(mixed.shape)).astype(np.float32)


def _orthonormal(n_rows: int, n_columns: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.uniform(-1, 1, (n_rows, n_columns)))[0]


def _well_conditioned(n_rows: int, n_columns: int, rng: np.random.Generator) -> np.ndarray:
    while True:
        matrix = rng.uniform(-1, 1, (n_rows, n_columns))
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        if np.linalg.cond(matrix) <= LARGEST_CONDITION:
            return matrix


def _all_present(n_obs: int, n_modalities: int) -> np.ndarray:
    return np.ones((n_obs, n_modalities), dtype=bool)


def _half_present(n_obs: int, n_modalities: int, rng: np.random.Generator) -> np.ndarray:
    """Keep one random modality of each observation, and as many others at random as make half of all."""
    present = np.zeros((n_obs, n_modalities), dtype=bool)
    present[np.arange(n_obs), rng.integers(n_modalities, size=n_obs)] = True
    others = np.flatnonzero(~present)
    present.flat[rng.choice(others, size=present.size // 2 - n_obs, replace=False)] = True
    return present
