"""What `omixvae select` shows."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from omixvae.config import affecting
from omixvae.evaluation import Selection, word
from omixvae.inspection import table

__all__ = ["draw", "show", "summarise"]

NATS = ("log_likelihood", "difference", "se")


def summarise(selection: Selection) -> dict[str, Any]:
    """Return how the settings did, and which one was chosen.

    Parameters
    ----------
    selection
        What `omixvae.select` found.

    Returns
    -------
    dict
        Plain types, for JSON and for `show`.
    """
    rows = selection.table.astype(object).where(selection.table.notna(), None)
    return {
        "settings": [
            {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
            for row in rows.to_dict("records")
        ],
        "options": list(selection.options),
        "best": {name: value for name, value in selection.best.items() if name not in affecting("screen")},
        "reason": selection.reason,
    }


def show(summary: dict[str, Any]) -> None:
    """Print what `summarise` gave.

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


def draw(selection: Selection, path: Path) -> None:
    """Write the picture of a selection.

    Parameters
    ----------
    selection
        What `omixvae.select` found.
    path
        A file whose name ends in .png, .svg or .pdf.
    """
    from matplotlib.figure import Figure  # only here, as below: few selections are drawn

    from omixvae import pl

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    pl.selection(selection, ax=figure.subplots())
    figure.savefig(path, dpi=150)
