"""Progress of one training, or of many: a bar with the time left on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from omixvae.training.schedule import Epoch

__all__ = ["SelectionProgress", "TrainingProgress"]

LINES_IN_A_LOG = 10


class TrainingProgress:
    """Show how training goes, on standard error.

    Parameters
    ----------
    n_epochs
        Most epochs.
    show
        Show nothing at all if False.

    Examples
    --------
    >>> with TrainingProgress(10, show=False) as progress:
    ...     progress(Epoch(0, -5.0, -6.0, -4.0, 0.5, 0.5, 0.1))
    """

    def __init__(self, n_epochs: int, *, show: bool) -> None:
        self.n_epochs = n_epochs
        self.console = Console(file=sys.stderr, quiet=not show)
        self.bar = Progress(
            TextColumn("Training"),
            BarColumn(),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}  {task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (show and self.console.is_terminal),
        )
        self.task = self.bar.add_task("", total=n_epochs)

    def __enter__(self) -> "TrainingProgress":
        """Start the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self.bar.stop()

    def __call__(self, row: Epoch) -> None:
        """Take note of an epoch."""
        bounds = f"bound {row.bound:,.1f}, held out {row.held_out_bound:,.1f}"
        self.bar.update(self.task, completed=row.epoch + 1, description=bounds)
        every = max(1, self.n_epochs // LINES_IN_A_LOG)
        if not self.console.is_terminal and (row.epoch + 1) % every == 0:
            left = row.seconds / (row.epoch + 1) * (self.n_epochs - row.epoch - 1)
            self.console.print(
                f"epoch {row.epoch + 1}/{self.n_epochs}  {bounds}  {row.seconds:.0f} s, at most {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )


class SelectionProgress:
    """Show how a series of trainings goes, on standard error.

    Parameters
    ----------
    n_fits
        Number of trainings.
    show
        Show nothing at all if False.

    Examples
    --------
    >>> with SelectionProgress(4, show=False) as progress:
    ...     progress.working("n_latent=5", 0.5)
    ...     progress.done("n_latent=5, part 1 of 2: -812.3 nats")
    """

    def __init__(self, n_fits: int, *, show: bool) -> None:
        self.n_fits, self.n_done, self.began = n_fits, 0, time.perf_counter()
        self.console = Console(file=sys.stderr, quiet=not show)
        self.bar = Progress(
            TextColumn("Selecting"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (show and self.console.is_terminal),
        )
        self.task = self.bar.add_task("", total=n_fits)

    def __enter__(self) -> "SelectionProgress":
        """Start the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self.bar.stop()

    def working(self, what: str, part: float) -> None:
        """Say what is being trained, and which part of it is done."""
        self.bar.update(
            self.task, completed=self.n_done + part, description=f"fit {self.n_done + 1}/{self.n_fits}  {what}"
        )

    def done(self, outcome: str) -> None:
        """Take note of a training that is over."""
        self.n_done += 1
        self.bar.update(self.task, completed=self.n_done)
        if not self.console.is_terminal:
            seconds = time.perf_counter() - self.began
            left = seconds / self.n_done * (self.n_fits - self.n_done)
            self.console.print(
                f"fit {self.n_done}/{self.n_fits}  {outcome}  {seconds:.0f} s, about {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )
