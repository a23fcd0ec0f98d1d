"""The multi-modal variational autoencoder: holds the parts, encodes and decodes. No loss, no MuData."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TypeVar, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call

from omixvae.data.masked import MaskedBatch
from omixvae.decoders import Decoder
from omixvae.distributions import DiagonalGaussian, LatentDistribution, PriorWhere
from omixvae.encoders import AGGREGATIONS, FeatureEncoder
from omixvae.likelihoods import LIKELIHOODS, DataDistribution, Likelihood
from omixvae.own_modules import NO_OWN_MODULES, OwnModules, make_part
from omixvae.plan import ModalityPlan, Plan
from omixvae.priors import PRIORS

__all__ = ["MultimodalVAE", "new_network"]

PRIVATE_PART = 4
"""The hidden layers of the private latents' encoder are this many times narrower than the others: they describe a few
dimensions, for each of several sets, and at full width took a third of a step."""

T = TypeVar("T", bound=nn.Module)


def _module_list(modules: Iterable[T]) -> Sequence[T]:
    """Register modules, and keep their type."""
    return cast("Sequence[T]", nn.ModuleList(modules))


def _likelihood(m: ModalityPlan, plan: Plan, own: OwnModules) -> Likelihood:
    """Make the likelihood of a modality, with what it takes."""
    part = own.likelihoods[m.name] if m.likelihood == "own" else LIKELIHOODS[m.likelihood]
    settings: dict[str, object] = {"noise": m.noise} if part.takes_noise else {}
    settings |= {"by_total": m.by_total} if part.takes_total else {}
    settings |= {"by_batch": plan.dispersion == "batch"} if part.takes_dispersion else {}
    return make_part(part, m.n_features, must_have={"n_features": m.n_features}, **settings)


class MultimodalVAE(nn.Module):
    """p(x, z, w) = p(z) Π_s p(w_s) p(x_s | z, w_s) (Eq. M1), with encoders for any set of modalities.

    Parameters
    ----------
    plan
        Sizes and choices.
    own
        What a user brings; copied.

    Attributes
    ----------
    encoders, decoders, likelihoods
        One per modality, in the order of the plan.
    aggregation
        {h_s : s ∈ S} → q(z | x_S).
    private_encoder
        q(w_s | z, x_S); None where no modality has a private latent.
    prior
        p(z).
    weights
        Shape (m,): weight of each modality's reconstruction in a bound.
    """

    weights: Tensor

    def __init__(self, plan: Plan, own: OwnModules = NO_OWN_MODULES) -> None:
        super().__init__()
        size = plan.hidden_size
        n_private = [m.n_private for m in plan.modalities]
        # What balances modalities guides the training, and is no part of the bound that it ends with.
        weights = [1.0 if plan.balanced else m.weight for m in plan.modalities]
        self.n_latent, self.n_private = plan.n_latent, max(n_private)
        self.register_buffer("weights", torch.tensor(weights), persistent=False)
        self.likelihoods = _module_list(_likelihood(m, plan, own) for m in plan.modalities)
        self.encoders = _module_list(
            FeatureEncoder(
                m.n_features,
                hidden_size=size,
                n_out=size,
                own=own.encoders.get(m.name),
                n_covariates=plan.n_covariates if plan.encode_covariates else 0,
            )
            for m in plan.modalities
        )
        self.decoders = _module_list(
            Decoder(
                plan.decoder,
                n_latent=plan.n_latent,
                n_private=m.n_private,
                n_covariates=plan.n_covariates,
                n_features=m.n_features,
                n_decoded=likelihood.n_decoded,
                hidden_size=size,
                by_batch=likelihood.by_batch,
                own=own.decoders.get(m.name),
            )
            for m, likelihood in zip(plan.modalities, self.likelihoods, strict=True)
        )
        # Without their names: a user's own class may call its arguments otherwise.
        n_features = hidden_size = size
        self.aggregation = make_part(
            AGGREGATIONS[plan.aggregation] if own.aggregation is None else own.aggregation,
            n_features,
            plan.n_latent,
            hidden_size,
            plan.n_components,
            must_have={"n_features": n_features, "n_latent": plan.n_latent},
        )
        self.private_encoder = (
            self.aggregation.private_encoder(size, plan.n_latent, n_private, max(1, size // PRIVATE_PART))
            if self.n_private
            else None
        )
        self.prior = make_part(
            PRIORS[plan.prior] if own.prior is None else own.prior,
            plan.n_latent,
            plan.n_clusters,
            self.aggregation,
            must_have={"n_latent": plan.n_latent},
        )

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """With which precision it computes."""
        return next(self.parameters()).dtype

    def generator(self, seed: int) -> torch.Generator:
        """Make a source of random numbers on its device.

        Parameters
        ----------
        seed
            The same seed gives the same numbers.

        Returns
        -------
        torch.Generator
            A new one.
        """
        return torch.Generator(self.device).manual_seed(seed)

    def features(self, batch: MaskedBatch) -> Float[Tensor, "n m e"]:
        """Return h_s of each modality; zeros where it is absent.

        Parameters
        ----------
        batch
            Some observations.

        Returns
        -------
        torch.Tensor
            Shape (n, m, e).
        """
        h = []
        for modality, likelihood, encoder in zip(batch.modalities, self.likelihoods, self.encoders, strict=True):
            encoded = encoder(likelihood, modality, batch.covariates)
            h.append(torch.where(modality.present.unsqueeze(-1), encoded, 0.0))
        return torch.stack(h, dim=1)

    def prior_of(self, batch: MaskedBatch) -> LatentDistribution:
        """Return p(z) for some observations; the same for all, as no prior takes covariates yet.

        Parameters
        ----------
        batch
            Some observations.

        Returns
        -------
        LatentDistribution
            Over points of shape (..., d).
        """
        p: LatentDistribution = self.prior()
        return p

    def posterior(
        self, batch: MaskedBatch, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]
    ) -> LatentDistribution:
        """Return q(z | x_S) for the set S of each observation; p(z) where S is empty.

        Parameters
        ----------
        batch
            Some observations.
        h
            From `features`.
        present
            True for the modalities of S, which must be among those measured.

        Returns
        -------
        LatentDistribution
            Shape (n, d).
        """
        return self.posteriors(batch, h, present)[0]

    def posteriors(
        self, batch: MaskedBatch, h: Float[Tensor, "n m e"], *sets: Bool[Tensor, "n m"]
    ) -> list[LatentDistribution]:
        """Return q(z | x_S) for several sets S of each observation; what they have in common is computed once.

        Parameters
        ----------
        batch
            Some observations.
        h
            From `features`.
        *sets
            Each true for the modalities of S, which must be among those measured.

        Returns
        -------
        list of LatentDistribution
            One of shape (n, d) for each set.
        """
        g, prior = self.aggregation.embed(h), self.prior_of(batch)
        return [PriorWhere(~s.any(-1), prior, self.aggregation.combine(g, s)) for s in sets]

    def private_posterior(
        self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"], z: Float[Tensor, "n d"]
    ) -> DiagonalGaussian:
        """Return q(w_s | z, x_S) for s ∈ S, and p(w_s) = N(0, I) for the others.

        Parameters
        ----------
        h
            From `features`.
        present
            True for the modalities of S.
        z
            A point of the shared latent for each observation.

        Returns
        -------
        DiagonalGaussian
            Shape (n, m, p); p is 0 where no modality has a private latent. Its `detach` stops the encoders' parameters
            but not z, through which those of q(z | x) are still reached.
        """
        return self.private_posteriors(h, (present, z))[0]

    def private_posteriors(
        self, h: Float[Tensor, "n m e"], *given: tuple[Bool[Tensor, "n m"], Float[Tensor, "n d"]]
    ) -> list[DiagonalGaussian]:
        """Return q(w_s | z, x_S) for several S and z of each observation; what they have in common is computed once.

        Parameters
        ----------
        h
            From `features`.
        *given
            Pairs of a set S and a point z, as for `private_posterior`.

        Returns
        -------
        list of DiagonalGaussian
            One of shape (n, m, p) for each pair.
        """
        encoder = self.private_encoder
        if encoder is None:
            nothing = h.new_zeros(*h.shape[:2], 0)
            return [DiagonalGaussian(nothing, nothing) for _ in given]
        g = encoder.embed(h)
        present, z = (torch.cat(parts) for parts in zip(*given, strict=True))
        q: DiagonalGaussian = encoder(g.repeat(len(given), 1, 1), present, z)

        def detached(present: Tensor, z: Tensor) -> DiagonalGaussian:
            parameters = {name: parameter.detach() for name, parameter in encoder.named_parameters()}
            r: DiagonalGaussian = functional_call(encoder, parameters, (g.detach(), present, z))
            return r

        parts = zip(q.loc.chunk(len(given)), q.scale.chunk(len(given)), given, strict=True)
        return [DiagonalGaussian(loc, scale, partial(detached, *at)) for loc, scale, at in parts]

    def decode(
        self,
        s: int,
        z: Float[Tensor, "*n d"],
        w: Float[Tensor, "*n p"],
        batch: MaskedBatch,
        calibration_noise: Float[Tensor, "*n rg"] | None = None,
    ) -> DataDistribution:
        """Return p(x_s | z, w_s) of one modality.

        Parameters
        ----------
        s
            Position of the modality.
        z, w
            Shape (..., n, d) and (..., n, p): latents of the observations of `batch`.
        batch
            Has covariates, library sizes and coverages.
        calibration_noise
            Added on the scale of the decoder, if given.

        Returns
        -------
        DataDistribution
            Shape (..., n, g), in the data's units.
        """
        exposure = batch.modalities[s].exposure.expand(*z.shape[:-1], -1)
        p: DataDistribution = self.likelihoods[s](self._decoded(s, z, w, batch, calibration_noise), exposure)
        return p

    def _decoded(self, s: int, z: Tensor, w: Tensor, batch: MaskedBatch, noise: Tensor | None = None) -> Tensor:
        """Return what the decoder of a modality returns, followed by the shift that the covariates alone make."""
        decoder, covariates = self.decoders[s], batch.covariates.expand(*z.shape[:-1], -1)
        decoded = decoder(z, w, covariates)
        decoded = decoded if noise is None else decoded + noise
        shift = decoder.dispersion_shift(covariates)
        return decoded if shift is None else torch.cat([decoded, shift], dim=-1)

    def log_prob(
        self,
        batch: MaskedBatch,
        z: Float[Tensor, "n m d"],
        w: Float[Tensor, "n m p"],
        *,
        only: Sequence[bool] | None = None,
    ) -> Float[Tensor, "n m"]:
        """Return log p(x_s | z_s, w_s) of each observation and modality, in nats; 0 where it is absent.

        Parameters
        ----------
        batch
            Some observations.
        z, w
            One point of the latents for each observation *and modality*: each pair is decoded once.
        only
            Whether each modality is wanted; the others are not decoded, and get 0.

        Returns
        -------
        torch.Tensor
            Shape (n, m), summed over the measured entries.
        """
        total = []
        for s, modality in enumerate(batch.modalities):
            if only is not None and not only[s]:
                total.append(z.new_zeros(len(z)))
                continue
            total.append(self.likelihoods[s].score(self._decoded(s, z[:, s], w[:, s], batch), modality))
        return torch.stack(total, dim=1)


def new_network(plan: Plan, device: torch.device, own: OwnModules = NO_OWN_MODULES) -> MultimodalVAE:
    """Make a network whose start depends on the seed alone, and leave the caller's random numbers as they were.

    Parameters
    ----------
    plan
        Sizes, choices, precision and seed.
    device
        Where to put it.
    own
        What a user brings.

    Returns
    -------
    MultimodalVAE
        With random weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = MultimodalVAE(plan, own)
    return network.to(device, plan.dtype)
