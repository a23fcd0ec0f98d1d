"""Handwritten digits, seen in six ways."""

from collections.abc import Mapping
from pathlib import Path

import mudata
import pandas as pd

from omixvae.datasets.recipes.assemble import assemble, observed

__all__ = ["uci_multiple_features"]

VIEWS = ("fou", "fac", "kar", "pix", "zer", "mor")


def uci_multiple_features(files: Mapping[str, Path]) -> mudata.MuData:
    """Take the views; the last column of each table is the digit."""
    tables = {view: pd.read_csv(files[f"mfeat-{view}.csv"]).to_numpy() for view in VIEWS}
    names = [f"digit{number:04d}" for number in range(len(tables[VIEWS[0]]))]
    modalities = {
        view: observed(table[:, :-1], names, [f"{view}{place}" for place in range(table.shape[1] - 1)])
        for view, table in tables.items()
    }
    digits = tables[VIEWS[0]][:, -1].astype(int).astype(str)
    return assemble(modalities, pd.DataFrame({"digit": digits}, names))
