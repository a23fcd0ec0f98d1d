"""What is maximised: one word, one `Bound`."""

from omixvae.bounds import Bound, Terms
from omixvae.objectives.divergence import divergence
from omixvae.objectives.masked import masked_bound
from omixvae.objectives.mixture import mixture_bound
from omixvae.objectives.subsets import draw_subset
from omixvae.objectives.total_correlation import total_correlation_bound

__all__ = ["OBJECTIVES", "Bound", "Terms", "divergence", "draw_subset"]

OBJECTIVES: dict[str, Bound] = {
    "masked": Bound(masked_bound),
    "mixture": Bound(mixture_bound, subset_sizes="not_empty"),
    "total_correlation": Bound(total_correlation_bound, subset_sizes="single", trains_prior=False),
}
