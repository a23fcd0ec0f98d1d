"""Columns of obs as categories: which cannot be any, and what is doubtful about those that can."""

from collections.abc import Iterator

import mudata
import numpy as np
import pandas as pd

from omixvae.config import DataConfig
from omixvae.data.columns import find_column, place_of_column
from omixvae.data.stray import WORDS, stray_numbers
from omixvae.errors import InputError

__all__ = ["check_levels", "doubtful_columns", "taken_as_number"]

FEW_LEVELS = 10
"""So many levels are never too many."""

MANY_NUMBERS = 20
"""Levels from which on numbers are hardly names of categories."""

FEWEST = 3
"""Observations of a level from which something can be learned of it."""

UNKNOWN = frozenset(
    [
        *("", "?", "-", "--", ".", "na", "n/a", "n.a.", "nan", "nat", "none", "null", "missing", "unk", "unknown"),
        *("not known", "not reported", "not available", "not determined", "not assigned", "not applicable"),
        *("undetermined", "unassigned", "unannotated", "unlabeled", "unlabelled"),
        *(f"{number:.0f}" for number in WORDS if number < -1),
    ]
)
"""Words that tables write where nothing is known, without brackets and in small letters."""


def check_levels(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    """Find columns that have a level of their own for nearly every observation, so that they tell nothing of others.

    Parameters
    ----------
    mdata
        The input of a training.
    config
        Names of the batch, covariate and label columns.

    Yields
    ------
    InputError
        Every problem found.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> mdata.obs["age"] = [f"{20 + i}" for i in range(50)]
    >>> print(next(check_levels(mdata, DataConfig(covariate_keys=("age",)))).problem)
    Column 'age' has 50 levels ('20', '21', '22', …) for 50 observations, and they look like numbers.
    """
    for option, column in _columns(mdata, config):
        if taken_as_number(column, option):
            continue
        counts = column.dropna().astype(str).value_counts()
        many = len(counts) > max(FEW_LEVELS, len(column) / FEW_LEVELS)
        if many and (counts == 1).sum() > counts.sum() / 2:
            yield _too_many(mdata, option, column)


def doubtful_columns(mdata: mudata.MuData, config: DataConfig) -> Iterator[InputError]:
    """Find numbers taken for categories, rare levels, and words or numbers that stand for what is not known.

    Parameters
    ----------
    mdata
        The input.
    config
        Names of the batch, covariate and label columns.

    Yields
    ------
    InputError
        A doubt.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> list(doubtful_columns(simulate(n_obs=50), DataConfig(batch_key="batch")))
    []
    """
    for option, column in _columns(mdata, config):
        if taken_as_number(column, option):
            yield from _strays(mdata, option, column)
        else:
            yield from _unknown(mdata, option, column)
            if _seem_numbers(column, option):
                yield _numbers(mdata, option, column)
            else:
                yield from _rare(mdata, option, column)


def taken_as_number(column: "pd.Series[object]", option: str) -> bool:
    """Return whether a column is used as the number that it holds, and not as a category.

    Parameters
    ----------
    column
        Of obs.
    option
        That names it: batches and labels are always categories.

    Returns
    -------
    bool
        True for numbers of any type; false for text, categories and truth values.

    Examples
    --------
    >>> taken_as_number(pd.Series([34.0, 71.5]), "covariate_keys"), taken_as_number(pd.Series(["a"]), "covariate_keys")
    (True, False)
    """
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return option == "covariate_keys" and is_number


def _columns(mdata: mudata.MuData, config: DataConfig) -> "Iterator[tuple[str, pd.Series[object]]]":
    """Find the columns that are asked for, each with its option."""
    asked = [("batch_key", config.batch_key), *(("covariate_keys", key) for key in config.covariate_keys)]
    for option, name in [*asked, ("labels_key", config.labels_key)]:
        column = None if name is None else find_column(mdata, name)
        if column is not None:
            yield option, column


def _levels(column: "pd.Series[object]") -> list[str]:
    """List the levels in the order in which they occur."""
    return list(column.dropna().astype(str).unique())


def _are_numbers(levels: list[str]) -> bool:
    return bool(pd.to_numeric(pd.Series(levels, dtype=object), errors="coerce").notna().all())


def _count_of_levels(column: "pd.Series[object]") -> str:
    levels = _levels(column)
    first = ", ".join(map(repr, levels[:3]))
    return f"Column {column.name!r} has {len(levels):,} levels ({first}, …) for {column.notna().sum():,} observations"


def _too_many(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> InputError:
    if _are_numbers(_levels(column)):
        return _numbers(mdata, option, column)
    return InputError(
        f"{_count_of_levels(column)}.",
        f"option {option}, {place_of_column(mdata, str(column.name))}",
        "It names the observations. Choose a column with levels that several observations share, or leave the option "
        "out.",
    )


def _use_of_numbers(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> str:
    name, place = str(column.name), place_of_column(mdata, str(column.name))
    convert = f"{place} = {place}.astype(float)"
    if option == "covariate_keys":
        return f"Convert the column: {convert}."
    first = "" if taken_as_number(column, "covariate_keys") else f"convert the column ({convert}) and "
    kind = "A batch is what was measured together" if option == "batch_key" else "A label names a group of observations"
    covariate = f"--covariate-keys {name} (covariate_keys=[{name!r}])"
    return f"{kind}. If these are numbers, {first}give it as a covariate: {covariate}."


def _seem_numbers(column: "pd.Series[object]", option: str) -> bool:
    """Return whether the levels of a column are measurements rather than names of categories."""
    counts = column.dropna().astype(str).value_counts()
    if len(counts) <= MANY_NUMBERS or not _are_numbers(list(counts.index)):
        return False
    # Batches are often numbered, and there may be many of them.
    numbered = option == "batch_key" and all(float(level).is_integer() for level in counts.index)
    return not numbered or counts.median() < FEWEST


def _numbers(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> InputError:
    return InputError(
        f"{_count_of_levels(column)}, and they look like numbers.",
        f"option {option}, {place_of_column(mdata, str(column.name))}",
        _use_of_numbers(mdata, option, column),
    )


def _unknown(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> Iterator[InputError]:
    place, text = place_of_column(mdata, str(column.name)), column.dropna().astype(str)
    counts = text[text.map(_means_unknown)].value_counts()
    if not len(counts):
        return
    values = [_as_it_is(column, str(word)) for word in counts.index]
    one = len(values) == 1
    listed = " and ".join(f"{value!r} for {n:,}" for value, n in zip(values[:3], counts, strict=False))
    taken = {"labels_key": "label", "batch_key": "batch"}.get(option, "level")
    wanted = "fill in what is known, and leave out the other observations, or the option"
    if option == "labels_key":
        wanted = f"make {'it' if one else 'them'} missing, so that labels are predicted there: {place} = "
        wanted += f"{place}.mask({place}.isin({values!r}))"
    yield InputError(
        f"Column {column.name!r} has {listed} of {len(column):,} observations, taken for a {taken} like any other.",
        f"option {option}, {place}",
        f"If {'it stands' if one else 'they stand'} for what is not known, {wanted}.",
    )


def _means_unknown(word: str) -> bool:
    return word.strip(" \t[]()<>{}'\"").removesuffix(".0").casefold() in UNKNOWN


def _as_it_is(column: "pd.Series[object]", word: str) -> object:
    """Return the value that reads so, as Python writes it: -9 is not '-9'."""
    value = column[column.astype(str) == word].iloc[0]
    return value.item() if isinstance(value, np.generic) else value


def _rare(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> Iterator[InputError]:
    name, counts = str(column.name), column.dropna().astype(str).value_counts(sort=False)
    rare = counts[counts < FEWEST]
    if len(rare):
        yield InputError(
            f"{len(rare):,} of the {len(counts):,} levels of column {name!r} {'have' if len(rare) > 1 else 'has'} "
            f"fewer than {FEWEST} observations, the first is {rare.index[0]!r} ({rare.iloc[0]}).",
            f"option {option}, {place_of_column(mdata, name)}",
            "Next to nothing can be learned of so few: put levels together, or leave these observations out.",
        )


def _strays(mdata: mudata.MuData, option: str, column: "pd.Series[object]") -> Iterator[InputError]:
    name, place = str(column.name), place_of_column(mdata, str(column.name))
    numbers = column.dropna().to_numpy(np.float64)
    for stray in stray_numbers(numbers):
        number = f"{stray.value:.10g}"
        yield InputError(
            f"{number} occurs {stray.n:,} times in column {name!r}, far from all other numbers "
            f"({stray.rest[0]:.4g} to {stray.rest[1]:.4g}).",
            f"option {option}, {place}",
            "If it stands for what is not known, fill in what is known, and leave out the other observations, or the "
            "option.",
        )
