"""Text tables, parquet files and data frames: numbers with names on both axes, whichever of them the samples are."""

import csv
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from omixvae.errors import InputError, raise_together
from omixvae.sources.how import Ways

__all__ = ["TEXT", "Table", "is_table", "read_frame", "repeated", "table"]

TEXT = (".csv", ".tsv", ".txt", ".tab")

PARQUET = (".parquet", ".pq")

SEPARATORS = "\t,;"

NOTHING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>")
"""What programs write for a value that there is not."""


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers with names on both axes.

    Parameters
    ----------
    values
        Shape (rows, columns), float32; NaN where nothing was measured.
    rows, columns
        Names; None where a data frame has none but numbers that pandas made.
    where
        What the table is, for messages.
    """

    values: np.ndarray
    rows: pd.Index | None
    columns: pd.Index | None
    where: str

    def names(self, side: str) -> pd.Index | None:
        """Return the names of one side, ``"rows"`` or ``"columns"``."""
        return self.rows if side == "rows" else self.columns


def is_table(path: Path) -> bool:
    """Return whether the name of a file is one of a table.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bool
        By its ending, before ``.gz``.

    Examples
    --------
    >>> is_table(Path("rna.csv.gz")), is_table(Path("cells.h5ad"))
    (True, False)
    """
    return Path(path.name.lower().removesuffix(".gz")).suffix in (*TEXT, *PARQUET)


def table(source: Path | pd.DataFrame, where: str, ways: Ways) -> Table:
    """Make a table of a file or a data frame.

    Parameters
    ----------
    source
        The file or data frame.
    where
        What it is, for messages.
    ways
        How to read it.

    Returns
    -------
    Table
        With numbers only.

    Raises
    ------
    InputError
        If it cannot be read, holds text, or has a name twice.

    Examples
    --------
    >>> frame = pd.DataFrame({"CD4": [1, -999]}, ["cell1", "cell2"])
    >>> table(frame, "the data frame", Ways(na=(-999,))).values
    array([[ 1.],
           [nan]], dtype=float32)
    """
    frame = _with_names(source if isinstance(source, pd.DataFrame) else read_frame(source, ways))
    if 0 in frame.shape:
        raise InputError(
            f"The table holds no values: {len(frame):,} rows by {frame.shape[1]:,} columns beside the names.",
            where,
            "Give a table with names in its first row and its first column, and numbers in all others; if fields are "
            "separated by something unusual, say by what (sep=';', --sep ';').",
        )
    rows, columns = _names(frame.index), _names(frame.columns)
    raise_together([*repeated(rows, "row", where), *repeated(columns, "column", where)])
    return Table(_numbers(frame, where, ways), rows, columns, where)


def read_frame(path: Path, ways: Ways, *, as_text: bool = False) -> pd.DataFrame:
    """Read a file of a table.

    Parameters
    ----------
    path
        Text, gzipped or not, or parquet.
    ways
        How to read it.
    as_text
        Leave all fields of a text file as they are written.

    Returns
    -------
    pandas.DataFrame
        Its index is the first column, as text.

    Raises
    ------
    InputError
        If it cannot be read; says in which line.
    """
    if Path(path.name.lower()).suffix in PARQUET:
        return _read_parquet(path)
    with _reading_text(path):
        separator, n_skipped, names = _header(path, ways.sep)
        frame = pd.read_csv(
            path,
            sep=separator,
            header=None,  # pandas would rename columns that have the same name
            skiprows=n_skipped,
            names=range(len(names)),
            dtype=str if as_text else {0: str},  # "001" is a name, and so is "NA"
            keep_default_na=False,
            na_values=dict.fromkeys(range(1, len(names)), (*NOTHING, *ways.words)),
            low_memory=False,
            encoding="utf-8-sig",
        )
        if frame.iloc[:, -1].isna().any():
            _find_short_line(path, separator, len(names))
    frame[0] = frame[0].str.strip()
    # Spreadsheets leave empty columns and rows beside and below a table.
    columns = [j for j in range(1, len(names)) if names[j] or frame[j].notna().any()]
    frame = frame[(frame[0] != "") | frame[columns].notna().any(axis=1)]
    frame = frame.set_axis(pd.Index(frame[0], name=names[0]), axis=0)[columns]
    return frame.set_axis([names[j] for j in columns], axis=1)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise InputError(
            f"{path.name!r} is a parquet file, which pandas reads only with the package pyarrow.",
            f"file {path}",
            "Install it (pip install pyarrow), or write the table as CSV.",
        ) from error
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise InputError(
            f"{path.name!r} cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            f"file {path}",
            "The file is damaged or no parquet file: copy or write it again.",
        ) from error


@contextmanager
def _reading_text(path: Path) -> Iterator[None]:
    """Say in words why a text file cannot be read as a table."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name!r} is not text in UTF-8.",
            f"file {path}",
            "Save it again as CSV UTF-8; if it is a spreadsheet or another kind of file, save the table as CSV first.",
        ) from error
    except (pd.errors.ParserError, csv.Error, EOFError, OSError) as error:
        ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if ragged is not None:
            raise _ragged(path, int(ragged[2]), int(ragged[3]), int(ragged[1])) from error
        raise InputError(
            f"{path.name!r} cannot be read as a table: {str(error).splitlines()[0].rstrip('.')}.",
            f"file {path}",
            "The file is damaged or no table: copy or write it again.",
        ) from error


def _open(path: Path) -> TextIO:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    return opened(path, "rt", encoding="utf-8-sig", newline="")


def _header(path: Path, sep: str | None) -> tuple[str, int, list[str]]:
    """Read what separates the fields, how many lines the header takes, and its names."""
    with _open(path) as file:
        line = next((line for line in file if line.strip()), None)
        if line is None:
            raise InputError(f"{path.name!r} is empty.", f"file {path}", "Write or copy it again.")
        separator = sep or max(SEPARATORS, key=line.count)
        file.seek(0)
        lines = csv.reader(file, delimiter=separator)
        names = [name.strip() for name in next(fields for fields in lines if any(fields))]
        n_skipped = lines.line_num
        first = next((fields for fields in lines if any(fields)), [])
    if len(first) == len(names) + 1:  # R's write.table gives the column of names no name
        return separator, n_skipped, ["", *names]
    if first and len(first) != len(names):
        raise _ragged(path, n_skipped + 1, len(first), len(names))
    return separator, n_skipped, names


def _find_short_line(path: Path, separator: str, n_fields: int) -> None:
    """Find a line that lacks fields, which pandas fills up without a word."""
    with _open(path) as file:
        lines = csv.reader(file, delimiter=separator)
        next(fields for fields in lines if any(fields))
        for fields in lines:
            if fields and len(fields) < n_fields:
                raise _ragged(path, lines.line_num, len(fields), n_fields)


def _ragged(path: Path, line: int, n_here: int, n_header: int) -> InputError:
    return InputError(
        f"Line {line:,} of {path.name!r} has {n_here:,} field{'s' if n_here > 1 else ''}, the lines before it have "
        f"{n_header:,}.",
        f"file {path}, line {line}",
        "Write as many fields in each line as in the header, empty ones for what is missing; if something else than "
        "was found separates them, say what (sep=';', --sep ';').",
    )


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the names of the rows from the first column, where they stand there in the place of an index."""
    if not isinstance(frame.index, pd.RangeIndex) or not frame.shape[1]:
        return frame
    first = frame.iloc[:, 0]
    is_text = (
        not pd.api.types.is_numeric_dtype(first) and pd.to_numeric(first.astype(object), errors="coerce").isna().all()
    )
    return frame.iloc[:, 1:].set_axis(pd.Index(first), axis=0) if is_text else frame


def _names(index: pd.Index) -> pd.Index | None:
    """Return names as text; None for numbers that stand in the place of names."""
    return None if isinstance(index, pd.RangeIndex) else pd.Index([str(name) for name in index], dtype=object)


def repeated(names: pd.Index | None, axis: str, where: str) -> Iterator[InputError]:
    """Find names that are empty, or stand there twice.

    Parameters
    ----------
    names
        Of one axis; None where there are none.
    axis
        What they name, ``"row"`` or ``"column"``.
    where
        What the table is, for messages.

    Yields
    ------
    InputError
        Every problem found.
    """
    if names is None:
        return
    empty, twice = np.flatnonzero(names == ""), names[names.duplicated()].unique().drop("", errors="ignore")
    if len(empty):
        yield InputError(
            f"{len(empty):,} {axis}{'s have' if len(empty) > 1 else ' has'} values and no name, the first is "
            f"{axis} {empty[0] + 1:,}.",
            where,
            "Give it a name, or remove it.",
        )
    if len(twice):
        yield InputError(
            f"{len(twice):,} name{'s' if len(twice) > 1 else ''} of {axis}s stand{'' if len(twice) > 1 else 's'} "
            f"there more than once, the first is {twice[0]!r}.",
            where,
            f"Give each {axis} a name of its own, or keep one of those that have the same.",
        )


def _numbers(frame: pd.DataFrame, where: str, ways: Ways) -> np.ndarray:
    """Make numbers of all columns; NaN where a value stands for nothing."""
    frame = frame.copy(deep=False)
    for j, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            frame.isetitem(j, _as_numbers(frame.iloc[:, j], [*ways.words, ""], where))
    values = frame.to_numpy(np.float64, na_value=np.nan)
    if ways.numbers:
        values = np.where(np.isin(values, ways.numbers), np.nan, values)
    return values.astype(np.float32)


def _as_numbers(column: pd.Series, nothing: list[str], where: str) -> pd.Series:
    """Make numbers of a column; any text that does not stand for nothing is refused."""
    numbers = pd.to_numeric(column.astype(object).replace(dict.fromkeys(nothing)), errors="coerce")
    wrong = np.flatnonzero(numbers.isna() & column.notna() & ~column.isin(nothing))
    if len(wrong):
        others = f" and in {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise InputError(
            f"Column {column.name!r} holds text where a number should be: {str(column.iloc[wrong[0]])!r} in "
            f"row {column.index[wrong[0]]!r}{others}.",
            where,
            "Write numbers with a decimal point. Leave a field empty that has no value, or name what stands there "
            "for missing (na='-', --na -). Columns that describe samples belong into a table of their own (obs, "
            "--obs); those that describe features are to be removed.",
        )
    return numbers
