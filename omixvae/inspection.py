"""What `omixvae.inspect` returns and `omixvae inspect` prints: plain data (also for --json), and a screen."""

import dataclasses
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import mudata
import numpy as np
from anndata import AnnData
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from omixvae.config import Config
from omixvae.data import MaskedModalities, Schema
from omixvae.data.columns import find_column
from omixvae.diagnosis import diagnose
from omixvae.diagnosis.batches import modalities_by_batch
from omixvae.diagnosis.values import kind_of_values
from omixvae.errors import InputError
from omixvae.keywords import Options
from omixvae.own_modules import NO_OWN_MODULES, OwnModules, words_and_own
from omixvae.sources import Source, as_mudata

__all__ = ["Inspection", "inspect", "look_over", "print_inspection", "table"]

MOST_ROWS = 8
"""Combinations of modalities, and batches, that are listed; the rest is counted."""

MOST_LEVELS = 4
"""Levels of a column that are listed."""

Row = tuple[str, ...]

TYPICAL_WIDTH = 100
"""Characters of a line where the output is no terminal."""


@dataclass(frozen=True, repr=False)
class Inspection:
    """What a MuData holds, what is missing, what training would choose, and what is wrong; printed, it is a screen.

    Parameters
    ----------
    observations
        Their number.
    modalities
        Of each its ``name``, ``observations`` and ``features``; where it can be read also the kind of its ``values``,
        ``smallest``, ``largest``, and the parts that are ``zeros`` and ``missing_entries``.
    patterns
        Which modalities were measured together (``modalities``), and in how many ``observations``.
    columns
        Columns of obs that are asked for: as what each is used, and its levels or its range.
    batches
        Batch to modality to number of observations.
    choices
        What training would choose, to the reason why; empty where it would not start.
    problems, cautions
        What stops training, and what is worth a look: each a ``problem``, ``where`` it is, and a ``fix``.
    """

    observations: int
    modalities: list[dict[str, Any]]
    patterns: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    batches: dict[str, dict[str, int]]
    choices: dict[str, str]
    problems: list[dict[str, str]]
    cautions: list[dict[str, str]]

    def __repr__(self) -> str:
        console = Console(file=io.StringIO(), width=TYPICAL_WIDTH, color_system=None)
        with console.capture() as printed:
            print_inspection(self, "The data", console)
        return printed.get().rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in plain types, as ``omixvae inspect --json`` prints it.

        Returns
        -------
        dict
            One entry per attribute.
        """
        return dataclasses.asdict(self)


def inspect(mdata: Source, **options: Unpack[Options]) -> Inspection:
    """Look data over before training: what they hold, what is missing, what would be chosen, and what is wrong.

    Parameters
    ----------
    mdata
        A MuData, or what else `omixvae.read` takes; it is not changed.
    **options
        Those that `omixvae.fit` would be given.

    Returns
    -------
    Inspection
        The screen of ``omixvae inspect`` when it is printed; its attributes are plain lists and dicts.

    Raises
    ------
    InputError
        If an option is not known or its value is not allowed, or the data cannot be read at all. What else stops
        training is among the problems, and not raised.

    Examples
    --------
    >>> import omixvae
    >>> found = omixvae.inspect(omixvae.simulate(n_obs=60), batch_key="batch")
    >>> found.problems, found.choices["n_latent"]
    ([], 'n_latent = 15: for 60 observations and a decoder that is linear')
    >>> print(found)
    The data: 60 observations
    ...
    Nothing stops training: go on with the same options.
    """
    words, own = words_and_own(options)
    return look_over(as_mudata(mdata), Config.from_options(**words), OwnModules(**own))


def look_over(mdata: mudata.MuData, config: Config, own: OwnModules = NO_OWN_MODULES) -> Inspection:
    """Put in plain types what a MuData holds, and what `omixvae.diagnosis.diagnose` finds.

    Parameters
    ----------
    mdata
        The input.
    config, own
        How it would be trained on, and which parts are the user's own.

    Returns
    -------
    Inspection
        For JSON, and for `print_inspection`.
    """
    found = diagnose(mdata, config, own)
    batches = modalities_by_batch(mdata, config.data)
    data = found.data
    return Inspection(
        observations=int(mdata.n_obs),
        modalities=[_shape(name, adata) for name, adata in mdata.mod.items()] if data is None else _modalities(data),
        patterns=[] if data is None else _patterns(data),
        columns=[] if data is None else _columns(mdata, data.schema),
        batches={str(batch): {k: int(n) for k, n in row.items()} for batch, row in batches.iterrows()},
        choices={} if found.plan is None else dict(found.plan.reasons),
        problems=[_plain(error) for error in found.problems],
        cautions=[_plain(error) for error in found.cautions],
    )


def _shape(name: str, adata: AnnData) -> dict[str, Any]:
    return {"name": name, "observations": int(adata.n_obs), "features": int(adata.n_vars)}


def _modalities(data: MaskedModalities) -> list[dict[str, Any]]:
    described = []
    for modality in data.tables:
        found, n_present = modality.survey, int(modality.present.sum())
        described.append(
            {
                "name": modality.name,
                "observations": n_present,
                "features": modality.n_features,
                "values": kind_of_values(modality),
                "smallest": found.smallest,
                "largest": found.largest,
                "zeros": found.n_zero / max(1, int(found.n_measured.sum())),
                "missing_entries": found.n_missing / max(1, n_present * modality.n_features),
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


def _columns(mdata: mudata.MuData, schema: Schema) -> list[dict[str, Any]]:
    """Return how each column that is asked for is used: with its levels, or as a number."""
    used = [(c.name, "batch" if c.name == schema.batch_key else "covariate", c.categories) for c in schema.covariates]
    if schema.labels_key is not None:
        used.append((schema.labels_key, "labels", schema.features[schema.labels_key]))
    described = []
    for name, role, levels in used:
        column = find_column(mdata, name)
        assert column is not None, "it was read"
        found: dict[str, Any] = {"name": name, "used_as": role, "known": int(column.notna().sum())}
        if levels:
            counts = column.dropna().astype(str).value_counts()
            found["levels"] = {level: int(counts[level]) for level in levels}
        else:
            found |= {"smallest": float(column.min()), "largest": float(column.max())}
        described.append(found)
    return described


def _plain(error: InputError) -> dict[str, str]:
    return {"problem": error.problem, "where": error.where, "fix": error.fix}


def print_inspection(found: Inspection, source: str, console: Console | None = None) -> None:
    """Print a screen.

    Parameters
    ----------
    found
        What was found.
    source
        How the input is called.
    console
        Where; the terminal when not given.
    """
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=TYPICAL_WIDTH)
    console.print(Text(f"{source}: {found.observations:,} observations"), soft_wrap=True)
    console.print(_modality_table(found.modalities))
    names = [modality["name"] for modality in found.modalities]
    patterns: list[Row] = [
        (*("yes" if name in pattern["modalities"] else "-" for name in names), f"{pattern['observations']:,}")
        for pattern in found.patterns
    ]
    columns: list[Row] = [(column["name"], column["used_as"], _values_of_column(column)) for column in found.columns]
    batches: list[Row] = [
        (batch, *(f"{row[name]:,}" if row.get(name) else "-" for name in names)) for batch, row in found.batches.items()
    ]
    _print_some(console, "Measured together", names, ["observations"], patterns)
    _print_some(console, "Columns of obs that are used", ["column", "used as", "values"], [], columns)
    _print_some(console, "Observations of each batch", ["batch"], names, batches)
    if found.choices:
        console.print("What training would choose, and why", style="bold")
        for reason in found.choices.values():
            _print_indented(console, reason, 2, hanging=2)
    _print_findings(console, "Stops training", "red", found.problems)
    _print_findings(console, "Worth a look", "yellow", found.cautions)
    if not found.problems:
        console.print("Nothing stops training: go on with the same options.", style="green")


def _modality_table(modalities: list[dict[str, Any]]) -> Table:
    rows = []
    for m in modalities:
        values: Row = ("", "", "", "")
        if "values" in m:
            range_ = f"{m['smallest'] + 0.0:.4g} to {m['largest']:.4g}"
            values = (m["values"], range_, f"{m['zeros']:.0%}", f"{m['missing_entries']:.0%}")
        rows.append((m["name"], f"{m['observations']:,}", f"{m['features']:,}", *values))
    return table(["modality"], ("observations", "features", "values", "range", "zeros", "not measured"), rows)


def _values_of_column(column: dict[str, Any]) -> str:
    if "levels" not in column:
        return f"a number, {column['smallest']:.4g} to {column['largest']:.4g}"
    levels = column["levels"]
    first = ", ".join(f"{level} ({n:,})" for level, n in list(levels.items())[:MOST_LEVELS])
    return f"{len(levels):,} level{'s' if len(levels) > 1 else ''}: {first}{', …' if len(levels) > MOST_LEVELS else ''}"


def _print_some(console: Console, heading: str, words: list[str], numbers: list[str], rows: list[Row]) -> None:
    """Print the first rows of a table, if there are any, and count the others."""
    if not rows:
        return
    console.print(heading, style="bold")
    console.print(table(words, numbers, rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        console.print(f"and {len(rows) - MOST_ROWS:,} more", style="italic", highlight=False)


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
    wrapped = textwrap.fill(
        text,
        console.width - 1,
        initial_indent=before,
        subsequent_indent=before + " " * hanging,
        break_long_words=False,  # options and code are there to be copied
        break_on_hyphens=False,
    )
    console.print(Text(wrapped, style=style), highlight=False)


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
