"""The screen of `omixvae inspect`: first made as plain data (also for --json), then printed."""

import textwrap
from typing import Any

import mudata
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from omixvae.config import DataConfig
from omixvae.data import MaskedModalities
from omixvae.diagnosis import Diagnosis
from omixvae.diagnosis.batches import modalities_by_batch
from omixvae.diagnosis.values import kind_of_values
from omixvae.errors import InputError

__all__ = ["describe", "print_description"]

MOST_ROWS = 8
"""Combinations of modalities, and batches, that are listed; the rest is counted."""

TYPICAL_WIDTH = 100
"""Characters of a line where the output is no terminal."""


def describe(mdata: mudata.MuData, found: Diagnosis, config: DataConfig) -> dict[str, Any]:
    """Say what a MuData holds, what is missing, what training would choose, and what is wrong.

    Parameters
    ----------
    mdata
        The input.
    found
        What a look at it told.
    config
        Which modalities and columns are asked for.

    Returns
    -------
    dict
        Plain types, for JSON and for `print_description`.
    """
    batches = modalities_by_batch(mdata, config)
    data = found.data
    return {
        "observations": int(mdata.n_obs),
        "modalities": _shapes(mdata) if data is None else _modalities(data),
        "patterns": [] if data is None else _patterns(data),
        "batches": {str(batch): {k: int(n) for k, n in row.items()} for batch, row in batches.iterrows()},
        "choices": {} if found.plan is None else dict(found.plan.reasons),
        "problems": [_plain(error) for error in found.problems],
        "cautions": [_plain(error) for error in found.cautions],
    }


def _shapes(mdata: mudata.MuData) -> list[dict[str, Any]]:
    return [{"name": name, "observations": int(a.n_obs), "features": int(a.n_vars)} for name, a in mdata.mod.items()]


def _modalities(data: MaskedModalities) -> list[dict[str, Any]]:
    described = []
    for table in data.tables:
        found, n_present = table.survey, int(table.present.sum())
        described.append(
            {
                "name": table.name,
                "observations": n_present,
                "features": table.n_features,
                "values": kind_of_values(table),
                "smallest": found.smallest,
                "largest": found.largest,
                "zeros": found.n_zero / max(1, int(found.n_measured.sum())),
                "missing_entries": found.n_missing / max(1, n_present * table.n_features),
            }
        )
    return described


def _patterns(data: MaskedModalities) -> list[dict[str, Any]]:
    patterns, counts = np.unique(data.presence, axis=0, return_counts=True)
    names = np.array(data.schema.modalities)
    return [
        {"modalities": names[patterns[i]].tolist(), "observations": int(counts[i])}
        for i in np.argsort(-counts, kind="stable")
    ]


def _plain(error: InputError) -> dict[str, str]:
    return {"problem": error.problem, "where": error.where, "fix": error.fix}


def print_description(source: str, described: dict[str, Any]) -> None:
    """Print what `describe` gave.

    Parameters
    ----------
    source
        The file.
    described
        The description.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=TYPICAL_WIDTH)
    console.print(f"{source}: {described['observations']:,} observations", highlight=False)
    console.print(_modality_table(described["modalities"]))
    names = [modality["name"] for modality in described["modalities"]]
    if described["patterns"]:
        console.print(_pattern_table(names, described["patterns"]))
    if described["batches"]:
        console.print(_batch_table(described["batches"]))
    if described["choices"]:
        console.print("What training would choose, and why", style="bold")
        for reason in described["choices"].values():
            _print_indented(console, reason, 2, hanging=2)
    _print_findings(console, "Stops training", "red", described["problems"])
    _print_findings(console, "Worth a look", "yellow", described["cautions"])
    if not described["problems"]:
        console.print("Nothing stops training: go on with omixvae train and the same options.", style="green")


def _modality_table(modalities: list[dict[str, Any]]) -> Table:
    numbers = ("observations", "features", "values", "range", "zeros", "not measured")
    table = Table("modality", *(Column(name, justify="right") for name in numbers))
    for m in modalities:
        read = "values" in m
        table.add_row(
            m["name"],
            f"{m['observations']:,}",
            f"{m['features']:,}",
            m["values"] if read else "",
            f"{m['smallest'] + 0.0:.4g} to {m['largest']:.4g}" if read else "",
            f"{m['zeros']:.0%}" if read else "",
            f"{m['missing_entries']:.0%}" if read else "",
        )
    return table


def _pattern_table(names: list[str], patterns: list[dict[str, Any]]) -> Table:
    rest = patterns[MOST_ROWS:]
    n_rest = sum(p["observations"] for p in rest)
    table = Table(
        *names,
        Column("observations", justify="right"),
        title="measured together",
        title_justify="left",
        caption=f"and {len(rest)} more combinations of {n_rest:,} observations" if rest else None,
    )
    for pattern in patterns[:MOST_ROWS]:
        marks = ("yes" if name in pattern["modalities"] else "-" for name in names)
        table.add_row(*marks, f"{pattern['observations']:,}")
    return table


def _batch_table(batches: dict[str, dict[str, int]]) -> Table:
    counts = pd.DataFrame.from_dict(batches, orient="index")
    rest = len(counts) - MOST_ROWS
    table = Table(
        "batch",
        *(Column(name, justify="right") for name in counts),
        title="observations of each batch",
        title_justify="left",
        caption=f"and {rest} more batches" if rest > 0 else None,
    )
    for batch, row in counts.iloc[:MOST_ROWS].iterrows():
        table.add_row(str(batch), *(f"{n:,}" if n else "-" for n in row))
    return table


def _print_findings(console: Console, heading: str, colour: str, findings: list[dict[str, str]]) -> None:
    if not findings:
        return
    console.print(heading, style=f"bold {colour}")
    for number, finding in enumerate(findings, start=1):
        _print_indented(console, f"{number}. {finding['problem']}", 2, hanging=3)
        _print_indented(console, f"Where: {finding['where']}", 5)
        _print_indented(console, finding["fix"], 5, style="cyan")


def _print_indented(console: Console, text: str, indent: int, *, hanging: int = 0, style: str = "") -> None:
    before = " " * indent
    wrapped = textwrap.fill(text, console.width - 1, initial_indent=before, subsequent_indent=before + " " * hanging)
    console.print(Text(wrapped, style=style), highlight=False)
