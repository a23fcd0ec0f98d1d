"""Where the samples of a table are, in its rows or in its columns: found out from names that stand elsewhere too."""

from collections.abc import Collection, Mapping

import pandas as pd

from omixvae.errors import InputError
from omixvae.sources.how import SIDES
from omixvae.sources.tables import Table

__all__ = ["find_sides"]

CLEARLY = 2.0
"""Times that the names of one side must be found elsewhere more often than those of the other, to be the samples'."""

SAY = "Say where the samples are: samples='rows' or samples='columns' (--samples rows, --samples columns)."


def find_sides(tables: Mapping[str, Table], known: Collection[str]) -> dict[str, str]:
    """Find the side of each table that the samples are on.

    Parameters
    ----------
    tables
        Name of a modality to its table; at least one.
    known
        Names that are known to be samples': of a table of samples, or of an AnnData. If there are none, two tables at
        least are needed.

    Returns
    -------
    dict
        Name of the modality to ``"rows"`` or ``"columns"``.

    Raises
    ------
    InputError
        If a table shares no name with the others, or names on both of its sides.

    Examples
    --------
    >>> import numpy as np
    >>> genes, cells = pd.Index(["CD4", "CD8A"]), pd.Index(["cell1", "cell2", "cell3"])
    >>> table = Table(np.ones((2, 3), np.float32), genes, cells, "rna.csv")
    >>> find_sides({"rna": table}, ["cell2", "cell3", "cell4"])
    {'rna': 'columns'}
    """
    if known:
        sides, shares = _follow(set(known), tables)
        _refuse_unclear(tables, sides, shares, "the samples that are known from elsewhere")
        return sides
    first, *others = tables
    rest = {name: tables[name] for name in others}
    found = {}
    for side in SIDES:
        names = tables[first].names(side)
        sides, shares = _follow(set() if names is None else set(names), rest)
        found[side] = ({first: side} | sides, shares)
    totals = {
        side: sum(share[sides[name]] for name, share in shares.items()) for side, (sides, shares) in found.items()
    }
    best, other = sorted(SIDES, key=lambda side: -totals[side])
    sides, shares = found[best]
    if 0 < totals[best] < CLEARLY * totals[other]:
        raise InputError(
            f"The tables of {', '.join(map(repr, tables))} share names both in their rows and in their columns: either "
            "could be the samples.",
            tables[first].where,
            SAY,
        )
    _refuse_unclear(tables, sides, shares, "the other tables")
    return sides


def _follow(pool: set[str], tables: Mapping[str, Table]) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """Let tables join a pool of names of samples, the one that shares most of them first, each with its better side."""
    sides: dict[str, str] = {}
    shares: dict[str, dict[str, float]] = {}
    while waiting := [name for name in tables if name not in sides]:
        found = {name: {side: _share(tables[name].names(side), pool) for side in SIDES} for name in waiting}
        name = max(waiting, key=lambda waiting: max(found[waiting].values()))
        shares[name] = found[name]
        sides[name] = max(SIDES, key=lambda side: shares[name][side])
        names = tables[name].names(sides[name])
        if names is not None and shares[name][sides[name]]:
            pool = pool.union(names)
    return sides, shares


def _share(names: pd.Index | None, pool: set[str]) -> float:
    """Compute the part of the smaller set of names that is in the other one, too."""
    return 0.0 if names is None or not pool else int(names.isin(pool).sum()) / min(len(names), len(pool))


def _refuse_unclear(
    tables: Mapping[str, Table], sides: Mapping[str, str], shares: Mapping[str, Mapping[str, float]], others: str
) -> None:
    for name, share in shares.items():
        here, there = share[sides[name]], min(share.values())
        if not here:
            named = {side: names for side in SIDES if (names := tables[name].names(side)) is not None}
            first = " and ".join(f"its first {side[:-1]} is {names[0]!r}" for side, names in named.items())
            raise InputError(
                f"The table of {name!r} shares no sample with {others}, neither in rows nor in columns: {first}.",
                tables[name].where,
                "Give the samples the same names in all of them. Where names differ in a suffix or the like, say where "
                "the samples are, as samples='rows' (--samples rows), and omixvae inspect shows how.",
            )
        if here < CLEARLY * there:
            raise InputError(
                f"The table of {name!r} shares names with {others} both in its rows and in its columns.",
                tables[name].where,
                SAY,
            )
