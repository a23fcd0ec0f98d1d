"""How the values of a modality are distributed: one word, one class."""

from omixvae.likelihoods.categorical import Categorical
from omixvae.likelihoods.continuous import Gaussian, Laplace, LogNormal
from omixvae.likelihoods.counts import NegativeBinomial
from omixvae.likelihoods.fractions import Bernoulli
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood

__all__ = ["LIKELIHOODS", "DataDistribution", "Likelihood"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "laplace": Laplace,
    "log_normal": LogNormal,
    "negative_binomial": NegativeBinomial,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
}
