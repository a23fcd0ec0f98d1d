"""When what happens in training: pure functions of step, epoch and history."""

import math
from dataclasses import dataclass

__all__ = ["Epoch", "History", "best_epoch", "learning_rate_factor", "should_stop", "warm_up"]


@dataclass(frozen=True)
class Epoch:
    """One row of the history; all values are means in nats per observation.

    Parameters
    ----------
    epoch
        From 0.
    bound, held_out_bound
        Of the observations trained on, and of those held out (NaN when none are).
    reconstruction, rate, cross_rate
        Parts of the bound of the observations trained on, not yet weighted.
    seconds
        Since training began.
    """

    epoch: int
    bound: float
    held_out_bound: float
    reconstruction: float
    rate: float
    cross_rate: float
    seconds: float


History = tuple[Epoch, ...]


def warm_up(epoch: float, n_epochs: float, start: float = 0.0) -> float:
    """Weight of the latents' cost, which becomes 1 over the first epochs.

    Parameters
    ----------
    epoch
        Epochs done.
    n_epochs
        Epochs until the weight is 1.
    start
        Weight at the start: 0, so that the decoder learns to use the latents before they cost anything; or above 1, as
        if the noise were larger, and then smaller step by step (deterministic annealing). With little noise, training
        is as slow as the EM algorithm is: each step moves latents by as little as the noise lets them.

    Returns
    -------
    float
        Along a line from 0, and along a geometric series from any other start.

    Examples
    --------
    >>> warm_up(5, 10), warm_up(20, 10), warm_up(5, 10, start=100)
    (0.5, 1.0, 10.0)
    """
    progress = min(1.0, epoch / n_epochs) if n_epochs else 1.0
    return start ** (1 - progress) if start else progress


def learning_rate_factor(step: int, n_steps: int) -> float:
    """Part of the learning rate to use: it rises in the first tenth of the steps, then goes down along a cosine.

    Parameters
    ----------
    step
        Steps done.
    n_steps
        Steps in all.

    Returns
    -------
    float
        From 0 to 1.

    Notes
    -----
    Full steps from the start can throw wide networks where their latents tell nothing, from where they do not return.

    Examples
    --------
    >>> learning_rate_factor(0, 100), learning_rate_factor(10, 100), learning_rate_factor(100, 100)
    (0.1, 1.0, 0.0)
    """
    rise = n_steps // 10
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, n_steps - rise))))


def best_epoch(history: History, since: int) -> int:
    """Find the epoch with the best held-out bound, from `since` on (before, another prior was in force).

    Parameters
    ----------
    history
        The epochs so far, `since` among them.
    since
        First epoch that counts.

    Returns
    -------
    int
        Its number.
    """
    return max(history[since:], key=lambda row: row.held_out_bound).epoch


def should_stop(history: History, since: int, patience: int) -> bool:
    """Return whether the held-out bound has not risen for `patience` epochs.

    Parameters
    ----------
    history
        The epochs so far.
    since
        First epoch that counts.
    patience
        Epochs without a better one.

    Returns
    -------
    bool
        Never true before `since`, nor without held-out observations.
    """
    if len(history) <= since or math.isnan(history[-1].held_out_bound):
        return False
    return history[-1].epoch - best_epoch(history, since) >= patience
