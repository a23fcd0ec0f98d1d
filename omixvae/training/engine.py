"""The loop: batch, step, clip, schedule, stop. It sees no modality by name."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.data.sampler import epoch_batches, held_out_split, in_order, shared_batches
from omixvae.devices import few_threads, kept_memory
from omixvae.distributions import LatentDistribution
from omixvae.errors import InputError
from omixvae.inference.calibrate import calibrate
from omixvae.objectives import OBJECTIVES, Bound, Terms, draw_subset
from omixvae.plan import Plan
from omixvae.processes import OneProcess, Processes
from omixvae.training.schedule import Epoch, History, best_epoch, learning_rate_factor, should_stop, warm_up
from omixvae.training.state import Snapshot, StoppedTraining, TrainingState
from omixvae.vae import MultimodalVAE

__all__ = ["DivergedError", "train"]

LARGEST_GRADIENT = 1000.0
"""Norm to which a gradient is clipped: only steps that would destroy the model are cut (the paper, too, clips at a
large value)."""

LATENTS_TO_GROUP = 20_000
"""Most observations whose latents the prior starts from: more would cost time and change nothing."""

HELD_OUT_DRAWS = 256
"""The held-out bound averages over at least so many draws of subset and latents: ten patients alone are too noisy."""

VALUES_AT_ONCE = 4_000_000
"""Most values of a modality that are encoded at once, if no batch has more: 16 MB in float32."""

NOISE_APART = 1009
"""Between the seeds of the processes' noise. Not 1: that is between the seeds of training and of the held-out bound."""

STEPS_BETWEEN_QUESTIONS = 10
"""After so many it is asked whether to stop: seconds at most, and processes need not agree on it at each step."""

ALONE = OneProcess()


class DivergedError(InputError):
    """The loss is no longer a finite number; says at which step, and which term."""


@kept_memory()
@torch.enable_grad()
def train(
    network: MultimodalVAE,
    data: MaskedModalities,
    plan: Plan,
    processes: Processes = ALONE,
    *,
    bound: Bound | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    stop: Callable[[], bool] | None = None,
    snapshot: Snapshot | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network
        On its device, initialised.
    data
        The observations.
    plan
        What to do, all concrete.
    processes
        Those that train the same network, from the same rows: each step is one of all of them, and each reads its share
        of every batch.
    bound
        What is maximised; the one that the plan names when not given.
    on_epoch
        Called after each epoch with its row of the history.
    stop
        Asked again and again whether to stop. With several processes all stop when one is to.
    snapshot
        Where an earlier training of the same network with the same data and plan was stopped: this one goes on from
        there, and ends as that would have.

    Returns
    -------
    History
        One row per epoch. The network holds the weights of the epoch with the best held-out bound, the same in each
        process.

    Raises
    ------
    DivergedError
        If the loss becomes infinite or NaN: says at which step, and which term.
    InputError
        If there are more processes than observations to train on, or the bound would never train the prior.
    StoppedTraining
        If `stop` said so: holds the snapshot.

    Notes
    -----
    The first epochs of a mixture prior, a third of them for cohorts and two thirds for cells, use p(z) = N(0, I). Then
    it starts from groups of the latents, and is trained with the rest; at the end the components that no observation
    uses are switched off. A bound in which the prior has no part leaves it where it started, so it starts again at the
    end. Last, predictions of the held-out observations say how far those of what was not measured can be trusted
    (`calibrate`).
    """
    rng = np.random.default_rng(plan.seed)
    rows, held_out = (in_order(part, data.layout) for part in held_out_split(data.presence, plan.held_out, rng))
    _check_enough(rows, processes)
    bound = OBJECTIVES[plan.objective] if bound is None else bound
    _check_prior_is_trained(network, bound, plan)
    # What judges is read once: on disk it lies among all else, and every epoch would go through the whole file for it.
    trainer = Trainer(network, data, plan, processes, bound, rows, data.take(held_out), on_epoch, stop)
    with few_threads(plan.batch_size * plan.hidden_size):
        history, reached = trainer.run(rng, snapshot)
        if not bound.trains_prior:
            trainer.start_prior(rng)
        trainer.finish_prior()
        processes.lead(network, lambda: calibrate(network, data, held_out, rows, plan.seed))
        if reached is not None and trainer.is_to_stop():
            raise StoppedTraining(reached)
    return history


@dataclass(frozen=True)
class Trainer:
    """All that stays the same while a network is trained, and the steps; what changes is a `TrainingState`."""

    network: MultimodalVAE
    data: MaskedModalities
    plan: Plan
    processes: Processes
    bound: Bound
    rows: np.ndarray
    held_out: MaskedModalities
    on_epoch: Callable[[Epoch], None] | None
    stop: Callable[[], bool] | None

    def run(self, rng: np.random.Generator, snapshot: Snapshot | None) -> tuple[History, Snapshot | None]:
        """Train until the last epoch, or as long as it helps; leave the best weights, and nothing in memory beside.

        The snapshot is the last one, where somebody may ask to stop.
        """
        network, plan = self.network, self.plan
        state = self._begin(rng)
        if snapshot is not None:
            state.restore(snapshot, self.processes.rank)
        while state.epoch < plan.max_epochs and not should_stop(state.history, plan.prior_epoch, plan.patience):
            self._run_epoch(state)
            if self.is_to_stop():
                raise StoppedTraining(state.snapshot(self.processes))
        network.zero_grad(set_to_none=True)
        reached = None if self.stop is None else state.snapshot(self.processes)
        if state.best:
            network.load_state_dict(state.best)
        return state.history, reached

    def _begin(self, rng: np.random.Generator) -> TrainingState:
        sums, lost_at = self._nothing_yet()
        return TrainingState(
            network=self.network,
            bound=self.bound,
            optimiser=torch.optim.Adam(
                self.network.parameters(), lr=self.plan.learning_rate, betas=(0.9, 0.99), fused=True
            ),
            rng=rng,
            noise=self.network.generator(self.plan.seed + NOISE_APART * self.processes.rank),
            sums=sums,
            lost_at=lost_at,
        )

    def _nothing_yet(self) -> tuple[Tensor, Tensor]:
        """Return the sums and the steps at which terms were lost, at the start of an epoch."""
        sums = torch.zeros(4, device=self.network.device, dtype=torch.float64)
        return sums, torch.full((len(self.plan.modalities) + 3,), math.inf, device=self.network.device)

    def _run_epoch(self, state: TrainingState) -> None:
        """Take the steps of an epoch, judge the network by the rows held out, and keep it if it is the best so far."""
        self._run_steps(state)
        _check_finite(state.lost_at.tolist(), self.plan, self.processes)
        self.network.eval()
        held_out_bound = self._held_out_bound()
        bound, reconstruction, rate, cross_rate = (self.processes.sum(state.sums) / len(self.rows)).tolist()
        row = Epoch(state.epoch, bound, held_out_bound, reconstruction, rate, cross_rate, state.seconds)
        state.history, state.step = (*state.history, row), 0
        if self.on_epoch is not None:
            self.on_epoch(row)
        prior_epoch = self.plan.prior_epoch
        is_judged = not math.isnan(held_out_bound) and row.epoch >= prior_epoch
        if is_judged and best_epoch(state.history, prior_epoch) == row.epoch:
            state.best = {name: value.clone() for name, value in self.network.state_dict().items()}

    def _run_steps(self, state: TrainingState) -> None:
        """Take the steps of an epoch, or those that are left of it."""
        network, plan, rng = self.network, self.plan, state.rng
        if not state.step:
            if state.epoch == plan.prior_epoch:
                network.eval()
                self.start_prior(rng)
            state.sums, state.lost_at = self._nothing_yet()
            state.order = rng.bit_generator.state
        network.train()
        warm = warm_up(state.epoch + 1, plan.warm_up_epochs, plan.beta_start)
        batches = shared_batches(self.rows, plan.batch_size, self.processes.size, rng, self.data.layout)
        for parts in batches[state.step :]:
            n_done = state.epoch * len(batches) + state.step
            factor = learning_rate_factor(n_done, plan.max_epochs * len(batches))
            state.optimiser.param_groups[0]["lr"] = plan.learning_rate * factor
            own = parts[self.processes.rank]
            terms = self.evaluate(self._load(self.data, own), state.noise, warm)
            # the mean over the batch is that over each process's part, weighted by its size
            loss = len(own) / sum(map(len, parts)) * (terms.loss + _penalty(network, plan) / len(self.rows))
            norm = _step(network, state.optimiser, loss, self.processes)
            state.lost_at = torch.where(_finite(terms, norm), state.lost_at, state.lost_at.clamp(max=n_done + 1))
            state.sums += len(own) * _means(terms)
            state.step += 1
            if state.step % STEPS_BETWEEN_QUESTIONS == 0 and state.step < len(batches) and self.is_to_stop():
                raise StoppedTraining(state.snapshot(self.processes))

    def is_to_stop(self) -> bool:
        """Agree with all processes on whether to stop here: a signal may reach one of them, or each at another step."""
        return self.stop is not None and any(self.processes.gather(self.stop()))

    def _load(self, data: MaskedModalities, index: np.ndarray) -> MaskedBatch:
        return data.rows(index, self.network.device, self.network.dtype)

    def evaluate(self, batch: MaskedBatch, generator: torch.Generator, warm: float) -> Terms:
        """Draw what is seen of each observation, and compute the bound."""
        plan = self.plan
        subset = draw_subset(batch.presence, plan.subset_law, generator, sizes=self.bound.subset_sizes)
        private = None
        if plan.private_dropout and self.network.n_private:
            chance = torch.rand(subset.shape, generator=generator, device=subset.device)
            private = chance >= plan.private_dropout
        with torch.autocast(subset.device.type, torch.bfloat16, enabled=plan.precision == "mixed"):
            return self.bound.evaluate(
                self.network, batch, subset, generator, beta=plan.beta * warm, kl=plan.kl, private=private
            )

    @torch.no_grad()
    def _held_out_bound(self) -> float:
        """Average the bound of the held-out observations over the same draws at each epoch."""
        if not self.held_out.n_obs:
            return math.nan
        rank = self.processes.rank
        generator = self.network.generator(self.plan.seed + 1 + NOISE_APART * rank)
        repeated = np.tile(np.arange(self.held_out.n_obs), max(1, HELD_OUT_DRAWS // self.held_out.n_obs))
        total = torch.zeros((), device=self.network.device, dtype=torch.float64)
        for parts in shared_batches(repeated, self._rows_at_once(HELD_OUT_DRAWS), self.processes.size):
            terms = self.evaluate(self._load(self.held_out, parts[rank]), generator, 1.0)
            total += terms.bound.double().sum()
        average = float(self.processes.sum(total)) / len(repeated)
        if not math.isfinite(average):
            raise _diverged("bound", self.plan, "the observations held out")
        return average

    def _rows_at_once(self, most: int) -> int:
        """Return how many observations are looked at together when nothing is learned from them."""
        widest = max(m.n_features for m in self.plan.modalities)
        return max(self.plan.batch_size, min(most, VALUES_AT_ONCE // widest))

    def _beliefs(self, rows: np.ndarray) -> Iterator[tuple[MaskedBatch, LatentDistribution]]:
        for index in epoch_batches(rows, self._rows_at_once(512)):
            batch = self._load(self.data, index)
            q = self.network.posterior(batch, self.network.features(batch), batch.presence)
            if not torch.isfinite(q.mean).all():
                raise _diverged("latent", self.plan, "the latents of the observations")
            yield batch, q

    def start_prior(self, rng: np.random.Generator) -> None:
        """Start the prior from the latents: finding groups among them is no work to share."""
        rows = in_order(rng.permutation(self.rows)[:LATENTS_TO_GROUP], self.data.layout)
        n_measured = self.data.presence[rows].sum(axis=1)

        @torch.no_grad()
        def start() -> None:
            beliefs = (q for _, q in self._beliefs(rows))
            self.network.prior.start(beliefs, n_measured, choose=self.plan.choose_clusters, seed=self.plan.seed)

        self.processes.lead(self.network, start)

    @torch.no_grad()
    def finish_prior(self) -> None:
        """Tell a prior that has clusters how many observations belong to each, before all others."""
        own = np.array_split(self.rows, self.processes.size)[self.processes.rank]
        size: Tensor | int = 0
        for batch, q in self._beliefs(own):
            shares = self.network.prior.clusters(self.network.prior_of(batch), q.mean)
            if shares is None:
                return
            size = size + torch.bincount(shares.argmax(-1), minlength=shares.shape[-1])
        self.network.prior.finish(self.processes.sum(torch.as_tensor(size)))


def _check_enough(rows: np.ndarray, processes: Processes) -> None:
    if len(rows) < processes.size:
        raise InputError(
            f"{processes.size} processes cannot share {len(rows)} observations to train on.",
            "the start of the processes",
            "Start fewer; one is enough for so few observations.",
        )


def _check_prior_is_trained(network: MultimodalVAE, bound: Bound, plan: Plan) -> None:
    """Refuse a prior that is to learn from the first step on, with a bound in which it has no part."""
    if not bound.trains_prior and any(parameter.requires_grad for parameter in network.prior.parameters()):
        raise InputError(
            f"The bound {plan.objective} has no term that trains the prior {plan.prior}.",
            "options objective and prior",
            "Choose prior='gaussian_mixture', which is fitted to the latents, or prior='standard_normal'.",
        )


def _step(network: MultimodalVAE, optimiser: torch.optim.Optimizer, loss: Tensor, processes: Processes) -> Tensor:
    """Take one step, the same in all processes, unless its slope is not finite; give the norm of the gradient."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    processes.sum_gradients(network)
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    optimiser.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]  # no step then, on the device
    optimiser.step()
    return norm


def _penalty(network: MultimodalVAE, plan: Plan) -> Tensor:
    """Minus the log-density of the parameters that have a prior: the mixture's, and the linear decoders' weights'."""
    penalty = network.prior.penalty()
    for decoder in network.decoders:
        if decoder.weights is not None:
            penalty = penalty + 0.5 * plan.shrinkage * decoder.weights.square().sum()
    return penalty


def _finite(terms: Terms, norm: Tensor) -> Tensor:
    """Return which terms are finite numbers: each reconstruction, the rate, the cross rate, and the gradient."""
    parts = (*terms.reconstruction.unbind(-1), terms.rate, terms.cross_rate, norm)
    return torch.stack([torch.isfinite(part).all() for part in parts])


def _check_finite(lost_at: list[float], plan: Plan, processes: Processes) -> None:
    """Stop where a term was lost, in any process; `lost_at` says at which step each was.

    Once an epoch, since a GPU would have to wait for its host each time.
    """
    names = [*(f"reconstruction of {m.name!r}" for m in plan.modalities), "rate", "cross rate", "gradient"]
    step, first = min(min(zip(steps, range(len(names)), strict=True)) for steps in processes.gather(lost_at))
    if math.isfinite(step):
        raise _diverged(names[first], plan, f"step {step:,.0f} of the training")


def _diverged(what: str, plan: Plan, where: str) -> DivergedError:
    return DivergedError(
        f"Training stopped: the {what} became infinite or NaN.",
        where,
        f"Lower the learning_rate (it was {plan.learning_rate:g}), or look for extreme values in the data.",
    )


def _means(terms: Terms) -> Tensor:
    parts = (terms.bound, terms.reconstruction.sum(-1), terms.rate, terms.cross_rate)
    return torch.stack([part.detach().double().mean() for part in parts])
