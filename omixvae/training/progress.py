"""Progress of one training, or of many: a bar with the time left on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import ClassVar, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from omixvae.training.schedule import Epoch

__all__ = ["SelectionProgress", "TrainingProgress"]

LINES_IN_A_LOG = 10


class _Bar:
    """A bar on standard error, which says nothing where nobody looks."""

    title: ClassVar[str]
    state: ClassVar[str]

    def __init__(self, total: int, *, show: bool) -> None:
        self.total, self.n_done, self.began = total, 0, time.perf_counter()
        self.console = Console(file=sys.stderr, quiet=not show)
        self.bar = Progress(
            TextColumn(self.title),
            BarColumn(),
            TextColumn(self.state),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (show and self.console.is_terminal),
        )
        self.task = self.bar.add_task("", total=total)

    def __enter__(self) -> Self:
        """Start the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self.bar.stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        self.console.print(line, highlight=False, soft_wrap=True)

    def _log(self, line: str) -> None:
        """Print a line where there is no terminal to draw a bar on."""
        if not self.console.is_terminal:
            self.say(line)


class TrainingProgress(_Bar):
    """Show how training goes, on standard error.

    Parameters
    ----------
    total
        Most epochs.
    show
        Show nothing at all if False.

    Examples
    --------
    >>> with TrainingProgress(10, show=False) as progress:
    ...     progress(Epoch(0, -5.0, -6.0, -4.0, 0.5, 0.5, 0.1))
    """

    title = "Training"
    state = "epoch {task.completed:.0f}/{task.total:.0f}  {task.description}"

    def __call__(self, row: Epoch) -> None:
        """Take note of an epoch."""
        bounds = f"bound {row.bound:,.1f}, held out {row.held_out_bound:,.1f}"
        self.n_done = row.epoch + 1
        self.bar.update(self.task, completed=self.n_done, description=bounds)
        if self.n_done % max(1, self.total // LINES_IN_A_LOG) == 0:
            left = row.seconds / self.n_done * (self.total - self.n_done)
            self._log(f"epoch {self.n_done}/{self.total}  {bounds}  {row.seconds:.0f} s, at most {left:.0f} s left")


class SelectionProgress(_Bar):
    """Show how a series of trainings goes, on standard error.

    Parameters
    ----------
    total
        Number of trainings.
    show
        Show nothing at all if False.

    Examples
    --------
    >>> with SelectionProgress(4, show=False) as progress:
    ...     progress.working("n_latent=5", 0.5)
    ...     progress.done("n_latent=5, part 1 of 2: -812.3 nats")
    """

    title = "Selecting"
    state = "{task.description}"

    def working(self, what: str, part: float) -> None:
        """Say what is being trained, and which part of it is done."""
        self.bar.update(
            self.task, completed=self.n_done + part, description=f"fit {self.n_done + 1}/{self.total}  {what}"
        )

    def done(self, outcome: str) -> None:
        """Take note of a training that is over."""
        self.n_done += 1
        self.bar.update(self.task, completed=self.n_done)
        seconds = time.perf_counter() - self.began
        left = seconds / self.n_done * (self.total - self.n_done)
        self._log(f"fit {self.n_done}/{self.total}  {outcome}  {seconds:.0f} s, about {left:.0f} s left")
