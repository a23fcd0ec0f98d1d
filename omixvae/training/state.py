"""All that changes while a network is trained, and where it stands between two steps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omixvae.bounds import Bound
from omixvae.errors import InputError
from omixvae.processes import Processes
from omixvae.training.schedule import History
from omixvae.vae import MultimodalVAE

__all__ = ["Snapshot", "StoppedTraining", "TrainingState"]

NOISE, SUMS, FIRST_NONFINITE_STEP = "noise", "sums", "lost_at"
"""Tensors that each of several processes has for itself, by their names in checkpoints."""

OF_EACH_PROCESS = (NOISE, SUMS, FIRST_NONFINITE_STEP)


@dataclass(frozen=True)
class Snapshot:
    """Where a training stands between two steps: all that its further steps depend on, besides data and plan.

    Parameters
    ----------
    history
        The epochs that are over.
    step
        Steps done of the epoch after these; 0 between two epochs.
    seconds
        Since training began.
    order
        State of the generator of orders before the order of this epoch was drawn.
    trained
        Names of the parameters that are trained.
    tensors
        On the CPU: weights, the best weights so far, the optimiser's, and those that each process has for itself.
    """

    history: History
    step: int
    seconds: float
    order: Mapping[str, Any]
    trained: tuple[str, ...]
    tensors: dict[str, Tensor]


class StoppedTraining(Exception):
    """Training was asked to stop; holds where it stands."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


@dataclass(kw_only=True)
class TrainingState:
    """What changes while a network is trained.

    Parameters
    ----------
    network, bound, optimiser
        The network, what it is to maximise, and what takes its steps.
    rng
        Puts observations in order; the same in all processes.
    noise
        Draws subsets and latents; another in each process.
    sums, first_nonfinite_step
        Of the present epoch: sums over observations, and the first step at which each term was not finite, infinite
        where it always was.
    """

    network: MultimodalVAE
    bound: Bound
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    noise: torch.Generator
    sums: Tensor
    first_nonfinite_step: Tensor
    history: History = ()
    best: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0
    began: float = field(default_factory=time.perf_counter)
    order: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The present epoch, from 0; after the last one their number."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """Since training began, without the time that it was stopped."""
        return time.perf_counter() - self.began

    def snapshot(self, processes: Processes) -> Snapshot:
        """Copy all that is needed to go on from here later.

        Parameters
        ----------
        processes
            Those that train; all of them must call this.

        Returns
        -------
        Snapshot
            The same in each process.
        """
        own = {
            NOISE: self.noise.get_state(),
            SUMS: self.sums.cpu(),
            FIRST_NONFINITE_STEP: self.first_nonfinite_step.cpu(),
        }
        of_all = processes.gather(own)
        tensors = {f"{name}.{rank}": of_all[rank][name] for rank in range(len(of_all)) for name in OF_EACH_PROCESS}
        tensors |= {f"weights.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
        return Snapshot(
            self.history,
            self.step,
            self.seconds,
            self.order if self.step else self.rng.bit_generator.state,
            tuple(name for name, parameter in self.network.named_parameters() if parameter.requires_grad),
            {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()},
        )

    def restore(self, snapshot: Snapshot, rank: int) -> None:
        """Go to where an earlier training stood.

        Parameters
        ----------
        snapshot
            Of a training of the same network.
        rank
            Of this process.

        Raises
        ------
        InputError
            If the network is another one: networks that a user brings are never saved.
        """
        device = self.sums.device
        try:
            self.network.load_state_dict(_below(snapshot, "weights"))
        except RuntimeError as error:
            raise InputError(
                f"The weights of the checkpoint do not fit the network: {str(error).splitlines()[-1].strip()}",
                "the arguments encoders and decoders",
                "Give modules with the same layers as before.",
            ) from error
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name in snapshot.trained)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(snapshot, "optimiser").items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = value.clone()
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.noise.set_state(snapshot.tensors[f"{NOISE}.{rank}"])
        self.sums = snapshot.tensors[f"{SUMS}.{rank}"].to(device)
        self.first_nonfinite_step = snapshot.tensors[f"{FIRST_NONFINITE_STEP}.{rank}"].to(device)
        self.best = {name: value.to(device) for name, value in _below(snapshot, "best").items()}
        self.rng.bit_generator.state = snapshot.order
        self.history, self.step, self.order = snapshot.history, snapshot.step, snapshot.order
        self.began = time.perf_counter() - snapshot.seconds


def _below(snapshot: Snapshot, part: str) -> dict[str, Tensor]:
    """Return the tensors of one part by their own names."""
    return {name.removeprefix(f"{part}."): t for name, t in snapshot.tensors.items() if name.startswith(f"{part}.")}
