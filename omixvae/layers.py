"""The few blocks that the networks share, and those that a user brings."""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from omixvae.errors import InputError

__all__ = ["MLP", "add_linear", "limit_size", "own_copy"]

LARGEST_SIZE = 3.0


def limit_size(x: Tensor) -> Tensor:
    """Keep vectors of ordinary size as they are, and shrink longer ones smoothly to a limit.

    Parameters
    ----------
    x
        Shape (..., e).

    Returns
    -------
    torch.Tensor
        x / √(1 + r²/3²), with r the root mean square of the vector: at most 3.

    Examples
    --------
    >>> [round(limit_size(torch.full((4,), r))[0].item(), 2) for r in (0.5, 300.0)]
    [0.49, 3.0]
    """
    limited: Tensor = _LimitSize.apply(x)  # type: ignore[no-untyped-call]
    return limited


class _LimitSize(torch.autograd.Function):
    """y = s x with s = 1 / √(1 + |x|² / (9 e)); the gradient is s (g - y (y · g) / (9 e)).

    Autograd by itself would take ten times as long as it takes forwards.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        """Shrink."""
        scale = torch.rsqrt(1 + x.square().mean(-1, keepdim=True) / LARGEST_SIZE**2)
        y = x * scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ANN401 (as PyTorch has it)
        """Return the gradient."""
        y, scale = ctx.saved_tensors
        along = (y * grad).mean(-1, keepdim=True) / LARGEST_SIZE**2
        return torch.addcmul(grad, y, along, value=-1).mul_(scale)


class MLP(nn.Module):
    """A linear map in, hidden layers, a linear map out, and a linear shortcut around the hidden layers.

    Layer normalisation (not batch normalisation) keeps each observation independent of the others of its batch, so
    that results do not depend on who else is in it. The shortcut lets a signal pass a stack of such blocks from the
    first step on: without it two thirds of the latent dimensions stayed unused on 11,000 cells. What enters both is
    limited in size: in the first steps of Adam 50,000 weights move together, and would throw the output far out.

    Parameters
    ----------
    n_in
        Size of the input.
    hidden
        Size of each hidden layer, at least one.
    n_out
        Size of the output.
    """

    def __init__(self, n_in: int, hidden: Sequence[int], n_out: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_in, hidden[0])
        blocks: list[nn.Module] = [nn.LayerNorm(hidden[0]), nn.LeakyReLU(0.1)]
        for before, size in pairwise(hidden):
            blocks += [nn.Linear(before, size), nn.LayerNorm(size), nn.LeakyReLU(0.1)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(hidden[-1], n_out)
        self.shortcut = nn.Linear(hidden[0], n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        x = limit_size(self.first(x))
        return add_linear(self.last(self.blocks(x)), x, self.shortcut.weight)


def add_linear(to: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Add a linear map of something else, without an array for what is added.

    Parameters
    ----------
    to
        Shape (..., e).
    x, weight
        Shape (..., c) and (e, c).

    Returns
    -------
    torch.Tensor
        Shape (..., e): `to` + `x` Wᵀ.

    Examples
    --------
    >>> add_linear(torch.ones(2, 1), torch.ones(2, 3), torch.ones(1, 3)).flatten().tolist()
    [4.0, 4.0]
    """
    return torch.addmm(to.flatten(0, -2), x.flatten(0, -2), weight.T).view(to.shape)


def own_copy(module: nn.Module, n_in: int, where: str) -> tuple[nn.Module, int]:
    """Copy a user's module, so that theirs stays as it is, and try it.

    Parameters
    ----------
    module
        From (n, n_in) to (n, n_out); lazy layers find their size here.
    n_in
        Size of its input.
    where
        Whose it is, for the message.

    Returns
    -------
    tuple
        The copy, and the size n_out of its output.

    Raises
    ------
    InputError
        If it fails on an input of that size, or gives anything but one row of numbers per observation.

    Examples
    --------
    >>> own_copy(nn.LazyLinear(3), 5, "encoders['image']")[1]
    3
    """
    module = copy.deepcopy(module).to("cpu", torch.float32)
    try:
        with torch.no_grad():
            out = module.eval()(torch.zeros(2, n_in))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"The module fails on values of shape (2, {n_in}): {str(error).splitlines()[0]}.",
            where,
            f"Give a torch module that takes a float tensor (n, {n_in}) and returns (n, size).",
        ) from error
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise InputError(
            f"From values of shape (2, {n_in}) the module makes {shape}, not one row per observation.",
            where,
            "Let the module return a tensor of shape (n, size).",
        )
    return module.train(), out.shape[1]
