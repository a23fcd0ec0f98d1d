"""Columns of obs as numbers that decoders see: as in the training, also where new data spell their levels otherwise."""

from collections.abc import Sequence

import mudata
import numpy as np
import pandas as pd

from omixvae.data.columns import find_column
from omixvae.data.levels import taken_as_number
from omixvae.data.masked import Covariate
from omixvae.data.spelling import DASHES, STRIP, UPPER, changed, positions, without
from omixvae.errors import InputError

__all__ = ["as_covariate", "encode", "known_levels", "levels_of"]

MOST_NAMED = 5
"""Levels that a sentence names."""

SAME_LEVEL = (STRIP, without(r"(?<=\d)\.0+$"), UPPER, DASHES)
"""Changes that leave a level the same: 1.0 and 1, upper and lower case, spaces and dashes."""


def levels_of(column: "pd.Series[object]") -> tuple[str, ...]:
    """Return the levels of a column.

    Parameters
    ----------
    column
        Labels or numbers; missing ones do not count.

    Returns
    -------
    tuple of str
        In the order of the alphabet.

    Examples
    --------
    >>> levels_of(pd.Series(["b", "a", None, "b"]))
    ('a', 'b')
    """
    return tuple(sorted(column.dropna().astype(str).unique()))


def as_covariate(column: "pd.Series[object]", option: str) -> Covariate:
    """Decide how a column becomes numbers.

    Parameters
    ----------
    column
        Without missing values.
    option
        That names it (see `taken_as_number`).

    Returns
    -------
    Covariate
        For `encode`.

    Examples
    --------
    >>> as_covariate(pd.Series([1.0, 3.0], name="age"), "covariate_keys").center
    2.0
    """
    name = str(column.name)
    if not taken_as_number(column, option):
        return Covariate(name, levels_of(column))
    numbers = column.to_numpy(np.float64)
    return Covariate(name, (), float(numbers.mean()), float(numbers.std()) or 1.0)


def encode(mdata: mudata.MuData, covariate: Covariate) -> tuple[np.ndarray, list[str]]:
    """Turn a column into numbers; what the model has not seen, and what is missing, is its average: zeros.

    Parameters
    ----------
    mdata
        Has the column or not.
    covariate
        How it was done in the training.

    Returns
    -------
    tuple
        Shape (n, width), float32; and what the user should know, in sentences.

    Raises
    ------
    InputError
        If the model was trained with numbers and these are none, or infinite.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> numbers, notes = encode(mdata, Covariate("batch", tuple(mdata.obs["batch"].cat.categories)))
    >>> float(numbers.sum()), notes
    (50.0, [])
    """
    column = find_column(mdata, covariate.name)
    if column is None:
        return np.zeros((mdata.n_obs, covariate.width), np.float32), [
            f"There is no column {covariate.name!r}, which the model was trained with; an average is used for all "
            "observations. Add the column to mdata.obs if it is known."
        ]
    if covariate.categories:
        levels, notes = known_levels(column, covariate.categories)
        numbers = np.stack([(levels == c).to_numpy(np.float32) for c in covariate.categories], axis=1)
        unseen = levels[levels.notna() & ~levels.isin(covariate.categories)]
        if len(unseen):
            n_levels = unseen.nunique()
            notes.append(
                f"Column {covariate.name!r} holds {n_levels:,} level{'s' if n_levels > 1 else ''} that the model was "
                f"not trained with, in {len(unseen):,} of {len(column):,} observations: {_listed(unseen.unique())}. An "
                "average is used for them, so what is special about them stays in the latents."
            )
    else:
        values = _as_numbers(column, covariate)
        numbers = np.nan_to_num((values - covariate.center) / covariate.scale).astype(np.float32)[:, None]
        notes = []
    n_missing = int(column.isna().sum())
    if n_missing:
        notes.append(
            f"Column {covariate.name!r} is missing for {n_missing:,} of {len(column):,} observations; an average is "
            "used for them."
        )
    return numbers, notes


def _as_numbers(column: "pd.Series[object]", covariate: Covariate) -> np.ndarray:
    where = f"mdata.obs[{covariate.name!r}]"
    try:
        values = column.astype(np.float64).to_numpy()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Column {covariate.name!r} holds {column.iloc[0]!r}, but the model was trained with numbers there.",
            where,
            "Convert the column to numbers.",
        ) from error
    if np.isinf(values).any():
        first = column.index[np.isinf(values)][0]
        problem = f"Column {covariate.name!r} holds infinite values."
        raise InputError(problem, f"{where}, first: {first!r}", "Correct it.")
    return values


def known_levels(column: "pd.Series[object]", known: Sequence[str]) -> tuple["pd.Series[str]", list[str]]:
    """Find the levels that a model knows in a column that may spell them otherwise.

    Parameters
    ----------
    column
        Of new data.
    known
        The levels that the model was trained with.

    Returns
    -------
    tuple
        The column with the model's spelling, missing values as they were; and a sentence if there was another.

    Examples
    --------
    >>> levels, notes = known_levels(pd.Series([1.0, 2.0], name="batch"), ("1", "2", "3"))
    >>> list(levels)
    ['1', '2']
    >>> print(notes[0])
    Levels of 'batch' are spelled otherwise than in the training: '1.0' is taken for '1', '2.0' for '2'.
    """
    levels = column.astype(object).where(column.notna(), None).map(str, na_action="ignore")
    others = pd.Index(sorted(set(levels.dropna()) - set(known)), dtype=object)
    if not len(others):
        return levels, []
    found = positions(changed(others, *SAME_LEVEL), changed(pd.Index(known, dtype=object), *SAME_LEVEL))
    renamed = {str(other): known[i] for other, i in zip(others, found, strict=True) if i >= 0}
    if not renamed:
        return levels, []
    first, *rest = list(renamed.items())[:MOST_NAMED]
    said = [f"{first[0]!r} is taken for {first[1]!r}", *(f"{here!r} for {there!r}" for here, there in rest)]
    more = " …" if len(renamed) > MOST_NAMED else ""
    note = f"Levels of {column.name!r} are spelled otherwise than in the training: {', '.join(said)}{more}."
    return levels.replace(renamed), [note]


def _listed(levels: Sequence[object]) -> str:
    return ", ".join(map(repr, map(str, levels[:MOST_NAMED]))) + (" …" if len(levels) > MOST_NAMED else "")
