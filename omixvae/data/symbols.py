"""Features by the names that people call them: CD4 where the file says ENSG00000010610."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from omixvae.errors import InputError, nearest

__all__ = ["feature_positions", "other_names"]

COLUMNS = (
    *("name", "names", "symbol", "symbols", "gene", "genes", "gene_name", "gene_names", "gene_symbol", "gene_symbols"),
    *("gene_short_name", "feature_name", "feature_names", "hgnc_symbol", "protein", "protein_name", "antibody"),
    *("gene_id", "gene_ids", "feature_id", "feature_ids", "ensembl", "ensembl_id", "ensembl_gene_id"),
)
"""Columns of var that hold names, as Cell Ranger, scanpy, muon, cellxgene and Seurat write them."""


def other_names(var: pd.DataFrame) -> dict[str, list[str]]:
    """Collect what features are called besides their names.

    Parameters
    ----------
    var
        That of a modality.

    Returns
    -------
    dict
        Each other name to the features that have it.

    Examples
    --------
    >>> other_names(pd.DataFrame({"name": ["CD4", "CD8"]}, ["CD4_protein", "CD8"]))
    {'CD4': ['CD4_protein']}
    """
    found: dict[str, list[str]] = {}
    for column in var.columns:
        if str(column).lower().replace(" ", "_") in COLUMNS:
            for feature, other in zip(var.index.astype(str), var[column], strict=True):
                if isinstance(other, str) and other != feature and feature not in found.get(other, ()):
                    found.setdefault(other, []).append(feature)
    return found


def feature_positions(
    mod: str, known: Iterable[str], names: Sequence[str], var: pd.DataFrame | None, where: str
) -> np.ndarray:
    """Find features by name, or by what else they are called where only one is called so.

    Parameters
    ----------
    mod
        The modality.
    known
        Its features, in order.
    names
        Features that are asked for.
    var
        Table of the features, if there is one.
    where
        The argument that named them, for the message.

    Returns
    -------
    numpy.ndarray
        Position of each among those known.

    Raises
    ------
    InputError
        If one is not known, or several are called so.

    Examples
    --------
    >>> var = pd.DataFrame({"gene_symbols": ["CD4", "CD8A"]}, ["ENSG1", "ENSG2"])
    >>> feature_positions("rna", var.index, ["CD8A", "ENSG1"], var, "the argument features")
    array([1, 0])
    """
    index = pd.Index(known)
    positions = index.get_indexer(pd.Index(names))
    others = other_names(var) if var is not None and (positions < 0).any() else {}
    for i, name in enumerate(names):
        if positions[i] >= 0:
            continue
        called = [feature for feature in others.get(name, ()) if feature in index]
        if len(called) > 1:
            fix = f"Give one of {', '.join(map(repr, called[:5]))}."
            raise InputError(f"{len(called)} features of modality {mod!r} are called {name!r}.", where, fix)
        if not called:
            raise InputError(f"Modality {mod!r} has no feature {name!r}.", where, nearest(name, [*index, *others]))
        positions[i] = index.get_loc(called[0])
    return positions
