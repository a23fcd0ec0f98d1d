"""The plan: what will be done, all concrete, saved beside the weights. `Config` is what the user asked for."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from omixvae.config import (
    AggregationWord,
    DispersionWord,
    KLWord,
    LikelihoodWord,
    ObjectiveWord,
    PriorWord,
    SubsetLawWord,
)

__all__ = ["ModalityPlan", "Plan"]


@dataclass(frozen=True)
class ModalityPlan:
    """What is done with one modality.

    Parameters
    ----------
    name
        The modality.
    n_features
        Number of its features.
    likelihood
        Word for its likelihood, a key of `LIKELIHOODS`; ``"own"`` for a class of the user's own.
    n_private
        Dimensions of its private latent.
    by_total
        Whether the total of an observation is its size factor (likelihoods of counts).
    noise
        Known standard deviation of the measurement; None where it is learned.
    weight
        Of its reconstruction in the bound; where the plan is `balanced`, as training begins.
    own_encoder, own_decoder
        Whether the user brought a module of their own.
    """

    name: str
    n_features: int
    likelihood: LikelihoodWord | Literal["own"]
    n_private: int
    by_total: bool = True
    noise: float | None = None
    weight: float = 1.0
    own_encoder: bool = False
    own_decoder: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done: no "auto" left.

    Parameters
    ----------
    modalities
        One plan each, in the order of the data.
    choose_clusters
        Whether `n_clusters` is only the most that are tried.
    reasons
        Decision to its reason, one line each.
    held_out
        Part of the observations that early stopping watches; 0 when it is off.
    patience
        Epochs without a better held-out bound after which training stops.
    warm_up_epochs
        Epochs in which the weight of the latents' cost rises to one.
    prior_epoch
        Epoch at which the prior starts from the latents; before, it is N(0, I). 0 for those without such a start.
    shrinkage
        Precision of the Gaussian prior on the weights of linear decoders, whose features are in standard units.
    n_obs
        Observations that have any value; 0 in models of versions that did not keep it.
    balanced
        Whether the weights of the modalities are what `omixvae.plan.balance` found in the data. They become 1 towards
        the last epoch.
    """

    modalities: tuple[ModalityPlan, ...]
    n_covariates: int
    encode_covariates: bool
    dispersion: DispersionWord
    n_latent: int
    private_dropout: float
    n_clusters: int
    choose_clusters: bool
    aggregation: AggregationWord | Literal["own"]
    n_components: int
    objective: ObjectiveWord | Literal["own"]
    prior: PriorWord | Literal["own"]
    decoder: Literal["mlp", "linear"]
    hidden_size: int
    beta: float
    beta_start: float
    subset_law: SubsetLawWord
    kl: KLWord
    max_epochs: int
    batch_size: int
    learning_rate: float
    held_out: float
    patience: int
    warm_up_epochs: int
    prior_epoch: int
    shrinkage: float
    precision: Literal["float32", "float64", "mixed"]
    seed: int
    reasons: Mapping[str, str]
    n_obs: int = 0
    balanced: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and of all that is not a product of matrices."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def to_json(self) -> str:
        """Write the plan as JSON.

        Returns
        -------
        str
            Indented JSON, for `from_json`.
        """
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read the plan back.

        Parameters
        ----------
        text
            What `to_json` gave.

        Returns
        -------
        Plan
            Equal to the one that was written.
        """
        read = json.loads(text)
        read["modalities"] = tuple(ModalityPlan(**m) for m in read["modalities"])
        return cls(**read)
