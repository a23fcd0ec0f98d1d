"""Several processes that torchrun or srun started: Lightning Fabric says which ones, PyTorch connects them."""

import atexit
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed, nn

from omixvae.errors import InputError
from omixvae.processes.processes import LostProcessError, Processes

if TYPE_CHECKING:
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment

__all__ = ["ProcessGroup"]

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long processes wait for one another: the first may have much to impute and to write while the others wait. One
that ends is noticed at once on processors; on GPUs it is the launcher that ends the others."""

PATIENCE_TO_HEAR = timedelta(seconds=10)
"""How long a process that is about to end waits until another has said why."""


class ProcessGroup(Processes):
    """Several processes on one machine or many: gloo between processors, NCCL between GPUs.

    Raises
    ------
    InputError
        If Lightning Fabric is lacking, or SLURM does not say how many processes each machine has.
    """

    def __init__(self) -> None:
        environment = _environment()
        super().__init__(environment.global_rank(), environment.world_size())
        self.local_rank = environment.local_rank()
        if not distributed.is_initialized():  # a script may have done so for purposes of its own
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
                init_method=f"tcp://{environment.main_address}:{environment.main_port}",
                rank=self.rank,
                world_size=self.size,
                timeout=PATIENCE,
            )
            atexit.register(distributed.destroy_process_group)

    def spread(self, network: nn.Module) -> None:
        """Give the others the first process's parameters, buffers, and which parameters are trained."""
        parameters = list(network.parameters())
        trained = self.gather([parameter.requires_grad for parameter in parameters])[0]
        with _reached():
            for tensor in itertools.chain(parameters, network.buffers()):
                distributed.broadcast(tensor.detach(), 0)
        for parameter, is_trained in zip(parameters, trained, strict=True):
            parameter.requires_grad_(is_trained)

    def device(self, device: torch.device) -> torch.device:
        """Choose this process's own among the devices of a kind.

        Parameters
        ----------
        device
            The kind.

        Returns
        -------
        torch.device
            A GPU of its own, or the processor.

        Raises
        ------
        InputError
            If there are fewer GPUs than processes.
        """
        if device.type == "cpu":
            return device
        n = torch.cuda.device_count() if device.type == "cuda" else 1
        # srun may show each process nothing but its own GPU
        shown_its_own = device.type == "cuda" and n == 1 and not distributed.is_torchelastic_launched()
        number = 0 if shown_its_own else self.local_rank
        if number >= n:
            raise InputError(
                f"A machine has more processes than GPUs ({n}).",
                "the start of the processes",
                "Start one process for each GPU of a machine, or train on processors with device=cpu.",
            )
        if device.type == "cuda":
            torch.cuda.set_device(number)
        return torch.device(device.type, number)

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, in the order of their ranks; each must be able to be pickled."""
        values: list[T] = [value] * self.size
        with _reached():
            distributed.all_gather_object(values, value)
        return values

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over the processes."""
        total = values.clone()
        with _reached():
            distributed.all_reduce(total)
        return total

    @torch.no_grad()
    def sum_gradients(self, network: nn.Module) -> None:
        """Add up the gradients over the processes, in one message.

        Parameters
        ----------
        network
            After `backward`. A parameter has no gradient afterwards only where it has none in any process: Adam leaves
            it alone then, which it does not with a gradient of zero.
        """
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        there = torch.tensor([parameter.grad is not None for parameter in trained]).to(trained[0])
        own = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = self.sum(torch.cat([part.flatten() for part in (*own, there)]))
        *gradients, there = torch.split(flat, [*(parameter.numel() for parameter in trained), len(trained)])
        for parameter, gradient, n in zip(trained, gradients, there.tolist(), strict=True):
            parameter.grad = gradient.view_as(parameter) if n else None

    def report_once(self, say: Callable[[], None]) -> None:
        """Let the process that comes here first say something, and wait until it has."""
        try:
            store = distributed.distributed_c10d._get_default_store()  # has no public name
            if store.add("comes to speak", 1) == 1:
                say()
                store.set("has spoken", "")
            else:
                store.wait(["has spoken"], PATIENCE_TO_HEAR)
        except RuntimeError:  # the process that holds the store has left: it spoke
            return


@contextmanager
def _reached() -> Iterator[None]:
    """Say in words that another process has not answered."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            f"Another process has ended or cannot be reached ({str(error).splitlines()[0]})."
        ) from error


def _environment() -> "ClusterEnvironment":
    """Find out who started the processes."""
    try:
        # here, because it is an optional extra
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
        from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    except ImportError as error:
        raise InputError(
            "Several processes were started, but Lightning Fabric, which connects them, is not installed.",
            "the installation",
            "Run pip install 'omixvae[distributed]', or start one process.",
        ) from error
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that srun was not used: in a shell made by salloc it cannot tell
            return SLURMEnvironment(auto_requeue=False)
    except RuntimeError as error:
        raise InputError(
            "SLURM does not say how many processes each machine has.",
            "the start of the processes",
            "Give --ntasks-per-node to sbatch or srun, not --ntasks alone.",
        ) from error
