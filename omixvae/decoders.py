"""(z, w_s, covariates) → what the likelihood of a modality needs."""

from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from omixvae.calibration import Calibration, rename_earlier
from omixvae.errors import InputError
from omixvae.layers import add_linear, own_copy

__all__ = ["Decoder"]


class Decoder(nn.Module):
    """Decode one modality.

    Parameters
    ----------
    kind
        ``"linear"``: one linear map, whose weights are loadings; ``"mlp"``: that plus two hidden layers.
    n_latent, n_private, n_covariates
        Sizes of z, of this modality's w_s, and of the covariates.
    n_features
        Number of features g of the modality.
    n_decoded
        How many numbers r of each feature the likelihood takes.
    hidden_size
        Width of the hidden layers.
    by_batch
        Whether each feature gets one more number, from the covariates alone (see `dispersion_shift`).
    own
        A module (n, d + p + c) → (n, r g) to take instead; an average observation is added to what it gives.

    Notes
    -----
    A level of a covariate that this modality was never measured in (a batch without protein, say) has no trained
    weights. `known` maps such a level to the average of those that the modality does know, and leaves the others as
    they are: a prediction for that batch is the prediction for the known batches.

    What is found out about its predictions after the training is kept in `calibration`.

    Examples
    --------
    >>> decoder = Decoder("linear", n_latent=2, n_private=1, n_covariates=0, n_features=4, hidden_size=8)
    >>> decoder(torch.zeros(3, 2), torch.zeros(3, 1), torch.zeros(3, 0)).shape, decoder.loadings.shape
    (torch.Size([3, 4]), torch.Size([4, 3]))
    """

    known: Tensor

    def __init__(
        self,
        kind: Literal["mlp", "linear"],
        *,
        n_latent: int,
        n_private: int,
        n_covariates: int,
        n_features: int,
        n_decoded: int = 1,
        hidden_size: int,
        by_batch: bool = False,
        own: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.n_features, n_out = n_features, n_decoded * n_features
        self.n_latent, self.n_private = n_latent, n_private
        self.register_buffer("known", torch.eye(n_covariates))
        self.calibration = Calibration(n_features, n_out)
        # Public from torch 2.5 on.
        self._register_load_state_dict_pre_hook(rename_earlier, with_module=True)  # type: ignore[no-untyped-call]
        n_in = n_latent + n_private + n_covariates
        self.of_batch = nn.Parameter(torch.zeros(n_covariates, n_features)) if by_batch else None
        self.linear = nn.Linear(n_in, n_out) if own is None else None
        self.own_offset = nn.Parameter(torch.zeros(n_out)) if self.linear is None else None
        self.bent: nn.Module | None = None
        self.last: nn.Linear | None = None
        if own is not None:
            where = f"the argument decoders, for a modality of {n_features:,} features"
            self.bent, size = own_copy(own, n_in, where)
            if size != n_out:
                each = f", of each of which the likelihood takes {n_decoded}" if n_decoded > 1 else ""
                raise InputError(
                    f"The module gives {size:,} values for {n_features:,} features{each}.",
                    where,
                    f"Let the module return a tensor of shape (n, {n_out}).",
                )
        elif kind == "mlp":
            self.bent = nn.Sequential(
                nn.Linear(n_in, hidden_size),
                nn.LayerNorm(hidden_size),
                nn.LeakyReLU(0.1),
                nn.Linear(hidden_size, hidden_size),
                nn.LayerNorm(hidden_size),
                nn.LeakyReLU(0.1),
            )
            self.last = nn.Linear(hidden_size, n_out, bias=False)

    def forward(
        self, z: Float[Tensor, "*n d"], w: Float[Tensor, "*n p"], covariates: Float[Tensor, "*n c"]
    ) -> Float[Tensor, "*n rg"]:
        """Decode; of `w` the first `n_private` dimensions are this modality's."""
        x = torch.cat([z, w[..., : self.n_private], covariates @ self.known], dim=-1)
        decoded: Tensor = self.offset if self.linear is None else self.linear(x)
        if self.bent is None:
            return decoded
        bent = self.bent(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
        return decoded + bent if self.last is None else add_linear(decoded, bent, self.last.weight)

    def dispersion_shift(self, covariates: Float[Tensor, "*n c"]) -> Float[Tensor, "*n g"] | None:
        """Return what the covariates alone say of each feature; None unless made for it."""
        return None if self.of_batch is None else covariates @ self.known @ self.of_batch

    @property
    def offset(self) -> Float[Tensor, " rg"]:
        """What is decoded where all latents are zero, but for the hidden layers."""
        return cast("Tensor", self.own_offset if self.linear is None else self.linear.bias)

    @property
    def weights(self) -> Float[Tensor, "rg d_plus_p"] | None:
        """Weights of each latent dimension on each output, first the shared, then the private; None unless linear."""
        if self.linear is None or self.bent is not None:
            return None
        return self.linear.weight[:, : self.n_latent + self.n_private]

    @property
    def loadings(self) -> Float[Tensor, "g d_plus_p"] | None:
        """The weights on the first number of each feature, which says where its mean is; None unless linear."""
        return None if self.weights is None else self.weights[: self.n_features]

    @torch.no_grad()
    def initialise(self, start: Float[Tensor, " rg"], known: Float[Tensor, "c c"]) -> None:
        """Start at an average observation, and say which levels of the covariates this modality knows."""
        self.offset.copy_(start)
        self.known.copy_(known)
