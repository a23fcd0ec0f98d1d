"""The loop: batch, step, clip, schedule, stop. It sees no modality by name."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from omixvae.data.loader import load_batches
from omixvae.data.masked import MaskedBatch, MaskedModalities, Source
from omixvae.data.sampler import epoch_batches, held_out_split, in_order
from omixvae.devices import kept_memory
from omixvae.distributions import GaussianMixture, LatentDistribution
from omixvae.errors import InputError
from omixvae.objectives import OBJECTIVES, SUBSET_SIZES, TRAINS_PRIOR, Terms, draw_subset
from omixvae.plan import Plan
from omixvae.priors import GaussianMixturePrior
from omixvae.training.calibrate import calibrate
from omixvae.training.initialise import group_latents
from omixvae.training.schedule import Epoch, History, best_epoch, learning_rate_factor, should_stop, warm_up
from omixvae.vae import MultimodalVAE

__all__ = ["DivergedError", "train"]

LARGEST_GRADIENT = 1000.0
"""Norm to which a gradient is clipped: only steps that would destroy the model are cut (the paper, too, clips at a
large value)."""

LATENTS_TO_GROUP = 20_000
"""Most observations whose latents the mixture starts from: more would cost time and change nothing."""

HELD_OUT_DRAWS = 256
"""The held-out bound averages over at least so many draws of subset and latents: ten patients alone are too noisy."""

SMALLEST_CLUSTER = 5
"""A component that leads for fewer observations is no cluster but a leftover, and is switched off at the end."""


class DivergedError(InputError):
    """The loss is no longer a finite number; says at which step, and which term."""


@kept_memory()
@torch.enable_grad()
def train(
    network: MultimodalVAE, source: MaskedModalities, plan: Plan, *, on_epoch: Callable[[Epoch], None] | None = None
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network
        On its device, initialised.
    source
        Where rows come from.
    plan
        What to do, all concrete.
    on_epoch
        Called after each epoch with its row of the history.

    Returns
    -------
    History
        One row per epoch. The network holds the weights of the epoch with the best held-out bound.

    Raises
    ------
    DivergedError
        If the loss becomes infinite or NaN: says at which step, and which term.

    Notes
    -----
    The first epochs, a third of them for cohorts and two thirds for cells, use p(z) = N(0, I). Then the mixture starts
    from groups of the latents, and is trained with the rest; at the end the components that no observation uses are
    switched off. A bound in which the prior has no part leaves the mixture where it started, so it starts again at the
    end. Last, predictions of the held-out observations say how far those of what was not measured can be trusted
    (`calibrate`).
    """
    rng = np.random.default_rng(plan.seed)
    generator = torch.Generator(_device(network)).manual_seed(plan.seed)
    layout = source.layout
    rows, held_out = (in_order(part, layout) for part in held_out_split(source.presence, plan.held_out, rng))
    # Read once, and kept: on disk they lie among all others, and every epoch would go through the whole file for them.
    judges = source.take(held_out)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), fused=True)
    steps_per_epoch = len(epoch_batches(rows, plan.batch_size))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: learning_rate_factor(step, plan.max_epochs * steps_per_epoch)
    )
    began = time.perf_counter()
    history: History = ()
    best: dict[str, Tensor] = {}
    for epoch in range(plan.max_epochs):
        if epoch == plan.prior_epoch:
            network.eval()
            _start_prior(network, source, in_order(rng.permutation(rows)[:LATENTS_TO_GROUP], layout), plan)
        network.train()
        warm = warm_up(epoch + 1, plan.warm_up_epochs, plan.beta_start)
        sums = torch.zeros(4, device=_device(network), dtype=torch.float64)
        for index in epoch_batches(rows, plan.batch_size, rng, layout):
            batch = _load(network, source, index)
            terms = _evaluate(network, batch, plan, generator, warm)
            _step(network, optimiser, terms, len(rows), plan, schedule.last_epoch)
            schedule.step()
            sums += len(index) * _means(terms)
        network.eval()
        held_out_bound = _held_out_bound(network, judges, np.arange(len(held_out)), plan)
        bound, reconstruction, rate, cross_rate = (sums / len(rows)).tolist()
        seconds = time.perf_counter() - began
        history = (*history, Epoch(epoch, bound, held_out_bound, reconstruction, rate, cross_rate, seconds))
        if on_epoch is not None:
            on_epoch(history[-1])
        if (
            not math.isnan(held_out_bound)
            and epoch >= plan.prior_epoch
            and best_epoch(history, plan.prior_epoch) == epoch
        ):
            best = {name: value.clone() for name, value in network.state_dict().items()}
        if should_stop(history, plan.prior_epoch, plan.patience):
            break
    if best:
        network.load_state_dict(best)
    if not TRAINS_PRIOR[plan.objective]:
        _start_prior(network, source, in_order(rng.permutation(rows)[:LATENTS_TO_GROUP], layout), plan)
    _finish_prior(network, source, rows, plan)
    calibrate(network, source, held_out, rows, plan.seed)
    return history


def _device(network: MultimodalVAE) -> torch.device:
    return next(network.parameters()).device


def _load(network: MultimodalVAE, source: Source, index: np.ndarray) -> MaskedBatch:
    parameter = next(network.parameters())
    return next(load_batches(source, [index], parameter.device, parameter.dtype))


def _evaluate(network: MultimodalVAE, batch: MaskedBatch, plan: Plan, generator: torch.Generator, warm: float) -> Terms:
    subset = draw_subset(batch.presence, plan.subset_law, generator, sizes=SUBSET_SIZES[plan.objective])
    private = None
    if plan.private_dropout and network.n_private:
        chance = torch.rand(subset.shape, generator=generator, device=subset.device)
        private = chance >= plan.private_dropout
    with torch.autocast(subset.device.type, torch.bfloat16, enabled=plan.precision == "mixed"):
        return OBJECTIVES[plan.objective](
            network, batch, subset, generator, beta=plan.beta * warm, kl=plan.kl, private=private
        )


def _step(
    network: MultimodalVAE, optimiser: torch.optim.Optimizer, terms: Terms, n_rows: int, plan: Plan, step: int
) -> None:
    """Take one step uphill, unless there is no finite slope."""
    loss = terms.loss + _penalty(network, plan) / n_rows
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    if not torch.isfinite(norm):
        raise _diverged(terms, plan, f"step {step + 1:,} of the training")
    optimiser.step()


def _penalty(network: MultimodalVAE, plan: Plan) -> Tensor:
    """Minus the log-density of the parameters that have a prior: the mixture's, and the linear decoders' weights'."""
    penalty = network.prior.penalty()
    for decoder in network.decoders:
        if decoder.weights is not None:
            penalty = penalty + 0.5 * plan.shrinkage * decoder.weights.square().sum()
    return penalty


def _diverged(terms: Terms, plan: Plan, where: str) -> DivergedError:
    """Name the first term that is not finite."""
    parts = {
        **{f"reconstruction of {m.name!r}": terms.reconstruction[:, s] for s, m in enumerate(plan.modalities)},
        "rate": terms.rate,
        "cross rate": terms.cross_rate,
    }
    bad = [name for name, part in parts.items() if not torch.isfinite(part).all()]
    return DivergedError(
        f"The {bad[0] if bad else 'gradient'} is no finite number; the training was stopped.",
        where,
        f"Lower the learning_rate (it was {plan.learning_rate:g}), or look for extreme values in the data.",
    )


def _means(terms: Terms) -> Tensor:
    parts = (terms.bound, terms.reconstruction.sum(-1), terms.rate, terms.cross_rate)
    return torch.stack([part.detach().double().mean() for part in parts])


@torch.no_grad()
def _held_out_bound(network: MultimodalVAE, source: Source, rows: np.ndarray, plan: Plan) -> float:
    """Average the bound of the held-out observations over the same draws at each epoch."""
    if not len(rows):
        return math.nan
    generator = torch.Generator(_device(network)).manual_seed(plan.seed + 1)
    repeated = np.tile(rows, max(1, HELD_OUT_DRAWS // len(rows)))
    total = 0.0
    for index in epoch_batches(repeated, max(plan.batch_size, HELD_OUT_DRAWS)):
        terms = _evaluate(network, _load(network, source, index), plan, generator, 1.0)
        if not torch.isfinite(terms.bound).all():
            raise _diverged(terms, plan, "the observations held out")
        total += float(terms.bound.double().sum())
    return total / len(repeated)


def _beliefs(network: MultimodalVAE, source: Source, rows: np.ndarray, plan: Plan) -> Iterator[LatentDistribution]:
    for index in epoch_batches(rows, max(plan.batch_size, 512)):
        batch = _load(network, source, index)
        yield network.posterior(network.features(batch), batch.presence)


@torch.no_grad()
def _start_prior(network: MultimodalVAE, source: Source, rows: np.ndarray, plan: Plan) -> None:
    """Start the mixture's components from groups of the latents."""
    if isinstance(network.prior, GaussianMixturePrior):
        generator = torch.Generator(_device(network)).manual_seed(plan.seed)
        beliefs = list(_beliefs(network, source, rows, plan))
        latent = torch.cat([q.mean for q in beliefs]).cpu().double().numpy()
        if not np.isfinite(latent).all():
            raise DivergedError(
                "A latent is no finite number; the training was stopped.",
                "the start of the mixture prior",
                f"Lower the learning_rate (it was {plan.learning_rate:g}), or look for extreme values in the data.",
            )
        n_measured = source.presence[rows].sum(axis=1)
        groups = group_latents(latent, n_measured, plan.n_clusters, choose=plan.choose_clusters, seed=plan.seed)
        # Scales come from samples, which spread as the posteriors do: those of the means alone would be too narrow.
        z = torch.cat([q.rsample(generator) for q in beliefs])
        network.prior.initialise(z, torch.from_numpy(groups).long().to(z.device))


@torch.no_grad()
def _finish_prior(network: MultimodalVAE, source: Source, rows: np.ndarray, plan: Plan) -> None:
    """Switch off the components that hardly any observation uses."""
    p = network.prior()
    if isinstance(p, GaussianMixture) and isinstance(network.prior, GaussianMixturePrior):
        leader = torch.cat([p.responsibilities(q.mean).argmax(-1) for q in _beliefs(network, source, rows, plan)])
        share = torch.bincount(leader, minlength=plan.n_clusters).to(p.loc) / len(rows)
        network.prior.prune(share, SMALLEST_CLUSTER / len(rows))
