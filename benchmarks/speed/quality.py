"""How long training takes to reach the held-out bound that it ends with, beside totalVI's default training."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks.environments import environments_option, python_of
from benchmarks.speed.processes import call, threads_option
from benchmarks.tables import data_option, output_option, report

__all__ = ["quality", "settled"]

FILE = "pbmc_citeseq_10k_5k.h5mu"
BATCH = "batch"
WITHIN = 0.005
STOPPED_AFTER = 287
"""Epochs after which totalVI stopped by itself, with a patience of 45, in a whole run on this set (seed 0)."""


def settled(bounds: Sequence[float], prior_epoch: int) -> int | None:
    """Find the first epoch from which on the held-out bound stays within 0.5 % of the one that training ends with.

    Parameters
    ----------
    bounds
        Of the held-out observations, after each epoch.
    prior_epoch
        First epoch with the prior of the fitted model. The weights that are kept are those with the best bound from
        there on, so that one counts.

    Returns
    -------
    int or None
        From 0; None where the last bound is further away.
    """
    best = max(bounds[prior_epoch:])
    far = [epoch for epoch, bound in enumerate(bounds) if best - bound > WITHIN * abs(best)]
    first = far[-1] + 1 if far else 0
    return first if first < len(bounds) else None


@click.command()
@data_option
@click.option("--seeds", default=1, show_default=True, help="Trainings of omixvae; totalVI is timed with the first.")
@click.option("--peer-epochs", default="6", show_default=True, help="Of totalVI: a number, 0 for none, or all.")
@threads_option
@environments_option
@output_option
def quality(
    data: Path, seeds: int, peer_epochs: str, threads: int | None, environments: Path, output: Path | None
) -> None:
    """Time training with all defaults until the held-out bound is within 0.5 % of its final value.

    omixvae trains under p(z) = N(0, I) for the first two thirds of the epochs that it may make, and under the mixture
    from there on. The bounds of both are bounds of log p(x) of the same cells, and can be compared; but a training that
    was stopped before the mixture would have no clusters. So the headline counts epochs with the mixture only, and
    cannot come before it is in force; beside it stands from when on the bound was that good whatever the prior. Seconds
    run from the start of the training; what comes before and after it is in the seconds of the whole call.

    totalVI is timed for some epochs, and its default training extrapolated: to the most epochs that it makes by
    default, and to those after which it stopped by itself in an earlier whole run. With --peer-epochs all, it trains to
    its end.
    """
    if peer_epochs not in ("0", "all") and not (peer_epochs.isdigit() and int(peer_epochs) > 1):
        raise click.BadParameter("Give 0, all, or 2 at least: the first is left out.", param_hint="--peer-epochs")
    source = data / FILE
    if not source.exists():
        click.echo(f"Nothing was measured: there is no {FILE} in {data}.", err=True)
        return
    peer = None
    if peer_epochs != "0":
        peer = _totalvi(source, None if peer_epochs == "all" else int(peer_epochs), threads, environments)
    rows = [_ours(source, seed, threads, peer) for seed in range(seeds)]
    report({f"{FILE}: omixvae": rows} | ({} if peer is None else {f"{FILE}: totalVI": [peer]}), output)


def _ours(source: Path, seed: int, threads: int | None, peer: dict[str, object] | None) -> dict[str, object]:
    took = call("benchmarks.speed.ours:fit", source, threads=threads, options={"seed": seed, "batch_key": BATCH})
    ends, bounds, prior_epoch = (took.result[name] for name in ("ends", "held_out_bounds", "prior_epoch"))
    first = settled(bounds, prior_epoch)
    epoch = None if first is None else max(first, prior_epoch)
    seconds = None if epoch is None else ends[epoch]
    return {
        "seed": seed,
        "epochs": len(ends),
        "mixture from": prior_epoch + 1,
        "epoch within 0.5 %": None if epoch is None else epoch + 1,
        "seconds": seconds,
        "any prior: epoch": None if first is None else first + 1,
        "any prior: seconds": None if first is None else ends[first],
        "all epochs, s": ends[-1],
        "whole call, s": took.result["seconds"],
        **{
            f"of {name}": None if peer is None or seconds is None else seconds / peer[name]
            for name in DEFAULT_TRAININGS
        },
        "ends": ends,
        "bounds": bounds,
    }


DEFAULT_TRAININGS = ("totalVI's most, s", "totalVI's until it stops, s")


def _totalvi(source: Path, epochs: int | None, threads: int | None, environments: Path) -> dict[str, object]:
    function, python = "benchmarks.speed.scvi_tools:totalvi_with_defaults", python_of("scvi", environments)
    took = call(function, source, python=python, threads=threads, batch=BATCH, epochs=epochs)
    ends, most = took.result["ends"], took.result["most"]
    each = float(np.median(np.diff(ends)))
    stopped = (STOPPED_AFTER, each * STOPPED_AFTER) if epochs is not None else (len(ends), ends[-1])
    return {
        "epochs timed": len(ends),
        "s/epoch": each,
        "most epochs": most,
        DEFAULT_TRAININGS[0]: each * most,
        "stops after": stopped[0],
        DEFAULT_TRAININGS[1]: stopped[1],
        "extrapolated": "both" if epochs is not None else "the first",
        "ends": ends,
        "versions": took.versions,
    }
