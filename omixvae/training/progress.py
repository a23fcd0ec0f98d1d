"""Progress of one training, or of many: a bar on a terminal or in a notebook, plain lines in a log."""

import sys
import time
from collections.abc import Sequence
from html import escape
from types import TracebackType
from typing import ClassVar, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from omixvae.training.schedule import Epoch

__all__ = ["SelectionProgress", "TrainingProgress", "show_lines"]

LINES_IN_A_LOG = 10

SECONDS_BETWEEN = 0.1
"""Least time between two messages to a notebook: else each of a short epoch would go to the browser."""


def show_lines(lines: Sequence[str]) -> None:
    """Print lines after a training: to standard error, as its progress; in a notebook below the cell.

    Parameters
    ----------
    lines
        What to print.
    """
    in_notebook = Console(file=sys.stderr).is_jupyter
    print(*lines, sep="\n", file=sys.stdout if in_notebook else sys.stderr)


class _NotebookBar:
    """One output below a cell, drawn again and again: without ipywidgets, bars of rich would add a block each time."""

    def __init__(self) -> None:
        from IPython.display import display  # only here: it is there where a notebook is

        self.last = time.perf_counter()
        self.handle = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def draw(self, title: str, part: float, text: str, *, at_once: bool = False) -> None:
        """Draw the bar as it is now, if it was not drawn just before."""
        if not at_once and time.perf_counter() - self.last < SECONDS_BETWEEN:
            return
        self.last = time.perf_counter()
        bar = f'<progress value="{part:.4f}" max="1"></progress>'
        html = f"<div>{escape(title)} {bar} <code>{escape(text)}</code></div>"
        self.handle.update({"text/plain": f"{title} {text}", "text/html": html}, raw=True)


class _Bar:
    """A bar on standard error, or below the cell of a notebook; nothing where nobody looks."""

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
        self.in_notebook = _NotebookBar() if show and self.console.is_jupyter else None
        self.shown = 0.0, ""

    def __enter__(self) -> Self:
        """Start the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self.bar.stop()
        if self.in_notebook is not None:
            self.in_notebook.draw(self.title, *self.shown, at_once=True)

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        self.console.print(line, highlight=False, soft_wrap=True)

    def _update(self, completed: float, description: str, text: str) -> None:
        """Move the bar; a notebook shows a text of its own beside it."""
        self.bar.update(self.task, completed=completed, description=description)
        self.shown = completed / self.total, text
        if self.in_notebook is not None:
            self.in_notebook.draw(self.title, *self.shown)

    def _log(self, line: str) -> None:
        """Print a line where there is neither a terminal nor a notebook to draw a bar on."""
        if not self.console.is_terminal and self.in_notebook is None:
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
        left = row.seconds / self.n_done * (self.total - self.n_done)
        line = f"epoch {self.n_done}/{self.total}  {bounds}  {row.seconds:.0f} s, at most {left:.0f} s left"
        self._update(self.n_done, bounds, line)
        if self.n_done % max(1, self.total // LINES_IN_A_LOG) == 0:
            self._log(line)


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
        line = f"fit {self.n_done + 1}/{self.total}  {what}"
        self._update(self.n_done + part, line, line)

    def done(self, outcome: str) -> None:
        """Take note of a training that is over."""
        self.n_done += 1
        seconds = time.perf_counter() - self.began
        left = seconds / self.n_done * (self.total - self.n_done)
        line = f"fit {self.n_done}/{self.total}  {outcome}  {seconds:.0f} s, about {left:.0f} s left"
        self._update(self.n_done, line, line)
        self._log(line)
