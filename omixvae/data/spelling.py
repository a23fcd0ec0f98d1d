"""Names of the same thing that are written differently: usual changes that make them one, and what they find."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["DASHES", "STRIP", "UPPER", "Change", "changed", "positions", "without"]


@dataclass(frozen=True)
class Change:
    """A way in which names of the same things often differ.

    Parameters
    ----------
    code
        What to do to a pandas index.
    make
        Does it.
    """

    code: str
    make: Callable[[pd.Index], pd.Index]


def without(pattern: str) -> Change:
    """Return the change that leaves out what a pattern matches.

    Parameters
    ----------
    pattern
        A regular expression.

    Returns
    -------
    Change
        For any names.

    Examples
    --------
    >>> list(without(r"-1$").make(pd.Index(["AAAC-1", "AAAG"])))
    ['AAAC', 'AAAG']
    """
    return Change(
        f'.str.replace(r"{pattern}", "", regex=True)', lambda names: names.str.replace(pattern, "", regex=True)
    )


UPPER = Change(".str.upper()", lambda names: names.str.upper())
STRIP = Change(".str.strip()", lambda names: names.str.strip())
DASHES = Change(
    r'.str.replace(r"[\s._:-]+", "-", regex=True)', lambda names: names.str.replace(r"[\s._:-]+", "-", regex=True)
)
"""R writes HLA.A for HLA-A; regions of a genome are chr1:100-200, chr1-100-200 or chr1_100_200."""


def changed(names: pd.Index, *changes: Change) -> pd.Index:
    """Make several changes, one after the other.

    Parameters
    ----------
    names
        The names.
    *changes
        In their order.

    Returns
    -------
    pandas.Index
        The names after all of them.

    Examples
    --------
    >>> changed(pd.Index([" cd4 "]), STRIP, UPPER).tolist()
    ['CD4']
    """
    for change in changes:
        names = change.make(names)
    return names


def positions(names: pd.Index, among: pd.Index) -> np.ndarray:
    """Find names among others, where no doubt is left which one is meant.

    Parameters
    ----------
    names
        What is looked for.
    among
        Where.

    Returns
    -------
    numpy.ndarray
        Shape (number of `names`,): the position in `among`; -1 where it is not there, or there more than once.

    Examples
    --------
    >>> positions(pd.Index(["a", "b", "c"]), pd.Index(["b", "c", "c"])).tolist()
    [-1, 0, -1]
    """
    once = np.flatnonzero(~among.duplicated(keep=False))
    found = among[once].get_indexer(names)
    return np.where(found >= 0, once[found], -1) if len(once) else found
