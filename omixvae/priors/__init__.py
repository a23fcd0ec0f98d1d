"""What is believed about the shared latent before anything is seen: one word, one class."""

from omixvae.priors.gaussian_mixture import GaussianMixturePrior
from omixvae.priors.prior import Prior
from omixvae.priors.standard_normal import StandardNormal
from omixvae.priors.vamp import VampPrior

__all__ = ["PRIORS", "GaussianMixturePrior", "Prior", "StandardNormal", "VampPrior"]

PRIORS: dict[str, type[Prior]] = {
    "gaussian_mixture": GaussianMixturePrior,
    "standard_normal": StandardNormal,
    "vamp": VampPrior,
}
