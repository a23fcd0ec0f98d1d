"""A network that is a linear-Gaussian model with its exact posterior: what closed forms can be compared with."""

import numpy as np
import oracles
import torch
from builders import build_plan
from torch import nn

from omixvae.data.masked import MaskedBatch, ModalityBatch
from omixvae.distributions import DiagonalGaussian, LatentDistribution
from omixvae.encoders import Aggregation
from omixvae.likelihoods.continuous import SMALLEST_SCALE
from omixvae.plan import ModalityPlan
from omixvae.vae import MultimodalVAE

N_LATENT = 3


class FullGaussian(LatentDistribution):
    """A Gaussian with any covariance, given by its mean and its precision."""

    def __init__(self, mean, precision):
        self.loc, self.precision = mean, precision
        self.normal = torch.distributions.MultivariateNormal(mean, precision_matrix=precision, validate_args=False)

    @property
    def mean(self):
        return self.loc

    @property
    def variance(self):
        return self.normal.variance

    def log_prob(self, z):
        return self.normal.log_prob(z)

    def rsample(self, generator, n_samples=None):
        shape = self.loc.shape if n_samples is None else (n_samples, *self.loc.shape)
        noise = torch.randn(shape, generator=generator, dtype=self.loc.dtype)
        return self.loc + (self.normal.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def detach(self):
        return FullGaussian(self.loc.detach(), self.precision.detach())


class ExactFeatures(nn.Module):
    """What one modality of a linear-Gaussian model says about z and w_s, as natural parameters side by side.

    For z: information (d) and precision (d d), with the private latent integrated out. For the one private latent
    given z: information, what z takes off it (d), and precision. The parameters are copies of the model's.
    """

    def __init__(self, model, s):
        super().__init__()
        w, v, b, sigma = (
            torch.from_numpy(a[s]) for a in (model.loadings, model.private_loadings, model.offset, model.noise)
        )
        self.w, self.b, self.log_sigma = nn.Parameter(w.clone()), nn.Parameter(b.clone()), nn.Parameter(sigma.log())
        self.v = nn.Parameter(v.clone() if v.shape[1] else v.new_zeros(len(v), 1), requires_grad=v.shape[1] > 0)

    def forward(self, likelihood, modality, covariates):
        values = modality.filled
        mask = modality.mask.expand_as(values)
        residual = torch.where(mask, values - self.b, 0.0)
        own = torch.where(mask, torch.exp(-2 * self.log_sigma), 0.0)
        # In the rows and columns of missing entries the covariance is the identity: they take no part.
        pair = mask.unsqueeze(-1) & mask.unsqueeze(-2)
        covariance = self.v @ self.v.T + torch.diag(torch.exp(2 * self.log_sigma))
        covariance = torch.where(pair, covariance, torch.eye(len(self.b), dtype=values.dtype))
        w = torch.where(mask.unsqueeze(-1), self.w, 0.0)
        weighted = torch.linalg.solve(covariance, w)
        about_z = [(residual.unsqueeze(-2) @ weighted).squeeze(-2), (w.mT @ weighted).flatten(1)]
        about_w = [(residual * own) @ self.v, (own * self.v[:, 0]) @ self.w, own @ self.v**2]
        return torch.cat([*about_z, *about_w], dim=-1)


class ExactPosterior(Aggregation):
    """Adds the natural parameters of the present modalities to those of the prior."""

    def embed(self, h):
        return h

    def combine(self, g, present):
        d = self.n_latent
        total = torch.where(present.unsqueeze(-1), g, 0.0).sum(1)
        precision = torch.eye(d, dtype=g.dtype) + total[:, d : d + d * d].unflatten(1, (d, d))
        return FullGaussian(torch.linalg.solve(precision, total[:, :d]), precision)


class ExactPrivate(nn.Module):
    """p(w_s | z, x_s), one dimension."""

    def embed(self, h):
        return h

    def forward(self, h, present, z):
        information, taken, precision = h[..., -2 - z.shape[-1]], h[..., -1 - z.shape[-1] : -1], h[..., -1] + 1
        mean = (information - (taken * z.unsqueeze(1)).sum(-1)) / precision
        q = DiagonalGaussian(mean.unsqueeze(-1), precision.unsqueeze(-1).rsqrt())
        here = present.unsqueeze(-1)
        return DiagonalGaussian(torch.where(here, q.loc, 0.0), torch.where(here, q.scale, 1.0))


def linear_gaussian(n_modalities, *, private, seed=0):
    """Make a network that is a known linear-Gaussian model with its exact posterior, and the model in NumPy."""
    rng = np.random.default_rng(seed)
    n_features = [int(g) for g in rng.integers(2, 5, n_modalities)]
    # With private latents, every other modality has one: those without must keep working beside them.
    n_private = [(s + 1) % 2 if private else 0 for s in range(n_modalities)]
    model = oracles.LinearGaussian.random(n_features, N_LATENT, n_private, rng)
    plans = [ModalityPlan(f"m{s}", n_features[s], "gaussian", n_private[s]) for s in range(n_modalities)]
    network = MultimodalVAE(build_plan(plans, n_latent=N_LATENT)).double()
    with torch.no_grad():
        for s, (likelihood, decoder) in enumerate(zip(network.likelihoods, network.decoders, strict=True)):
            center, unit = rng.standard_normal(n_features[s]), 0.5 + rng.random(n_features[s])
            likelihood.center.copy_(torch.from_numpy(center))
            likelihood.unit.copy_(torch.from_numpy(unit))
            scale = (model.noise[s] / unit - SMALLEST_SCALE) / (1 - SMALLEST_SCALE)
            likelihood.log_scale.copy_(torch.from_numpy(np.log(scale)))
            loadings = np.concatenate([model.loadings[s], model.private_loadings[s]], axis=1)
            decoder.linear.weight.copy_(torch.from_numpy(loadings / unit[:, None]))
            decoder.offset.copy_(torch.from_numpy((model.offset[s] - center) / unit))
            network.encoders[s] = ExactFeatures(model, s)
    network.aggregation = ExactPosterior(0, N_LATENT, 0)
    network.private_encoder = ExactPrivate() if private else None
    return network, model


def draw_batch(model, n, *, missing, seed=1):
    """Draw observations of a model; each has a modality. Give them as a batch, as numbers, and what was measured."""
    rng = np.random.default_rng(seed)
    x = model.draw(n, rng)
    sizes = [len(b) for b in model.offset]
    presence = rng.random((n, len(sizes))) >= missing
    presence[np.arange(n), rng.integers(len(sizes), size=n)] = True
    entries = rng.random(x.shape) >= missing / 2
    modalities = []
    for s, (values, observed) in enumerate(zip(split(x, sizes), split(entries, sizes), strict=True)):
        poisoned = np.where(observed & presence[:, [s]], values, np.nan)
        tensors = (torch.from_numpy(a) for a in (poisoned, presence[:, s].copy(), observed.copy()))
        modalities.append(ModalityBatch(*tensors, torch.ones(n, dtype=torch.float64)))
    batch = MaskedBatch(tuple(modalities), torch.zeros(n, 0, dtype=torch.float64), torch.arange(n))
    return batch, x, entries & np.repeat(presence, sizes, axis=1)


def split(x, sizes):
    return np.split(x, np.cumsum(sizes)[:-1], axis=1)
