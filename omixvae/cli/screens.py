"""What the command line shows: each screen is first made as plain data (also for --json), then printed."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import mudata
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from sklearn.metrics import adjusted_rand_score

from omixvae.keys import AXES, AXES_OF_MODALITY, Keys
from omixvae.model import OmixVAE
from omixvae.selection import Selection, word

__all__ = [
    "draw_selection",
    "print_results",
    "print_selection",
    "print_training",
    "summarise_results",
    "summarise_selection",
    "summarise_training",
    "table",
]


NATS = ("log_likelihood", "difference", "se")


def summarise_results(model: OmixVAE, mdata: mudata.MuData, output: Path) -> dict[str, Any]:
    """Say what was written.

    Parameters
    ----------
    model
        The fitted model.
    mdata
        With its results.
    output
        The file.

    Returns
    -------
    dict
        Plain types, for JSON and for `print_results`.
    """
    keys = Keys(model.config.results.key_added)
    written = [f'{axis}["{name}"]' for axis in AXES for name in keys.among(getattr(mdata, axis), axis)]
    for mod, adata in mdata.mod.items():
        for axis in AXES_OF_MODALITY:
            names = keys.among(getattr(adata, axis), axis, of_modality=True)
            written += [f'["{mod}"].{axis}["{name}"]' for name in names]
    return {"observations": int(mdata.n_obs), "keys": [*written, f'uns["{keys.added}"]'], "output": str(output)}


def summarise_training(
    model: OmixVAE, mdata: mudata.MuData, output: Path | None, truth: str | None = None
) -> dict[str, Any]:
    """Say how the training went, and what was written.

    Parameters
    ----------
    model
        The fitted model.
    mdata
        With its results, if any were written.
    output
        The file; None where only the model was kept.
    truth
        Column of obs with the true clusters, if they are known.

    Returns
    -------
    dict
        Plain types, for JSON and for `print_training`.
    """
    held_out = [row.held_out_bound for row in model.history[model.plan.prior_epoch :]]
    summary: dict[str, Any] = {
        "modalities": {m.name: m.likelihood for m in model.plan.modalities},
        "epochs": len(model.history),
        "seconds": round(model.history[-1].seconds, 1),
        "held_out_bound": max((bound for bound in held_out if math.isfinite(bound)), default=None),
    }
    clusters = mdata.obs.get(Keys(model.config.results.key_added).cluster)
    if output is not None and clusters is not None:
        summary["clusters"] = {str(name): int(n) for name, n in clusters.value_counts(sort=False).items()}
        if truth is not None:
            summary["adjusted_rand_index"] = round(float(adjusted_rand_score(mdata.obs[truth], clusters)), 3)
    if output is None:
        return summary | {"observations": int(mdata.n_obs), "keys": [], "output": None}
    return summary | summarise_results(model, mdata, output)


def print_training(summary: dict[str, Any]) -> None:
    """Print what `summarise_training` gave.

    Parameters
    ----------
    summary
        The summary.
    """
    likelihoods = ", ".join(f"{name} ({word})" for name, word in summary["modalities"].items())
    click.echo(
        f"Trained on {summary['observations']:,} observations of {likelihoods} "
        f"in {summary['seconds']} s, {summary['epochs']} epochs."
    )
    if "clusters" in summary:
        sizes = ", ".join(f"{n:,}" for n in summary["clusters"].values())
        n_clusters = len(summary["clusters"])
        click.echo(f"{n_clusters} cluster{'s' if n_clusters > 1 else ''} of {sizes} observations.")
    if "adjusted_rand_index" in summary:
        score = summary["adjusted_rand_index"]
        click.echo(f"Adjusted Rand index of the clusters against the simulated truth: {score:.3f}")
    print_results(summary)


def print_results(summary: dict[str, Any]) -> None:
    """Print what `summarise_results` gave.

    Parameters
    ----------
    summary
        The summary.
    """
    if summary["output"] is None:
        click.echo("Saved the model; `omixvae annotate` writes its results into a file.")
        return
    click.echo(f"Wrote {summary['output']} with")
    for name in summary["keys"]:
        click.echo(f"  {name}")


def summarise_selection(selection: Selection) -> dict[str, Any]:
    """Say how the settings did, and which one was chosen.

    Parameters
    ----------
    selection
        What `omixvae.select` found.

    Returns
    -------
    dict
        Plain types, for JSON and for `print_selection`.
    """
    rows = selection.table.astype(object).where(selection.table.notna(), None)
    return {
        "settings": [
            {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
            for row in rows.to_dict("records")
        ],
        "options": list(selection.options),
        "best": {name: value for name, value in selection.best.items() if name != "progress"},
        "reason": selection.reason,
    }


def print_selection(summary: dict[str, Any]) -> None:
    """Print what `summarise_selection` gave.

    Parameters
    ----------
    summary
        The summary.
    """
    rows = [
        (
            *(word(setting[name]) for name in summary["options"]),
            *("-" if value is None else f"{value:,.2f}" for value in (setting[name] for name in NATS)),
            f"{setting['seconds']:,.0f}",
            "chosen" if setting["chosen"] else "",
        )
        for setting in summary["settings"]
    ]
    numbers = [*summary["options"], "mean", "difference", "± se", "seconds", ""]
    console = Console()
    console.print("Held-out log-likelihood, in nats per observation", highlight=False)
    console.print(table([], numbers, rows))
    console.print(summary["reason"], highlight=False, soft_wrap=True)


def draw_selection(selection: Selection, path: Path) -> None:
    """Write the picture of a selection.

    Parameters
    ----------
    selection
        What `omixvae.select` found.
    path
        A file whose name ends in .png, .svg or .pdf.
    """
    from matplotlib.figure import Figure  # only here: no other screen draws

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    selection.plot(figure.subplots())
    figure.savefig(path, dpi=150)


def table(words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Make a table for the terminal.

    Parameters
    ----------
    words, numbers
        Names of the columns; those of numbers come last, and stand at the right.
    rows
        Text of each cell.

    Returns
    -------
    rich.table.Table
        To print.
    """
    made = Table(*map(escape, words), *(Column(escape(name), justify="right") for name in numbers))
    for row in rows:
        made.add_row(*map(escape, row))
    return made
