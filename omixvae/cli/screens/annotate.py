"""What `omixvae annotate` shows."""

from typing import Any

import click

from omixvae.summary import results_lines

__all__ = ["show"]


def show(summary: dict[str, Any]) -> None:
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
