"""Training that Ctrl-C or SIGTERM stops between two steps, so that it can go on later."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from omixvae.bounds import Bound
from omixvae.data import MaskedModalities
from omixvae.plan import Plan
from omixvae.processes import Processes
from omixvae.training.checkpoint import Checkpoint
from omixvae.training.engine import train
from omixvae.training.progress import TrainingProgress
from omixvae.training.schedule import History
from omixvae.training.state import Snapshot, StoppedTraining
from omixvae.vae import MultimodalVAE

__all__ = ["TrainingInterrupted", "train_resumably"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):
    """Training was stopped, and left a checkpoint from which it goes on.

    Parameters
    ----------
    number
        Of the signal.
    reached
        How far it had come: "after epoch 37 of 120".
    folder
        The checkpoint.
    """

    def __init__(self, number: int, reached: str, folder: str) -> None:
        super().__init__(number)
        self.reached, self.folder = reached, folder

    def __str__(self) -> str:
        """Return where it stopped, and how to go on."""
        return f"Stopped {self.reached}. The same call goes on from checkpoint={self.folder!r}."


def train_resumably(
    network: MultimodalVAE,
    data: MaskedModalities,
    plan: Plan,
    processes: Processes,
    progress: TrainingProgress,
    checkpoint: Checkpoint,
    snapshot: Snapshot | None,
    bound: Bound | None = None,
) -> History:
    """Train a network in place, and leave a checkpoint when a signal asks to stop.

    Parameters
    ----------
    network, data, plan, processes
        As for `omixvae.training.engine.train`.
    progress
        Shows it.
    checkpoint
        Where to leave it; removed at the end of the training.
    snapshot
        What the checkpoint held, if there was one.
    bound
        What is maximised; the one that the plan names when not given.

    Returns
    -------
    History
        One row per epoch.

    Raises
    ------
    TrainingInterrupted
        After a signal; the checkpoint is there then.
    InputError
        As `train` does, or if the checkpoint cannot be written.
    """
    with _stop_signals(progress.say, at_once_again=processes.size == 1) as stop:
        try:
            run = network, data, plan, processes
            history = train(*run, bound=bound, on_epoch=progress, stop=lambda: stop() > 0, snapshot=snapshot)
        except StoppedTraining as stopped:
            # together: a launcher ends all once one has ended
            with processes.together():
                if processes.first:
                    checkpoint.write(stopped.snapshot)
            number = max(processes.gather(stop()))
            raise TrainingInterrupted(number, _reached(stopped.snapshot, plan), str(checkpoint.path)) from None
    if processes.first:
        checkpoint.remove()
    return history


def _reached(snapshot: Snapshot, plan: Plan) -> str:
    n = len(snapshot.history)
    return f"in epoch {n + 1} of {plan.max_epochs}" if snapshot.step else f"after epoch {n} of {plan.max_epochs}"


@contextmanager
def _stop_signals(say: Callable[[str], None], *, at_once_again: bool) -> Iterator[Callable[[], int]]:
    """Take note of the first signal that asks to stop, while a block runs.

    Parameters
    ----------
    say
        Tells the user that it was heard.
    at_once_again
        Whether a second signal ends at once. Of several processes each may get one from the terminal and one from its
        launcher for a single Ctrl-C.

    Yields
    ------
    callable
        Returns the number of the signal, 0 if there was none.
    """
    heard: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if heard and at_once_again:
            raise KeyboardInterrupt(number)
        if not heard:
            heard.append(number)
            say(f"Stopping after this step{'; once more ends at once, without a checkpoint' * at_once_again}.")

    # Python lets no other thread hear signals, and a shell's background jobs are not to hear Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}
        taken = {number: old for number, old in before.items() if old not in (None, signal.SIG_IGN)}
    else:
        taken = {}
    for number in taken:
        signal.signal(number, note)
    try:
        yield lambda: heard[0] if heard else 0
    finally:
        for number, old in taken.items():
            signal.signal(number, old)
    if heard:  # too late to stop the training, not too late for what comes next
        signal.raise_signal(heard[0])
