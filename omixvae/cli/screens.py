"""What the command line shows: each screen is first made as plain data (also for --json), then printed."""

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

from omixvae.evaluation import Selection, word
from omixvae.keys import Keys
from omixvae.model import OmixVAE
from omixvae.summary import cluster_sizes, results_lines, summarise_results, training_lines
from omixvae.summary import summarise_training as summarise

__all__ = [
    "draw_selection",
    "print_results",
    "print_selection",
    "print_training",
    "summarise_selection",
    "summarise_training",
    "table",
]


NATS = ("log_likelihood", "difference", "se")


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
    key = model.config.results.key_added
    sizes = None if output is None else cluster_sizes(mdata, key)
    summary = summarise(model.plan, model.history, int(mdata.n_obs), sizes)
    if sizes is not None and truth is not None:
        clusters = mdata.obs[Keys(key).cluster]
        summary["adjusted_rand_index"] = round(float(adjusted_rand_score(mdata.obs[truth], clusters)), 3)
    if output is None:
        return summary | {"keys": [], "output": None}
    return summary | summarise_results(mdata, key) | {"output": str(output)}


def print_training(summary: dict[str, Any]) -> None:
    """Print what `summarise_training` gave.

    Parameters
    ----------
    summary
        The summary.
    """
    click.echo("\n".join(training_lines(summary)))
    if "adjusted_rand_index" in summary:
        score = summary["adjusted_rand_index"]
        click.echo(f"Adjusted Rand index of the clusters against the simulated truth: {score:.3f}")
    print_results(summary)


def print_results(summary: dict[str, Any]) -> None:
    """Print what was written.

    Parameters
    ----------
    summary
        What `omixvae.summary.summarise_results` gave, and the output.
    """
    if summary["output"] is None:
        click.echo("Saved the model; `omixvae annotate` writes its results into a file.")
        return
    click.echo("\n".join(results_lines(summary["keys"], f"Wrote {summary['output']} with")))


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
    from matplotlib.figure import Figure  # only here, as below: no other screen draws

    from omixvae import pl

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    pl.selection(selection, ax=figure.subplots())
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
