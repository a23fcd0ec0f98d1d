"""What a user brings in the place of ours: networks, likelihoods, a prior, an aggregation, a bound."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from torch import nn

from omixvae.bounds import Bound
from omixvae.encoders import Aggregation
from omixvae.errors import InputError
from omixvae.likelihoods import Likelihood
from omixvae.priors import Prior

__all__ = ["NO_OWN_MODULES", "OwnModules", "make_part", "name_of", "words_and_own"]

T = TypeVar("T", bound=nn.Module)

CONTRACTS = {
    "likelihoods": ("likelihood", Likelihood, "a subclass of omixvae.likelihoods.Likelihood, or an instance of one"),
    "prior": ("prior", Prior, "a subclass of omixvae.priors.Prior, or an instance of one"),
    "aggregation": ("aggregation", Aggregation, "a subclass of omixvae.encoders.Aggregation, or an instance of one"),
    "objective": ("bound", Bound, "omixvae.objectives.Bound(function)"),
}
"""Option to what may stand in it beside its words."""


@dataclass(frozen=True)
class OwnModules:
    """What a user brings.

    Parameters
    ----------
    encoders
        Modality to a module (n, g) → (n, any size): what makes features of an image, a spectrum, a sequence.
    decoders
        Modality to a module (n, latents) → (n, r g), where the likelihood takes r numbers of each feature (mostly 1).
    likelihoods
        Modality to a subclass of `Likelihood`, or an instance.
    prior, aggregation
        A subclass of `Prior` or `Aggregation`, or an instance; None for ours.
    objective
        A bound; None for ours.

    Raises
    ------
    InputError
        If something else is given, or not by the names of modalities.

    Examples
    --------
    >>> OwnModules(encoders={"image": nn.Linear(4, 2)}).decoders
    {}
    """

    encoders: Mapping[str, nn.Module] = field(default_factory=dict)
    decoders: Mapping[str, nn.Module] = field(default_factory=dict)
    likelihoods: Mapping[str, type[Likelihood] | Likelihood] = field(default_factory=dict)
    prior: type[Prior] | Prior | None = None
    aggregation: type[Aggregation] | Aggregation | None = None
    objective: Bound | None = None

    def __post_init__(self) -> None:
        for argument, given in (("encoders", self.encoders), ("decoders", self.decoders)):
            if not isinstance(given, Mapping) or not all(isinstance(module, nn.Module) for module in given.values()):
                raise InputError(
                    "Something else is given than PyTorch modules by the names of modalities.",
                    f"the argument {argument}",
                    f"Give {argument}={{name: module}}, where the module is an instance of torch.nn.Module.",
                )
        for name, likelihood in self.likelihoods.items():
            _check_kind("likelihoods", likelihood, f" for modality {name!r}")
        for option in ("prior", "aggregation", "objective"):
            if getattr(self, option) is not None:
                _check_kind(option, getattr(self, option))


NO_OWN_MODULES = OwnModules()


def _check_kind(option: str, part: object, whose: str = "") -> None:
    noun, contract, wanted = CONTRACTS[option]
    if not isinstance(part, contract) and not (isinstance(part, type) and issubclass(part, contract)):
        raise InputError(
            f"{name_of(part)}{whose} is not {'an' if noun[0] in 'aeiou' else 'a'} {noun}.",
            f"the argument {option}",
            f"Give a word, or {wanted}.",
        )


def name_of(part: object) -> str:
    """Return what a class, or the class of an instance, is called.

    Parameters
    ----------
    part
        A class, a function or an instance.

    Returns
    -------
    str
        Its name.

    Examples
    --------
    >>> name_of(nn.Linear), name_of(nn.Linear(2, 2))
    ('Linear', 'Linear')
    """
    return str(getattr(part, "__name__", type(part).__name__))


def words_and_own(options: Mapping[str, object]) -> tuple[dict[str, object], dict[str, Any]]:
    """Take what is the user's own out of the options: these are words and numbers, which files can hold.

    Parameters
    ----------
    options
        By name; that of a part may be a word, or a class, an instance or a bound.

    Returns
    -------
    tuple of dict
        The options that are left, and the arguments of `OwnModules`.

    Examples
    --------
    >>> from omixvae.priors import StandardNormal
    >>> words_and_own({"n_latent": 5, "prior": StandardNormal})[0]
    {'n_latent': 5}
    """
    words = dict(options)
    own: dict[str, Any] = {}
    for option in ("prior", "aggregation", "objective"):
        if _is_part(words.get(option)):
            own[option] = words.pop(option)
    likelihoods = words.get("likelihoods")
    if isinstance(likelihoods, Mapping):
        own["likelihoods"] = {name: value for name, value in likelihoods.items() if _is_part(value)}
        words["likelihoods"] = {n: v for n, v in likelihoods.items() if n not in own["likelihoods"]} or "auto"
    return words, own


def _is_part(value: object) -> bool:
    return callable(value) or isinstance(value, Bound)


def make_part(part: Callable[..., T] | T, *arguments: object, must_have: Mapping[str, int], **settings: object) -> T:
    """Make a part from its class, or copy a user's instance, so that theirs stays as it is.

    Parameters
    ----------
    part
        The class, or an instance.
    *arguments, **settings
        What the class is made with.
    must_have
        Sizes that the part must have, as attributes: its neighbours rely on them.

    Returns
    -------
    torch.nn.Module
        The part.

    Raises
    ------
    InputError
        If an instance is made for other sizes.

    Examples
    --------
    >>> make_part(nn.Linear, 3, 2, must_have={"in_features": 3}, bias=False)
    Linear(in_features=3, out_features=2, bias=False)
    """
    made: Any = copy.deepcopy(part) if isinstance(part, nn.Module) else part(*arguments, **settings)
    for name, size in must_have.items():
        if getattr(made, name) != size:
            raise InputError(
                f"{name_of(part)} has {name} = {getattr(made, name)}, and here it must be {size}.",
                f"the instance of {name_of(part)}",
                f"Make it with {name}={size}, or give the class: then the sizes are set for you.",
            )
    return cast("T", made)
