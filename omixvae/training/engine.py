"""The loop: batch, step, clip, schedule, stop. It sees no modality by name."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.data.sampler import epoch_batches, in_order, shared_batches
from omixvae.devices import few_threads, kept_memory
from omixvae.distributions import LatentDistribution
from omixvae.errors import InputError
from omixvae.inference.calibrate import calibrate
from omixvae.objectives import OBJECTIVES, Bound, Terms, draw_subset
from omixvae.own_modules import name_of
from omixvae.plan import Plan
from omixvae.processes import OneProcess, Processes
from omixvae.training.schedule import Epoch, History, best_epoch, learning_rate_factor, should_stop, warm_up
from omixvae.training.split import split_of
from omixvae.training.state import Snapshot, StoppedTraining, TrainingState
from omixvae.vae import MultimodalVAE

__all__ = ["DivergedError", "Trainer", "train"]

LARGEST_GRADIENT = 1000.0
"""Norm to which a gradient is clipped: only steps that would destroy the model are cut (the paper, too, clips at a
large value)."""

LATENTS_TO_GROUP = 20_000
"""Most observations whose latents the prior starts from: more would take longer and change nothing."""

HELD_OUT_DRAWS = 256
"""Least number of draws of subset and latents that the held-out bound averages over: ten patients are too noisy."""

MAX_ENCODED_VALUES = 4_000_000
"""Most values of a modality that are encoded at once, unless a batch has more: 16 MB in float32."""

RANK_SEED_STRIDE = 1009
"""Between the seeds of the processes' noise. Not 1: that is between the seeds of training and of the held-out bound."""

STEPS_BETWEEN_STOP_CHECKS = 10
"""Seconds at most, and the processes need not agree on it at each step."""

AVERAGED = ("bound", "reconstruction", "rate", "cross_rate")
"""Terms whose averages over an epoch are a row of the history, as fields of `Epoch`."""

ALONE = OneProcess()


class DivergedError(InputError):
    """The loss is no longer a finite number; names the step and the term."""


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
        The observations, those to hold out among them.
    plan
        What to do, all concrete.
    processes
        Those that train the same network on the same data: they take each step together, and each reads its share of
        every batch.
    bound
        What is maximised; the one that the plan names when not given.
    on_epoch
        Called after each epoch with its row of the history.
    stop
        Called now and then: whether to stop. Of several processes, all stop as soon as one is to.
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
        If the loss becomes infinite or NaN; names the step and the term.
    InputError
        If there are more processes than observations to train on, or the bound would never train the prior.
    StoppedTraining
        If `stop` said so: holds the snapshot.

    Notes
    -----
    For the first third (cohorts) or two thirds (cells) of the epochs the prior is N(0, I). Then a mixture prior starts
    from groups of the latents, and is trained with the rest; at the end the components that no observation uses are
    switched off. A bound in which the prior has no part leaves it where it started, so it starts again at the end.
    Last, predictions of the held-out observations show how far those of what was not measured can be trusted
    (`calibrate`).
    """
    split = split_of(plan, data.presence)
    train_rows, held_out_rows = (in_order(rows, data.layout) for rows in (split.train_rows, split.held_out_rows))
    _check_enough(train_rows, processes)
    bound = OBJECTIVES[plan.objective] if bound is None else bound
    _check_prior_is_trained(network, bound, plan)
    # Held-out data are read once: on disk they lie among the others, and every epoch would go through the whole file.
    held_out_data = data.take(held_out_rows)
    trainer = Trainer(network, data, plan, processes, bound, train_rows, held_out_data, on_epoch, stop)
    with few_threads(plan.batch_size * plan.hidden_size):
        history, last = trainer.run(split.rng, snapshot)
        if not bound.trains_prior:
            trainer.start_prior(split.rng)
        trainer.finish_prior()
        processes.lead(network, lambda: calibrate(network, data, held_out_rows, train_rows, plan.seed))
        # Only now: a signal may have come while the network was being finished, which all processes do together and of
        # which there is no snapshot. The training then goes on from its last epoch, and is finished again.
        if last is not None and trainer.is_to_stop():
            raise StoppedTraining(last)
    return history


@dataclass(frozen=True)
class Trainer:
    """All that stays the same while a network is trained, and the steps; what changes is a `TrainingState`."""

    network: MultimodalVAE
    data: MaskedModalities
    plan: Plan
    processes: Processes
    bound: Bound
    train_rows: np.ndarray
    held_out_data: MaskedModalities
    on_epoch: Callable[[Epoch], None] | None
    stop: Callable[[], bool] | None

    def run(self, rng: np.random.Generator, snapshot: Snapshot | None) -> tuple[History, Snapshot | None]:
        """Train until the last epoch, or as long as it helps; leave the best weights, and nothing else in memory.

        Return the history, and the snapshot after the last epoch if somebody may ask to stop.
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
        last = None if self.stop is None else state.snapshot(self.processes)
        if state.best:
            network.load_state_dict(state.best)
        return state.history, last

    def _begin(self, rng: np.random.Generator) -> TrainingState:
        sums, first_nonfinite_step = self._reset_epoch_sums()
        return TrainingState(
            network=self.network,
            bound=self.bound,
            optimiser=torch.optim.Adam(
                self.network.parameters(), lr=self.plan.learning_rate, betas=(0.9, 0.99), fused=True
            ),
            rng=rng,
            noise=self.network.generator(self.plan.seed + RANK_SEED_STRIDE * self.processes.rank),
            sums=sums,
            first_nonfinite_step=first_nonfinite_step,
        )

    def _reset_epoch_sums(self) -> tuple[Tensor, Tensor]:
        """Return the sums of `AVERAGED`, and the first step at which each term was not finite, as an epoch begins."""
        sums = torch.zeros(len(AVERAGED), device=self.network.device, dtype=torch.float64)
        return sums, torch.full((len(_term_names(self.plan)),), math.inf, device=self.network.device)

    def _run_epoch(self, state: TrainingState) -> None:
        """Take the steps of an epoch, judge the network by the data held out, and keep it if it is the best so far."""
        self._run_steps(state)
        _check_finite(state.first_nonfinite_step.tolist(), self.plan, self.processes)
        self.network.eval()
        held_out_bound = self._held_out_bound()
        averages = (self.processes.sum(state.sums) / len(self.train_rows)).tolist()
        row = Epoch(
            epoch=state.epoch,
            held_out_bound=held_out_bound,
            seconds=state.seconds,
            **dict(zip(AVERAGED, averages, strict=True)),
        )
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
            state.sums, state.first_nonfinite_step = self._reset_epoch_sums()
            state.order = rng.bit_generator.state
        network.train()
        warm, weights = warm_up(state.epoch + 1, plan.warm_up_epochs, plan.beta_start), self.weights_in(state.epoch)
        batches = shared_batches(self.train_rows, plan.batch_size, self.processes.size, rng, self.data.layout)
        for parts in batches[state.step :]:
            n_done = state.epoch * len(batches) + state.step
            factor = learning_rate_factor(n_done, plan.max_epochs * len(batches))
            state.optimiser.param_groups[0]["lr"] = plan.learning_rate * factor
            own = parts[self.processes.rank]
            terms = self.evaluate(self._load(self.data, own), state.noise, warm)
            penalty = _penalty(network, plan) / len(self.train_rows)
            # the mean over the batch is that over each process's part, weighted by its size
            loss = len(own) / sum(map(len, parts)) * (replace(terms, weights=weights).loss + penalty)
            norm = _step(network, state.optimiser, loss, self.processes)
            first = state.first_nonfinite_step
            state.first_nonfinite_step = torch.where(_finite(terms, norm), first, first.clamp(max=n_done + 1))
            state.sums += len(own) * _means(terms)
            state.step += 1
            if state.step % STEPS_BETWEEN_STOP_CHECKS == 0 and state.step < len(batches) and self.is_to_stop():
                raise StoppedTraining(state.snapshot(self.processes))

    def weights_in(self, epoch: int) -> Tensor:
        """Return the weights of the modalities in an epoch: those that balance them become 1 towards the last one."""
        if not self.plan.balanced:
            return self.network.weights
        weights = [warm_up(epoch, self.plan.max_epochs, start=m.weight) for m in self.plan.modalities]
        return self.network.weights.new_tensor(weights)

    def is_to_stop(self) -> bool:
        """Agree with all processes on whether to stop here: a signal may reach one of them, or each at another step."""
        return self.stop is not None and any(self.processes.gather(self.stop()))

    def _load(self, data: MaskedModalities, index: np.ndarray) -> MaskedBatch:
        return data.rows(index, self.network.device, self.network.dtype)

    def evaluate(self, batch: MaskedBatch, generator: torch.Generator, warm: float) -> Terms:
        """Draw the subset that is seen of each observation, and compute the bound."""
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
        n_held_out = self.held_out_data.n_obs
        if not n_held_out:
            return math.nan
        rank = self.processes.rank
        generator = self.network.generator(self.plan.seed + 1 + RANK_SEED_STRIDE * rank)
        repeated = np.tile(np.arange(n_held_out), max(1, HELD_OUT_DRAWS // n_held_out))
        total = torch.zeros((), device=self.network.device, dtype=torch.float64)
        for parts in shared_batches(repeated, self._rows_at_once(HELD_OUT_DRAWS), self.processes.size):
            terms = self.evaluate(self._load(self.held_out_data, parts[rank]), generator, 1.0)
            total += terms.bound.double().sum()
        average = float(self.processes.sum(total)) / len(repeated)
        if not math.isfinite(average):
            raise _diverged("bound", self.plan, "the observations held out")
        return average

    def _rows_at_once(self, most: int) -> int:
        """Return how many observations are encoded together when nothing is learned from them."""
        widest = max(m.n_features for m in self.plan.modalities)
        return max(self.plan.batch_size, min(most, MAX_ENCODED_VALUES // widest))

    def _beliefs(self, rows: np.ndarray) -> Iterator[tuple[MaskedBatch, LatentDistribution]]:
        for index in epoch_batches(rows, self._rows_at_once(512)):
            batch = self._load(self.data, index)
            q = self.network.posterior(batch, self.network.features(batch), batch.presence)
            if not torch.isfinite(q.mean).all():
                raise _diverged("latent", self.plan, "the latents of the observations")
            yield batch, q

    def start_prior(self, rng: np.random.Generator) -> None:
        """Start the prior from the latents, in the first process: finding groups among them cannot be shared."""
        rows = in_order(rng.permutation(self.train_rows)[:LATENTS_TO_GROUP], self.data.layout)
        n_measured = self.data.presence[rows].sum(axis=1)

        @torch.no_grad()
        def start() -> None:
            beliefs = (q for _, q in self._beliefs(rows))
            self.network.prior.start(beliefs, n_measured, choose=self.plan.choose_clusters, seed=self.plan.seed)

        self.processes.lead(self.network, start)

    @torch.no_grad()
    def finish_prior(self) -> None:
        """Finish a prior that has clusters with the number of observations that belong to each."""
        own = np.array_split(self.train_rows, self.processes.size)[self.processes.rank]
        size: Tensor | int = 0
        for batch, q in self._beliefs(own):
            shares = self.network.prior.clusters(self.network.prior_of(batch), q.mean)
            if shares is None:
                return
            size = size + torch.bincount(shares.argmax(-1), minlength=shares.shape[-1])
        self.network.prior.finish(self.processes.sum(torch.as_tensor(size)))


def _check_enough(train_rows: np.ndarray, processes: Processes) -> None:
    if len(train_rows) < processes.size:
        raise InputError(
            f"{processes.size} processes cannot share {len(train_rows)} observations to train on.",
            "the start of the processes",
            "Start fewer; one is enough for so few observations.",
        )


def _check_prior_is_trained(network: MultimodalVAE, bound: Bound, plan: Plan) -> None:
    """Refuse a prior that is to learn from the first step on, with a bound in which it has no part."""
    if not bound.trains_prior and any(parameter.requires_grad for parameter in network.prior.parameters()):
        of_bound = name_of(bound.evaluate) if plan.objective == "own" else plan.objective
        of_prior = name_of(network.prior) if plan.prior == "own" else plan.prior
        raise InputError(
            f"The bound {of_bound} has no term that trains the prior {of_prior}.",
            "options objective and prior",
            "Choose prior='gaussian_mixture', which is fitted to the latents, or prior='standard_normal'.",
        )


def _step(network: MultimodalVAE, optimiser: torch.optim.Optimizer, loss: Tensor, processes: Processes) -> Tensor:
    """Take one step, the same in all processes, unless its gradient is not finite; return the norm of the gradient."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    processes.sum_gradients(network)
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    optimiser.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]  # no step then, on the device
    optimiser.step()
    return norm


def _penalty(network: MultimodalVAE, plan: Plan) -> Tensor:
    """Compute minus the log-density of the parameters with a prior: the mixture's, and linear decoders' weights."""
    penalty = network.prior.penalty()
    for decoder in network.decoders:
        if decoder.weights is not None:
            penalty = penalty + 0.5 * plan.shrinkage * decoder.weights.square().sum()
    return penalty


def _term_names(plan: Plan) -> list[str]:
    """Name the terms that must be finite, in the order of `_finite`."""
    return [*(f"reconstruction of {m.name!r}" for m in plan.modalities), "rate", "cross rate", "gradient"]


def _finite(terms: Terms, norm: Tensor) -> Tensor:
    """Return which terms are finite numbers, in the order of `_term_names`."""
    parts = (*terms.reconstruction.unbind(-1), terms.rate, terms.cross_rate, norm)
    return torch.stack([torch.isfinite(part).all() for part in parts])


def _check_finite(first_nonfinite_step: list[float], plan: Plan, processes: Processes) -> None:
    """Stop if a term was not finite at any step, in any process.

    Once an epoch, since a GPU would have to wait for its host each time.
    """
    names, steps_of_all = _term_names(plan), processes.gather(first_nonfinite_step)
    step, first = min(min(zip(steps, range(len(names)), strict=True)) for steps in steps_of_all)
    if math.isfinite(step):
        raise _diverged(names[first], plan, f"step {step:,.0f} of the training")


def _diverged(what: str, plan: Plan, where: str) -> DivergedError:
    return DivergedError(
        f"Training stopped: the {what} became infinite or NaN.",
        where,
        f"Lower the learning_rate (it was {plan.learning_rate:g}), or look for extreme values in the data.",
    )


def _means(terms: Terms) -> Tensor:
    """Average the terms over a batch, in the order of `AVERAGED`."""
    parts = (terms.bound, terms.reconstruction.sum(-1), terms.rate, terms.cross_rate)
    return torch.stack([part.detach().double().mean() for part in parts])
