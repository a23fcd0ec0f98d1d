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

MAX_PASS_VALUES = 2**17
"""Most values of a pass on a CPU: half a megabyte in float32, of which a few fit into the cache of a core."""


class CompositionLogProb(torch.autograd.Function):
    """Σ_g log NB(x_g; μ_g, θ_g) of each observation, with log μ = log total + log softmax(center + unit × decoded).

    With d = log μ - log θ, an entry gives -θ log(1 + eᵈ), and a count x that is not zero beside it -x log(1 + e⁻ᵈ) and
    a ratio of Γ functions (section 4 of the method page). The gradients are x σ(-d) - θ σ(d) in log μ, and
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
        counts: Tensor,
        row: Tensor,
        column: Tensor,
    ) -> Tensor:
        """Compute the log-probability (n,) of counts that are zero but at the places (row, column), ascending.

        `decoded` has shape (n, g), `total` (n,), `counts`, `row` and `column` (k,), all others (g,).
        """
        theta = log_theta.exp()
        odds, soft = (center.new_empty(decoded.shape) for _ in range(2))
        result, shift = torch.empty_like(total), torch.empty_like(total)
        for rows in _chunks(decoded):
            d = torch.addcmul(center, decoded[rows].to(center.dtype), unit, out=odds[rows])
            highest = d.amax(-1)
            e = d.sub_(highest.unsqueeze(-1)).exp_()
            factor = total[rows] / e.sum(-1)
            shift[rows] = factor.log() - highest
            e.mul_(factor.unsqueeze(-1)).mul_(1 / theta)
            result[rows] = torch.mv(torch.log1p(e, out=soft[rows]), theta).neg_()
        d_here = _taken(decoded, row, column).to(center.dtype) * unit.index_select(0, column)
        d_here += (center - log_theta).index_select(0, column) + shift.index_select(0, row)
        gamma = _looked_up(
            _sums(_rising(theta).log()) - torch.lgamma(torch.arange(1.0, SMALL_COUNT + 2).to(theta)).unsqueeze(-1),
            counts,
            column,
            theta,
            log_binomial_ratio,
        )
        result.index_add_(0, row, gamma - counts * functional.softplus(-d_here))
        ctx.save_for_backward(log_theta, unit, total, counts, row, column, odds, soft, d_here)
        ctx.decoded_dtype = decoded.dtype  # type: ignore[attr-defined]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (as PyTorch has it)
        """Compute the gradients in what is decoded and in log θ."""
        log_theta, unit, total, counts, row, column, odds, soft, d_here = ctx.saved_tensors
        theta = log_theta.exp()
        weight = grad.index_select(0, row)
        up = counts * torch.sigmoid(-d_here)
        ratio = _looked_up(_sums(1 / _rising(theta)), counts, column, theta, _digamma_difference)
        grad_theta = torch.zeros_like(theta)
        grad_theta.index_add_(0, column, weight * (theta.index_select(0, column) * ratio - up))
        slopes = torch.zeros_like(total).index_add_(0, row, up)
        grad_decoded = torch.empty_like(odds, dtype=ctx.decoded_dtype)
        for rows in _chunks(odds):
            e = odds[rows]
            mu, rest = e * theta, (e + 1).reciprocal_()
            down = mu * rest
            grad_theta += torch.mv(down.T, grad[rows]) - theta * torch.mv(soft[rows].T, grad[rows])
            share = (slopes[rows] - down.sum(-1)) / total[rows]
            slope = rest.add_(share.unsqueeze(-1)).mul_(mu).mul_(unit)
            grad_decoded[rows] = slope.mul_(-grad[rows].unsqueeze(-1))
        up *= weight * unit.index_select(0, column)
        _added(grad_decoded, row, column, up)
        return grad_decoded, grad_theta, None, None, None, None, None, None


class TrialsLogProb(torch.autograd.Function):
    """Σ_g log Bernoulli(x_g; σ(y_g)) of each observation, y what is decoded: the y of ones less all log(1 + eʸ).

    The gradient is x - σ(y). Equal, but for rounding, to `BernoulliTrials.log_prob`, summed.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, decoded: Tensor, ones: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Compute the log-probability (n,) of values that are zero but at the places (row, column), ascending."""
        result = ones.new_empty(len(decoded))
        for rows in _chunks(decoded):
            y = decoded[rows].to(ones.dtype)
            # log(1 + eʸ) = max(y, 0) - log σ(|y|), without a logarithm of one plus little: that takes twice as long
            result[rows] = y.abs().sigmoid_().log_().sub_(y.relu()).sum(-1)
        result.index_add_(0, row, ones * _taken(decoded, row, column))
        ctx.save_for_backward(decoded, ones, row, column)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (as PyTorch has it)
        """Compute the gradient in what is decoded."""
        decoded, ones, row, column = ctx.saved_tensors
        grad_decoded = torch.empty_like(decoded)
        for rows in _chunks(decoded):
            slope = torch.sigmoid(decoded[rows].to(ones.dtype))
            grad_decoded[rows] = slope.mul_(-grad[rows].unsqueeze(-1))
        _added(grad_decoded, row, column, ones * grad.index_select(0, row))
        return grad_decoded, None, None, None


def _chunks(x: Tensor) -> Iterator[slice]:
    """Cut the rows of (n, g) into parts that fit into the cache."""
    n, g = x.shape
    size = max(1, MAX_PASS_VALUES // g) if x.device.type == "cpu" else max(1, n)
    for first in range(0, n, size):
        yield slice(first, first + size)


def _taken(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Take entries of (n, g)."""
    return x.flatten().index_select(0, row * x.shape[1] + column)


def _added(x: Tensor, row: Tensor, column: Tensor, values: Tensor) -> None:
    """Add values to entries of (n, g), each of them once."""
    x.view(-1).scatter_add_(0, row * x.shape[1] + column, values.to(x.dtype))


def _rising(theta: Tensor) -> Tensor:
    """Return θ, θ + 1, …, shape (`SMALL_COUNT`, g): log Γ(x + θ) - log Γ(θ) is the sum of the first x logarithms."""
    return theta + torch.arange(SMALL_COUNT, device=theta.device, dtype=theta.dtype).unsqueeze(-1)


def _sums(terms: Tensor) -> Tensor:
    """Return the sum of the first x terms, from none of them on."""
    return torch.cat([torch.zeros_like(terms[:1]), terms.cumsum(0)])


def _digamma_difference(x: Tensor, theta: Tensor) -> Tensor:
    """Return ψ(x + θ) - ψ(θ)."""
    return torch.digamma(x + theta) - torch.digamma(theta)


def _looked_up(
    table: Tensor, counts: Tensor, column: Tensor, theta: Tensor, exact: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Take what belongs to each count and feature from a table, and compute it for counts beyond."""
    if counts.device.type != "cpu":  # finding the large ones would make a GPU wait for its host
        return exact(counts, theta.index_select(0, column))
    known = _taken(table, counts.clamp(max=SMALL_COUNT).long(), column)
    large = (counts > SMALL_COUNT).nonzero().squeeze(-1)
    known[large] = exact(counts[large], theta[column[large]])
    return known
