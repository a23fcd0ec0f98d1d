"""What `omixvae evaluate` shows."""

import math
from dataclasses import asdict
from typing import Any

import pandas as pd
from rich.console import Console

from omixvae.evaluation import Evaluation
from omixvae.inspection import table

__all__ = ["show", "summarise"]

UNKNOWN = (
    "The model does not remember which observations it was trained on. If these were among them, it looks better than "
    "it is; --held-out takes those that were held out."
)
HELD_OUT = (
    "If the file is what the model was trained on, unchanged, these observations were held out: no weight was fitted "
    "to them, only the end of the training was chosen by them."
)


def summarise(found: Evaluation, *, held_out: bool) -> dict[str, Any]:
    """Make plain data of an evaluation.

    Parameters
    ----------
    found
        What `omixvae.evaluation.evaluate` found.
    held_out
        Whether only held-out observations were taken.

    Returns
    -------
    dict
        Plain types; None where there is no number.
    """
    return {
        "observations": found.n,
        "log_likelihood": _rows(found.log_likelihood),
        "imputation": _rows(found.imputation),
        "information": _rows(found.information),
        "clusters": None if found.clusters is None else _plain(asdict(found.clusters)),
        "note": HELD_OUT if held_out else UNKNOWN,
    }


def _rows(frame: pd.DataFrame) -> dict[str, dict[str, float | int | None]]:
    return {str(name): _plain(row.to_dict()) for name, row in frame.iterrows()}


def _plain(row: dict[str, Any]) -> dict[str, float | int | None]:
    counts = ("n", "features", "better")
    return {k: None if math.isnan(v) else int(v) if k in counts else float(v) for k, v in row.items()}


def show(source: str, summary: dict[str, Any]) -> None:
    """Print what `summarise` gave.

    Parameters
    ----------
    source
        The file.
    summary
        The summary.
    """
    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    say(f"{source}: judged by {summary['observations']:,} observations")
    say("\nLog-likelihood in nats per observation: of all that it has, and of each modality given its others:")
    rows = [
        (name, f"{r['n']:,}", *(_number(r[column], ",.1f") for column in ("mean", "se")))
        for name, r in summary["log_likelihood"].items()
    ]
    console.print(table(["of"], ["n", "mean", "± se"], rows))
    say("Each modality predicted from the others; R² against the mean of each feature:")
    rows = [
        (
            name,
            f"{r['n']:,}",
            _number(r["r2"], ".2f"),
            f"{r['better']:,} of {r['features']:,}",
            *(_number(r[c], ".0%") for c in ("within_50", "within_90")),
        )
        for name, r in summary["imputation"].items()
    ]
    console.print(table(["modality"], ["n", "median R²", "better than mean", "within 50%", "within 90%"], rows))
    say("What each set of modalities tells about the shared latents:")
    ordered = sorted(summary["information"].items(), key=lambda item: item[0].count("+"))
    rows = [(name, f"{r['n']:,}", _number(r["rate"], ".1f")) for name, r in ordered]
    console.print(table(["set"], ["n", "nats"], rows))
    clusters = summary["clusters"]
    if clusters is not None:
        say(
            f"Clusters against labels: ARI {_number(clusters['ari'], '.2f')}, NMI {_number(clusters['nmi'], '.2f')} "
            f"({clusters['n']:,} observations)"
        )
    say(f"\n{summary['note']}")


def _number(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)
