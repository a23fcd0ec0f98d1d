"""One pass over a batch: the log-probability of each observation, and its gradient, from what is decoded.

What is large stays in the cache: some observations are finished before the next begin. Zeros of sparse tables are only
looked at together.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from omixvae.likelihoods.ratios import log_binomial_ratio

__all__ = ["CompositionLogProb", "TrialsLogProb"]

SMALL_COUNT = 15
"""Up to it ratios of Γ functions are sums of so few terms that a table of them is made at each step."""

VALUES_AT_ONCE = 2**17
"""On a processor: half a megabyte in float32, of which a few fit into the cache of a core."""


class CompositionLogProb(torch.autograd.Function):
    """Σ_g log NB(x_g; μ_g, θ_g) of each observation, with log μ = log total + log softmax(center + unit × decoded).

    With d = log μ - log θ, an entry gives -θ log(1 + eᵈ), and a count x that is not zero beside it x (d - log(1 + eᵈ))
    and a ratio of Γ functions (section 4 of the method page). The gradients are x - (x + θ) σ(d) in log μ, and
    θ [ψ(x + θ) - ψ(θ)] - x σ(-d) + θ [σ(d) - log(1 + eᵈ)] in log θ; with s of them in log μ, that in the logits is
    s - softmax × Σ s. Equal, but for rounding, to `NegativeBinomialCounts.log_prob`, summed.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        decoded: Tensor,
        log_theta: Tensor,
        center: Tensor,
        unit: Tensor,
        total: Tensor,
        x: Tensor,
        stored: Tensor,
    ) -> Tensor:
        """Compute the log-probability (n,) of counts x (n, g), which are zero but at the flat positions `stored`.

        Positions go row after row. `decoded` has shape (n, g), `total` (n,), all others (g,).
        """
        theta = log_theta.exp()
        odds = torch.empty_like(x)
        result = torch.empty_like(total)
        ratios = _sums(_rising(theta).log()) - torch.lgamma(torch.arange(1.0, SMALL_COUNT + 2).to(theta)).unsqueeze(-1)
        for rows, here in _chunks(x, stored):
            d = torch.addcmul(center, decoded[rows].to(x.dtype), unit, out=odds[rows])
            d += (total[rows].log() - d.logsumexp(-1)).unsqueeze(-1)
            d -= log_theta
            row, column = _places(here, x)
            counts, d_here = x[rows].flatten()[here], d.flatten()[here]
            d.exp_()
            soft = d.log1p()
            gamma = _looked_up(ratios, counts, column, theta, log_binomial_ratio)
            part = torch.mv(soft, theta).neg_()
            result[rows] = part.index_add_(0, row, gamma + counts * (d_here - soft.flatten()[here]))
        ctx.save_for_backward(log_theta, unit, total, x, stored, odds)
        ctx.decoded_dtype = decoded.dtype  # type: ignore[attr-defined]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (as PyTorch has it)
        """Compute the gradients in what is decoded and in log θ."""
        log_theta, unit, total, x, stored, odds = ctx.saved_tensors
        theta = log_theta.exp()
        grad_decoded = torch.empty_like(x, dtype=ctx.decoded_dtype)
        dense, sparse = torch.zeros_like(theta), torch.zeros_like(theta)
        differences = _sums(1 / _rising(theta))
        for rows, here in _chunks(x, stored):
            weight, e = grad[rows], odds[rows]
            row, column = _places(here, x)
            counts = x[rows].flatten()[here]
            sigmoid = e / (e + 1)
            rest = 1 - sigmoid.flatten()[here]
            ratio = theta[column] * _looked_up(differences, counts, column, theta, _digamma_difference)
            sparse.index_add_(0, column, weight[row] * (ratio - counts * rest))
            dense += torch.mv((sigmoid - e.log1p()).T, weight)
            slope = sigmoid.mul_(-theta)
            slope.view(-1)[here] += counts * rest
            share = (slope.sum(-1) / total[rows]).unsqueeze(-1)
            slope = torch.addcmul(slope, e * theta, share, value=-1).mul_(unit)
            grad_decoded[rows] = slope.mul_(weight.unsqueeze(-1))
        return grad_decoded, torch.addcmul(sparse, dense, theta), None, None, None, None, None


class TrialsLogProb(torch.autograd.Function):
    """Σ_g log Bernoulli(x_g; σ(y_g)) of each observation, y what is decoded: the y of ones less all log(1 + eʸ).

    The gradient is x - σ(y). Equal, but for rounding, to `BernoulliTrials.log_prob`, summed.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, decoded: Tensor, x: Tensor, stored: Tensor) -> Tensor:
        """Compute the log-probability (n,) of x (n, g), which is zero but at the flat positions `stored`."""
        result = x.new_empty(len(x))
        for rows, here in _chunks(x, stored):
            y = decoded[rows].to(x.dtype)
            row, _ = _places(here, x)
            ones = x[rows].flatten()[here] * y.flatten()[here]
            result[rows] = functional.softplus(y).sum(-1).neg_().index_add_(0, row, ones)
        ctx.save_for_backward(decoded, x, stored)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (as PyTorch has it)
        """Compute the gradient in what is decoded."""
        decoded, x, stored = ctx.saved_tensors
        grad_decoded = torch.empty_like(decoded)
        for rows, here in _chunks(x, stored):
            slope = torch.sigmoid(decoded[rows].to(x.dtype)).neg_()
            slope.view(-1)[here] += x[rows].flatten()[here]
            grad_decoded[rows] = slope.mul_(grad[rows].unsqueeze(-1))
        return grad_decoded, None, None


def _chunks(x: Tensor, stored: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Cut rows into parts that fit into the cache, each with its positions, counted from its own first value."""
    n, g = x.shape
    size = max(1, VALUES_AT_ONCE // g) if x.device.type == "cpu" else n
    starts = torch.arange(0, n, size, device=x.device)
    firsts = torch.searchsorted(stored, starts * g).tolist() if len(starts) > 1 else [0]
    for i, (first, last) in enumerate(zip(firsts, [*firsts[1:], len(stored)], strict=True)):
        yield slice(i * size, (i + 1) * size), stored[first:last] - i * size * g


def _rising(theta: Tensor) -> Tensor:
    """Give θ, θ + 1, …, shape (`SMALL_COUNT`, g): log Γ(x + θ) - log Γ(θ) is the sum of the first x logarithms."""
    return theta + torch.arange(SMALL_COUNT, device=theta.device, dtype=theta.dtype).unsqueeze(-1)


def _sums(terms: Tensor) -> Tensor:
    """Give the sum of the first x terms, from none of them on."""
    return torch.cat([torch.zeros_like(terms[:1]), terms.cumsum(0)])


def _digamma_difference(x: Tensor, theta: Tensor) -> Tensor:
    """Give ψ(x + θ) - ψ(θ)."""
    return torch.digamma(x + theta) - torch.digamma(theta)


def _looked_up(
    table: Tensor, counts: Tensor, column: Tensor, theta: Tensor, exact: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Take what belongs to each count and feature from a table, and compute it for counts beyond."""
    if counts.device.type != "cpu":  # finding the large ones would make a GPU wait for its host
        return exact(counts, theta[column])
    known = table.flatten()[counts.clamp(max=SMALL_COUNT).long() * table.shape[1] + column]
    large = (counts > SMALL_COUNT).nonzero().squeeze(-1)
    known[large] = exact(counts[large], theta[column[large]])
    return known


def _places(positions: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Give row and column of flat positions."""
    row = positions // x.shape[-1]
    return row, positions - row * x.shape[-1]
