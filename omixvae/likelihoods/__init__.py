"""How the values of a modality are distributed: one word, one class."""

from omixvae.likelihoods.categorical import Categorical
from omixvae.likelihoods.continuous import Gaussian, Laplace, LogNormal, StudentT
from omixvae.likelihoods.counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from omixvae.likelihoods.fractions import Bernoulli, Beta, Binomial
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood, ValueKind
from omixvae.likelihoods.protein import ProteinMixture

__all__ = ["LIKELIHOODS", "DataDistribution", "Likelihood", "ValueKind"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "student_t": StudentT,
    "laplace": Laplace,
    "log_normal": LogNormal,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
    "protein_mixture": ProteinMixture,
    "bernoulli": Bernoulli,
    "beta": Beta,
    "binomial": Binomial,
    "categorical": Categorical,
}
