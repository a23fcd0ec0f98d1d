"""What held-out observations show about predictions of a modality, kept beside its decoder, and draws with it."""

from collections.abc import MutableMapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["Calibration", "rename_earlier"]

TAILS = 4.0
"""Degrees of freedom of the noise on what was not measured."""

EARLIER = ("slope", "spread", "skill")
"""Buffers that models of version 0.1.0 keep in the decoder itself."""


class Calibration(nn.Module):
    """Keep how well a modality is predicted from the others, and draw accordingly.

    Parameters
    ----------
    n_features
        Number of features g of the modality.
    n_out
        How many numbers its decoder returns: r of each feature.

    Attributes
    ----------
    slope
        By how much latents are shrunk before the modality is predicted from them; 1 leaves them as they are.
    spread
        Shape (2,): scale of the noise on what is decoded, first where the modality was not measured, then where only
        some entries were not.
    skill
        Shape (2, g): R² of each feature predicted from the other modalities, and its standard error; NaN where it is
        not known.
    baseline
        Shape (g,): mean of each feature in the training, on the scale that the encoder sees: what R² = 0 stands for.
        NaN in models of version 0.1.0.

    Notes
    -----
    Found after the training by `omixvae.inference.calibrate`.

    Examples
    --------
    >>> Calibration(n_features=3, n_out=3).imputable.tolist()
    [False, False, False]
    """

    slope: Tensor
    spread: Tensor
    skill: Tensor
    baseline: Tensor

    def __init__(self, n_features: int, n_out: int) -> None:
        super().__init__()
        self.n_out = n_out
        self.register_buffer("slope", torch.ones(()))
        self.register_buffer("spread", torch.zeros(2))
        self.register_buffer("skill", torch.full((2, n_features), torch.nan))
        self.register_buffer("baseline", torch.full((n_features,), torch.nan))

    @property
    def imputable(self) -> Bool[Tensor, " g"]:
        """True for the features whose R² is above zero by two standard errors; false where it is not known."""
        return self.skill[0] > 2 * self.skill[1]

    def shrink(self, z: Float[Tensor, "*n d"], center: Float[Tensor, " d"]) -> Float[Tensor, "*n d"]:
        """Shrink latents towards the prior mean by the calibration slope.

        Parameters
        ----------
        z
            Shape (..., d): drawn from a belief without the modality.
        center
            Shape (d,): mean of the prior.

        Returns
        -------
        torch.Tensor
            Shape (..., d); `z` itself where the slope is 1.
        """
        return torch.lerp(center, z, self.slope)

    def noise(
        self, absent: Bool[Tensor, " n"], generator: torch.Generator, spread: Float[Tensor, " two"] | None = None
    ) -> Float[Tensor, "n rg"]:
        """Draw noise to add to what is decoded for observations where the modality is missing, or entries of it.

        Parameters
        ----------
        absent
            Shape (n,): observations where the whole modality is missing.
        generator
            Source of random numbers.
        spread
            Shape (2,): another one to try instead of `spread`.

        Returns
        -------
        torch.Tensor
            Shape (n, r g).

        Notes
        -----
        Student's t with `TAILS` degrees of freedom, times `spread`: how far a prediction misses differs between
        observations, which a single deviation cannot express.
        """
        shape = (len(absent), self.n_out)
        noise = torch.randn(shape, generator=generator, device=self.spread.device, dtype=self.spread.dtype)
        half = torch.full_like(noise, 0.5 * TAILS)
        of_modality, of_entries = self.spread if spread is None else spread
        scale = torch.where(absent, of_modality, of_entries).unsqueeze(-1)
        return scale * noise * (torch._standard_gamma(half, generator=generator) / (0.5 * TAILS)).rsqrt()


def rename_earlier(decoder: nn.Module, weights: MutableMapping[str, Tensor], prefix: str, *_: object) -> None:
    """Read a calibration where version 0.1.0 kept it: a hook that runs before a decoder loads its weights.

    Parameters
    ----------
    decoder
        Has the calibration.
    weights
        Changed in place.
    prefix
        What the names of the decoder's weights begin with.
    """
    earlier = [name for name in EARLIER if f"{prefix}{name}" in weights]
    for name in earlier:
        weights[f"{prefix}calibration.{name}"] = weights.pop(f"{prefix}{name}")
    if earlier:
        weights[f"{prefix}calibration.baseline"] = decoder.get_buffer("calibration.baseline")
