"""Networks and likelihoods that a user brings: checked, copied, and tried before they are trained."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from omixvae.errors import InputError
from omixvae.likelihoods import Likelihood

__all__ = ["NO_OWN_MODULES", "OwnModules", "own_copy"]


@dataclass(frozen=True)
class OwnModules:
    """What a user brings for some modalities.

    Parameters
    ----------
    encoders
        Modality to a module (n, g) → (n, any size): what makes features of an image, a spectrum, a sequence.
    decoders
        Modality to a module (n, latents) → (n, r g), where the likelihood takes r numbers of each feature (mostly 1).
    likelihoods
        Modality to a subclass of `Likelihood`.

    Raises
    ------
    InputError
        If something else is given than modules, or subclasses of `Likelihood`, by the names of modalities.

    Examples
    --------
    >>> OwnModules(encoders={"image": nn.Linear(4, 2)}).decoders
    {}
    """

    encoders: Mapping[str, nn.Module] = field(default_factory=dict)
    decoders: Mapping[str, nn.Module] = field(default_factory=dict)
    likelihoods: Mapping[str, type[Likelihood]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, likelihood in self.likelihoods.items():
            if not issubclass(likelihood, Likelihood):
                raise InputError(
                    f"The class {likelihood.__name__} for modality {name!r} is no likelihood.",
                    "the argument likelihoods",
                    "Give a word, or a subclass of omixvae.likelihoods.Likelihood.",
                )
        for argument, given in (("encoders", self.encoders), ("decoders", self.decoders)):
            if not isinstance(given, Mapping) or not all(isinstance(module, nn.Module) for module in given.values()):
                raise InputError(
                    "Something else is given than PyTorch modules by the names of modalities.",
                    f"the argument {argument}",
                    f"Give {argument}={{name: module}}, where the module is an instance of torch.nn.Module.",
                )


NO_OWN_MODULES = OwnModules()


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
