"""e_s: the values of one modality, and what is missing among them → its features h_s."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from omixvae.data.masked import ModalityBatch, Nonzeros
from omixvae.layers import MLP, own_copy
from omixvae.likelihoods.likelihood import Likelihood

__all__ = ["FeatureEncoder"]


class FeatureEncoder(nn.Module):
    """Encode one modality.

    Parameters
    ----------
    n_features
        Number of features g of the modality.
    hidden_size
        Width of the hidden layer.
    n_out
        Size e of the result.
    own
        A module (n, g) → (n, any size) to take instead of the hidden layers; a linear map brings it to size e.
    n_covariates
        Number of covariates c that are seen beside the values (by `own`: none).

    Notes
    -----
    Inputs are centred and scaled by the square root of the feature's variance plus the mean variance: features in
    standard units stay so, and rare counts are not blown up to unit variance. A missing entry is replaced by a learned
    value of its feature (section 1 of the method page: an offset per feature), which starts at the mean.

    Examples
    --------
    >>> from omixvae.likelihoods.continuous import Gaussian
    >>> e = FeatureEncoder(5, hidden_size=8, n_out=4)
    >>> batch = ModalityBatch(torch.zeros(3, 5), torch.ones(3, dtype=torch.bool), None, torch.ones(3))
    >>> e(Gaussian(5), batch, torch.zeros(3, 0)).shape
    torch.Size([3, 4])
    """

    center: Tensor
    unit: Tensor

    def __init__(
        self, n_features: int, hidden_size: int, n_out: int, own: nn.Module | None = None, n_covariates: int = 0
    ) -> None:
        super().__init__()
        self.n_covariates = n_covariates if own is None else 0
        self.register_buffer("center", torch.zeros(n_features))
        self.register_buffer("unit", torch.ones(n_features))
        self.offset = nn.Parameter(torch.zeros(n_features))
        if own is None:
            self.network: nn.Module = MLP(n_features + n_covariates, [hidden_size, hidden_size], n_out)
        else:
            module, size = own_copy(
                own, n_features, f"the argument encoders, for a modality of {n_features:,} features"
            )
            self.network = nn.Sequential(module, nn.Linear(size, n_out))

    def forward(
        self, likelihood: Likelihood, modality: ModalityBatch, covariates: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n e"]:
        """Encode what was measured, brought into range by its likelihood; finite also where the modality is absent."""
        x = self._inputs(likelihood, modality)
        h: Tensor = self.network(torch.cat([x, covariates], dim=-1) if self.n_covariates else x)
        return h

    def _inputs(self, likelihood: Likelihood, modality: ModalityBatch) -> Tensor:
        """Standardise the values."""
        if likelihood.keeps_zeros and modality.stored is not None and modality.observed is None:
            return self._inputs_of_stored(likelihood, modality, modality.stored)
        x = likelihood.encoder_input(modality.filled, modality.exposure)
        return modality.only_measured((x - self.center) / self.unit, self.offset)

    def _inputs_of_stored(self, likelihood: Likelihood, modality: ModalityBatch, stored: Nonzeros) -> Tensor:
        """Standardise only the values that may not be zero: all others of a feature become the same number."""
        n, g = modality.values.shape
        exposure = modality.exposure.index_select(0, stored.row)
        x = likelihood.encoder_input(stored.values.unsqueeze(-1), exposure).squeeze(-1)
        x = (x - self.center.index_select(0, stored.column)) / self.unit.index_select(0, stored.column)
        inputs = (-self.center / self.unit).repeat(n)
        inputs[stored.row * g + stored.column] = x
        return inputs.view(n, g)

    @torch.no_grad()
    def initialise(self, x: Float[Tensor, "n g"], sample: ModalityBatch) -> None:
        """Take centre and unit of each feature from a sample of inputs."""
        mask = sample.mask.expand_as(x)
        n = mask.sum(0).clamp(min=1)
        center = torch.where(mask, x, 0.0).sum(0) / n
        variance = torch.where(mask, (x - center) ** 2, 0.0).sum(0) / n
        self.center.copy_(center)
        self.unit.copy_((variance + variance.mean()).clamp(min=1e-6).sqrt())
