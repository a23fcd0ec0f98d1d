"""One thing that is given, a file, a folder or an object in memory, → the modalities that it holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.errors import InputError, nearest
from omixvae.mudata_io import read_mudata
from omixvae.sources.how import OBSM, Held, Ways
from omixvae.sources.stores import kind_of_store, read_anndata, reading_store, unpacking
from omixvae.sources.tables import Table, is_table, table
from omixvae.sources.tenx import is_matrix_folder, read_10x, split_by_type

__all__ = ["Found", "find_modalities"]

FIRST = "rna"
"""Name of the values of an AnnData that has none: most are of transcripts."""

ASSAYS = (
    *("adt", "atac", "metabolite", "metabolome", "methylation", "mirna", "mrna", "prot", "protein", "proteome", FIRST),
)
"""Names of files that say what is in them; any other says which cells or patients."""

PROTEIN = "protein_expression"
"""Where totalVI and its tutorials keep the counts of proteins, in obsm; their names are in ``uns["protein_names"]``."""

ELSEWHERE = {
    ".rds": "In R: object <- readRDS({file}); MuDataSeurat::WriteH5MU(object, {h5mu}) writes a Seurat object, "
    "MuData::writeH5MU(object, {h5mu}) a MultiAssayExperiment. Then read {h5mu}.",
    ".rdata": "In R: load({file}), then MuDataSeurat::WriteH5MU(object, {h5mu}) for a Seurat object, or "
    "MuData::writeH5MU(object, {h5mu}) for a MultiAssayExperiment. Then read {h5mu}.",
    ".h5seurat": "In R: object <- SeuratDisk::LoadH5Seurat({file}); MuDataSeurat::WriteH5MU(object, {h5mu}). "
    "Then read {h5mu}.",
    ".loom": "In Python, with the package loompy: anndata.io.read_loom({file}).write_h5ad({h5ad}). Then read {h5ad}.",
    ".xlsx": "Save each sheet as CSV UTF-8, and read these.",
    ".mtx": "Give the folder that holds the matrix, its barcodes and its features.",
}
"""Ending of a file that is read nowhere here to the way on."""
ELSEWHERE |= {".rda": ELSEWHERE[".rdata"], ".xls": ELSEWHERE[".xlsx"]}

KNOWN = (
    "Give an h5mu or h5ad file, a zarr folder, an h5 file or an mtx folder of 10x, or tables (.csv, .tsv, .txt, with "
    "or without .gz, .parquet)."
)


@dataclass(frozen=True, eq=False)
class Found:
    """What one thing holds.

    Parameters
    ----------
    where
        What it is, for messages.
    modalities
        Name to values.
    whole
        The MuData, where it is one.
    notes
        What was assumed.
    tables
        Keys of its obsm.
    """

    where: str
    modalities: Mapping[str, anndata.AnnData | Table]
    whole: mudata.MuData | None = None
    notes: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def find_modalities(name: str | None, held: Held, ways: Ways, *, alone: bool) -> Found:
    """Read one thing.

    Parameters
    ----------
    name
        Of the modality, where the user gave one.
    held
        A path, an AnnData or a data frame.
    ways
        How to read it.
    alone
        Whether nothing else is read: then an AnnData needs no name.

    Returns
    -------
    Found
        Tables with the samples on whichever side they are.

    Raises
    ------
    InputError
        If it cannot be read, or has no name and none can be guessed.

    Examples
    --------
    >>> find_modalities("rna", pd.DataFrame({"CD4": [1.0]}, ["cell1"]), Ways(), alone=True).where
    "the data frame 'rna'"
    """
    if isinstance(held, mudata.MuData):
        modalities = held.mod if alone else {mod: _without_tables(adata, ()) for mod, adata in held.mod.items()}
        return Found("the MuData", modalities, held)
    if isinstance(held, pd.DataFrame):
        if name is None:
            raise _nameless("data frame")
        where = f"the data frame {name!r}"
        return Found(where, {name: table(held, where, ways)})
    if isinstance(held, anndata.AnnData):
        if name is None and not alone:
            raise _nameless("AnnData")
        return _in_anndata(held, f"the AnnData{'' if name is None else f' {name!r}'}", name, None, ways)
    if isinstance(held, str | Path):
        return _in_path(Path(held), name, ways, alone=alone)
    raise InputError(
        f"What was given is of type {type(held).__name__}, which is not read here.",
        "the data" if name is None else f"the data, {name!r}",
        f"Give a MuData, an AnnData, a data frame, or a path. {KNOWN}",
    )


def _nameless(kind: str) -> InputError:
    return InputError(
        f"Nothing says which assay the {kind} is of.", "the data", f"Give it a name: {{'rna': rna}} for the {kind} rna."
    )


def _in_path(path: Path, name: str | None, ways: Ways, *, alone: bool) -> Found:
    if not path.exists():
        raise InputError(f"There is no file {str(path)!r}.", "the data", "Check the path.")
    where, stem = f"file {path}", path.name.partition(".")[0]
    kind = kind_of_store(path)
    if kind == "mudata":
        with reading_store(path):
            mdata = read_mudata(path)
        return Found(where, mdata.mod, mdata)
    if kind == "anndata":
        guess = stem if not alone or stem.lower() in ASSAYS else None
        return _in_anndata(read_anndata(path), where, name, guess, ways)
    if kind == "10x" or is_matrix_folder(path):
        return _in_anndata(read_10x(path), where, name, FIRST, ways)
    if kind is None and path.is_file() and is_table(path):
        return Found(where, {name or stem: table(path, where, ways)})
    raise _unknown(path, kind)


def _unknown(path: Path, kind: str | None) -> InputError:
    """Return what a path is that nothing here reads, and the way on."""
    ending = path.suffix.lower()
    if path.is_dir():
        return InputError(f"The folder {str(path)!r} holds nothing that omixvae reads.", f"folder {path}", KNOWN)
    if path.stat().st_size == 0:
        return InputError(f"{path.name!r} is empty.", f"file {path}", "Write or copy it again.")
    if (command := unpacking(path)) is not None and ending not in ELSEWHERE:  # R compresses all that it saves
        return InputError(f"{path.name!r} is compressed.", f"file {path}", f"Unpack it first: {command}")
    if ending in ELSEWHERE:
        quoted = {kind: f'"{path.with_suffix(f".{kind}").name}"' for kind in ("h5mu", "h5ad")}
        fix = ELSEWHERE[ending].format(file=f'"{path.name}"', **quoted)
        return InputError(f"{path.name!r} cannot be read from here.", f"file {path}", fix)
    problem = f"{path.name!r} is not a file of a kind that omixvae reads."
    if kind == "unknown":
        problem = f"{path.name!r} is an HDF5 file, and holds neither a MuData, nor an AnnData, nor a matrix of 10x."
    return InputError(problem, f"file {path}", KNOWN)


def _in_anndata(adata: anndata.AnnData, where: str, name: str | None, guess: str | None, ways: Ways) -> Found:
    """Take an AnnData apart: by the kinds of its features, and tables of obsm."""
    notes = []
    if adata.isbacked and ways.numbers:
        adata = adata.to_memory()
    parts = dict(split_by_type(adata))
    if len(parts) > 1 and name is not None:
        if name not in parts:
            raise InputError(
                f"There are {len(parts)} kinds of features and one name, {name!r}.",
                where,
                f"{nearest(name, parts)} Or leave the name out to read all.",
            )
        parts = {name: parts[name]}
    elif len(parts) > 1:
        notes.append(f"Its features were split by their kind into {', '.join(map(repr, parts))}: {where}.")
    else:
        guess = next(iter(parts), guess)
        if name is None and guess is None:
            notes.append(f"X was taken as {FIRST!r}; another name is given as NAME=PATH or {{NAME: ...}}: {where}.")
        parts = {name or guess or FIRST: adata}
    tables = _tables_of_obsm(adata, parts, ways)
    keys = [key for key, _ in tables.values()]
    first, *others = parts
    modalities = {first: _without_tables(parts[first], keys)} | {other: parts[other] for other in others}
    return Found(
        where, modalities | {n: part for n, (_, part) in tables.items()}, None, tuple(notes), tuple(adata.obsm)
    )


def _tables_of_obsm(
    adata: anndata.AnnData, taken: Collection[str], ways: Ways
) -> dict[str, tuple[str, anndata.AnnData]]:
    """Make modalities of tables of obsm: those that are asked for, and counts of proteins. Name to key and part."""
    places = {name: place.removeprefix(OBSM) for name, place in ways.modality.items()}
    if "protein" not in {*taken, *places} and PROTEIN not in places.values():
        places["protein"] = PROTEIN
    parts = {}
    for name, key in places.items():
        if key in adata.obsm:
            values = adata.obsm[key]
            if isinstance(values, pd.DataFrame):
                names = values.columns.astype(str)
                values = values.to_numpy(np.float32, na_value=np.nan)
            else:
                names = adata.uns.get("protein_names", ()) if key == PROTEIN else ()
                names = names if len(names) == values.shape[1] else [f"{name}{j}" for j in range(values.shape[1])]
            obs, var = pd.DataFrame(index=adata.obs_names), pd.DataFrame(index=list(names))
            parts[name] = key, anndata.AnnData(values, obs, var)
    return parts


def _without_tables(adata: anndata.AnnData, keys: Collection[str]) -> anndata.AnnData:
    """Take tables out of obsm. Matrices are shared with what was given, which is not changed, now or afterwards."""
    raw = adata.raw
    return anndata.AnnData(
        adata.X,
        adata.obs.copy(),
        adata.var.copy(),
        dict(adata.uns),
        obsm={key: table for key, table in adata.obsm.items() if key not in keys},
        varm=dict(adata.varm),
        layers={key: adata.layers[key] for key in adata.layers if key is not None},  # anndata 0.13 has X there, too
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        raw=None if raw is None or adata.isbacked else {"X": raw.X, "var": raw.var, "varm": dict(raw.varm)},
    )
