"""Write results into a file on disk, and read them from it: its matrices are neither read nor written."""

from pathlib import Path
from typing import Any

import h5py
import mudata
import pandas as pd
import zarr
from anndata.io import read_elem, write_elem

from omixvae.mudata_io import change_zarr, writing_elements
from omixvae.results.keys import Keys
from omixvae.results.record import is_record

__all__ = ["read_results", "write_results"]

MODALITY = {"encoding-type": "anndata", "encoding-version": "0.1.0"}
"""Attributes of a modality; mudata up to 0.1.1 wrote another word, and 0.4 does not read files with it."""


def write_results(mdata: mudata.MuData, file: Path, key: str) -> None:
    """Write what `omixvae.results.annotate.annotate` has put into a MuData into a file that holds the rest of it.

    Parameters
    ----------
    mdata
        With its results.
    file
        An h5mu file or a zarr folder with the same observations and modalities. Results of an earlier run are replaced.
    key
        The option `key_added`.
    """
    with writing_elements():
        if file.is_dir():
            root = change_zarr(file)
            _write(mdata, root, key)
            # Else readers would go by the list of keys that the folder had before.
            zarr.consolidate_metadata(root.store)
        else:
            with h5py.File(file, "r+") as root:
                _write(mdata, root, key)


def read_results(mdata: mudata.MuData, file: Path, key: str) -> None:
    """Read the results in a file into a MuData that was opened without them.

    Parameters
    ----------
    mdata
        The file as `omixvae.data.open_mudata` has opened it; columns of obs and var are in it.
    file
        An h5mu file or a zarr folder.
    key
        The option `key_added`.
    """
    if file.is_dir():
        _read(mdata, zarr.open_group(file, mode="r"), key)
    else:
        with h5py.File(file) as root:
            _read(mdata, root, key)


def _read(mdata: mudata.MuData, root: Any, key: str) -> None:  # noqa: ANN401 (as in _write)
    keys = Keys(key)
    for name in root.get("uns", ()):
        element = root["uns"][name]
        # Also other records: where the key is wrong, they are what can be chosen.
        if is_record(element):
            mdata.uns[name] = read_elem(element)
    for name in keys.among(root.get("obsm", ()), "obsm"):
        mdata.obsm[name] = read_elem(root["obsm"][name])
    for modality, adata in mdata.mod.items():
        for axis in ("obsm", "varm"):
            stored = root["mod"][modality].get(axis, {})
            for name in keys.among(stored, axis, of_modality=True):
                getattr(adata, axis)[name] = read_elem(stored[name])


def _write(mdata: mudata.MuData, root: Any, key: str) -> None:  # noqa: ANN401 (h5py and zarr have no common class)
    keys = Keys(key)
    order = mdata.obs_names.get_indexer(read_elem(root["obs"]).index)
    # As mudata does before it writes: text with gaps, and nothing else of the kind, is written as categories.
    write_elem(root, "obs", mdata.strings_to_categoricals(mdata.obs.iloc[order].copy()))
    of_rows = {name: mdata.obsm[name] for name in keys.among(mdata.obsm, "obsm")}
    _replace(
        root,
        "obsm",
        {n: v.iloc[order] if isinstance(v, pd.DataFrame) else v[order] for n, v in of_rows.items()},
        keys.among(root.get("obsm", ()), "obsm"),
    )
    _replace(root, "uns", {key: mdata.uns[key]}, [])
    for modality, adata in mdata.mod.items():
        group = root["mod"][modality]
        group.attrs.update(MODALITY)
        write_elem(group, "var", mdata.strings_to_categoricals(adata.var.copy()))
        for axis in ("obsm", "varm"):
            values = getattr(adata, axis)
            _replace(
                group,
                axis,
                {name: values[name] for name in keys.among(values, axis, of_modality=True)},
                keys.among(group.get(axis, ()), axis, of_modality=True),
            )


def _replace(root: Any, axis: str, values: dict[str, object], old: list[str]) -> None:  # noqa: ANN401 (as in _write)
    if axis not in root:
        write_elem(root, axis, {})  # has the attributes of its kind, unlike a bare group
    group = root[axis]
    for name in old:
        del group[name]
    for name, value in values.items():
        write_elem(group, name, value)
