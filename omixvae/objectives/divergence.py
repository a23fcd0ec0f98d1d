"""What latents cost: the Kullback-Leibler divergence of a belief from another, estimated from a sample."""

import torch
from torch import Tensor

from omixvae.config import KLWord
from omixvae.distributions import LatentDistribution, gaussian_kl

__all__ = ["divergence"]


def divergence(q: LatentDistribution, p: LatentDistribution, z: Tensor, kl: KLWord) -> Tensor:
    """Estimate KL(q ‖ p) from a sample of q.

    Parameters
    ----------
    q, p
        Shape (..., d).
    z
        Shape (..., d), drawn from `q`.
    kl
        ``"sample"``: log q(z) - log p(z). ``"stl"``: the same with the parameters of `q` stopped in log q, so that they
        get their gradient through the sample only (sticking the landing, Roeder et al. 2017); what is left out has
        expectation zero, and is pure noise where `q` is close to the posterior. ``"closed_form"``: without the sample
        where `q` and `p` are Gaussian, else like ``"sample"``.

    Returns
    -------
    torch.Tensor
        Shape (...), in nats.

    Examples
    --------
    >>> import torch
    >>> from omixvae.distributions import DiagonalGaussian
    >>> q, p = (DiagonalGaussian(torch.tensor([mean]), torch.ones(1)) for mean in (1.0, 0.0))
    >>> [round(divergence(q, p, torch.tensor([2.0]), kl).item(), 4) for kl in ("sample", "closed_form")]
    [1.5, 0.5]
    """
    at_sample = (q.detach() if kl == "stl" else q).log_prob(z) - p.log_prob(z)
    exact = gaussian_kl(q, p) if kl == "closed_form" else None
    return at_sample if exact is None else torch.where(exact[1], exact[0], at_sample)
