"""Progress of a training run: a bar with the bound and the time left on a terminal, plain lines in a log."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from omixvae.training.schedule import Epoch

__all__ = ["TrainingProgress"]

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
