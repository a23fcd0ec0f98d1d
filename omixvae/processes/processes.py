"""What training needs of the processes that share it, and the plain case: one process that has nobody to talk to."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from omixvae.errors import InputError

if TYPE_CHECKING:
    import torch  # only for its names: one process starts without it

__all__ = ["LostProcessError", "OneProcess", "Processes"]

T = TypeVar("T")


class LostProcessError(RuntimeError):
    """Another process has ended, or cannot be reached; what it said itself is the reason."""


class Processes(ABC):
    """The processes that train one model together, seen from one of them.

    All of them call the same methods in the same order.

    Parameters
    ----------
    rank
        Number of this process, from 0. The first one speaks, and writes files.
    size
        How many there are.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes files."""
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Go on after a block when all processes have left it, or else end with what was wrong in one of them.

        Raises
        ------
        InputError
            In every process the same, if one was raised in any.

        Examples
        --------
        >>> with OneProcess().together():
        ...     1 + 1
        2
        """
        mine = None
        try:
            yield
        except InputError as error:
            mine = error
        errors = [error for error in self.gather(mine) if error is not None]
        if errors:
            raise errors[0]

    def lead(self, network: "torch.nn.Module", change: Callable[[], None]) -> None:
        """Let the first process change a network, and give what it has become to the others.

        Parameters
        ----------
        network
            The same module in each process; parameters, buffers, and which parameters are trained, become the first's.
        change
            Called in the first process alone.

        Raises
        ------
        InputError
            In every process, if `change` raises one.
        """
        with self.together():
            if self.first:
                change()
        self.spread(network)

    @abstractmethod
    def spread(self, network: "torch.nn.Module") -> None:
        """Give the others the first process's parameters, buffers, and which parameters are trained."""

    @abstractmethod
    def device(self, device: "torch.device") -> "torch.device":
        """Choose this process's own among the devices of a kind."""

    @abstractmethod
    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, in the order of their ranks; each must be able to be pickled."""

    @abstractmethod
    def sum(self, values: "torch.Tensor") -> "torch.Tensor":
        """Add up a tensor over the processes."""

    @abstractmethod
    def sum_gradients(self, network: "torch.nn.Module") -> None:
        """Add up the gradients over the processes; a parameter has none only where it has none in any of them."""

    @abstractmethod
    def report_once(self, say: Callable[[], None]) -> None:
        """Let the process that comes here first say something, and wait until it has."""


class OneProcess(Processes):
    """A process that trains alone: there is nothing to add up, to give, or to wait for.

    Examples
    --------
    >>> OneProcess().gather(3)
    [3]
    """

    def __init__(self) -> None:
        super().__init__(rank=0, size=1)

    def spread(self, network: "torch.nn.Module") -> None:
        """Do nothing."""

    def device(self, device: "torch.device") -> "torch.device":
        """Return the device as it is."""
        return device

    def gather(self, value: T) -> list[T]:
        """Return the value."""
        return [value]

    def sum(self, values: "torch.Tensor") -> "torch.Tensor":
        """Return the tensor."""
        return values

    def sum_gradients(self, network: "torch.nn.Module") -> None:
        """Do nothing."""

    def report_once(self, say: Callable[[], None]) -> None:
        """Say it."""
        say()
