"""Small sets, and their files as other programs write them."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from omixvae.mudata_io import without_pulling, write_mudata

KINDS = {"rna": "Gene Expression", "protein": "Antibody Capture", "atac": "Peaks"}


def counted(n_obs: int = 40, seed: int = 0) -> dict[str, anndata.AnnData]:
    """Count RNA, proteins and open regions of the same cells."""
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame(index=[f"cell{i:02d}-1" for i in range(n_obs)])
    level = rng.gamma(2.0, size=(n_obs, 1))
    parts = {}
    for name, n_features, mean in (("rna", 12, 4.0), ("protein", 5, 30.0), ("atac", 7, 1.0)):
        counts = rng.poisson(mean * level * rng.gamma(2.0, size=n_features)).astype(np.float32)
        var = pd.DataFrame(index=[f"{name}{j}" for j in range(n_features)])
        parts[name] = anndata.AnnData(sp.csr_matrix(counts), cells.copy(), var)
    return parts


def cohort(n_obs: int = 30, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Measure RNA and proteins of patients, not all of them by both; samples are the rows."""
    rng = np.random.default_rng(seed)
    patients = [f"P{i:03d}" for i in range(n_obs)]
    level = rng.standard_normal((n_obs, 1))
    values = {name: level + rng.standard_normal((n_obs, g)) for name, g in (("rna", 9), ("protein", 6))}
    frames = {
        name: pd.DataFrame(x.astype(np.float32), patients, [f"{name}{j}" for j in range(x.shape[1])])
        for name, x in values.items()
    }
    frames["protein"] = frames["protein"].iloc[5:]
    frames["protein"].iloc[0, 0] = np.nan
    return frames


def clinic(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Say more of the patients."""
    patients = frames["rna"].index
    return pd.DataFrame(
        {"stage": np.where(np.arange(len(patients)) % 3, "II", "I"), "age": 40 + np.arange(len(patients))}, patients
    )


def as_mudata(parts: Mapping[str, anndata.AnnData | pd.DataFrame]) -> mudata.MuData:
    """Put them together without the reader that is tested."""
    with without_pulling():
        return mudata.MuData(
            {name: anndata.AnnData(p) if isinstance(p, pd.DataFrame) else p.copy() for name, p in parts.items()}
        )


def write_h5mu(parts: Mapping[str, anndata.AnnData | pd.DataFrame], path: Path) -> None:
    """Write them as h5mu."""
    write_mudata(as_mudata(parts), path)


def _together(parts: Mapping[str, anndata.AnnData]) -> tuple[sp.csr_matrix, list[str], list[str], list[str]]:
    counts = sp.hstack([part.X for part in parts.values()]).tocsr().astype(np.int32)
    names = [name for part in parts.values() for name in part.var_names]
    kinds = [KINDS[name] for name, part in parts.items() for _ in part.var_names]
    return counts, list(next(iter(parts.values())).obs_names), names, kinds


def write_10x_h5(parts: Mapping[str, anndata.AnnData], path: Path) -> None:
    """Write one h5 file as Cell Ranger 3 does."""
    counts, cells, names, kinds = _together(parts)
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        for key in ("data", "indices", "indptr"):
            matrix[key] = getattr(counts, key)
        matrix["shape"], matrix["barcodes"] = counts.shape[::-1], np.array(cells, "S")
        features = matrix.create_group("features")
        features["id"], features["name"] = np.array([f"ID-{name}" for name in names], "S"), np.array(names, "S")
        features["feature_type"], features["genome"] = np.array(kinds, "S"), np.full(len(names), b"GRCh38")


def write_10x_h5_of_version_2(part: anndata.AnnData, path: Path) -> None:
    """Write one h5 file as Cell Ranger 2 did: a group named by the genome."""
    counts, cells, names, _ = _together({"rna": part})
    with h5py.File(path, "w") as file:
        matrix = file.create_group("hg19")
        for key in ("data", "indices", "indptr"):
            matrix[key] = getattr(counts, key)
        matrix["shape"], matrix["barcodes"] = counts.shape[::-1], np.array(cells, "S")
        matrix["genes"] = matrix["gene_names"] = np.array(names, "S")


def write_mtx(
    parts: Mapping[str, anndata.AnnData], folder: Path, *, zipped: bool = True, genes: bool = False, before: str = ""
) -> None:
    """Write a folder as Cell Ranger does; with `genes` without kinds, as its version 2 did."""
    counts, cells, names, kinds = _together(parts)
    folder.mkdir()
    lines = [f"ID-{name}\t{name}" + ("" if genes else f"\t{kind}") for name, kind in zip(names, kinds, strict=True)]
    scipy.io.mmwrite(folder / "plain.mtx", counts.T.tocoo(), field="integer")
    texts = {
        "barcodes.tsv": "\n".join(cells) + "\n",
        "genes.tsv" if genes else "features.tsv": "\n".join(lines) + "\n",
        "matrix.mtx": (folder / "plain.mtx").read_text(),
    }
    (folder / "plain.mtx").unlink()
    for name, text in texts.items():
        if zipped:
            (folder / f"{before}{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{before}{name}").write_text(text)
