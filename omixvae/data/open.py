"""Open MuData files and leave their matrices on disk."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anndata
import h5py
import mudata
import pandas as pd
import zarr
from anndata.io import read_elem, sparse_dataset

from omixvae.data.stored_matrix import StoredMatrix
from omixvae.errors import InputError, raise_together

__all__ = ["StoredAnnData", "open_mudata"]

SPARSE = ("csr_matrix", "csc_matrix")


def open_mudata(*paths: str | Path) -> mudata.MuData:
    """Open one or several files as one MuData whose matrices stay on disk.

    Parameters
    ----------
    *paths
        h5mu files, or zarr folders of MuData. Several have the same modalities and features; their observations come
        one after the other.

    Returns
    -------
    mudata.MuData
        Names and columns are in memory; `X` and layers are read by omixvae when they are needed. Nothing else is read:
        not `obsm`, `uns` and the like.

    Raises
    ------
    InputError
        If the files do not go together: says which lacks what.

    Examples
    --------
    >>> import tempfile
    >>> import omixvae
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     omixvae.simulate(n_obs=50).write_h5mu(f"{folder}/cohort.h5mu")
    ...     mdata = open_mudata(f"{folder}/cohort.h5mu")
    >>> mdata["rna"].shape
    (50, 400)
    """
    files = {str(path): _root(Path(path)) for path in paths}
    if len(files) < len(paths):
        raise InputError("A file is given twice.", "the inputs", "Give each file once.")
    names = _modalities(files)
    read = {name: {path: _names(root["mod"][name]) for path, root in files.items()} for name in names}
    obs_of = {path: read_elem(root["obs"]) for path, root in files.items()}
    raise_together([*(error for name in names for error in _disagreements(name, read[name])), *_repeated(obs_of)])
    obs = pd.concat(list(obs_of.values()))
    parts = {name: _modality([root["mod"][name] for root in files.values()], name, read[name]) for name in names}
    whole: dict[str, object] = {}
    if obs.index.is_unique and all(part.obs_names.is_unique for part in parts.values()):
        # What MuData would find by itself, but for the order of the observations, which it would change.
        rows = {name: part.obs_names.get_indexer(obs.index) + 1 for name, part in parts.items()}
        whole = {"obs": obs, "obsm": {name: row > 0 for name, row in rows.items()}, "obsmap": rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it is built as the user has set mudata, whatever its plans
        return mudata.MuData(parts, **whole)


def _root(path: Path) -> Any:  # noqa: ANN401 (a group of h5py or of zarr, which have no common class)
    if not path.exists():
        raise InputError(f"There is no file {str(path)!r}.", "the inputs", "Check the path.")
    try:
        root = zarr.open_group(path, mode="r") if path.is_dir() else h5py.File(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name!r} cannot be opened: {str(error).splitlines()[0].rstrip('.')}.",
            f"file {path}",
            "Give an h5mu file, or a zarr folder, that mudata has written.",
        ) from error
    if "mod" not in root:
        raise InputError(
            f"{path.name!r} holds no modalities.",
            f"file {path}",
            "Put AnnData objects together with mudata.MuData({'rna': ..., 'protein': ...}) and write that.",
        )
    return root


def _modalities(files: Mapping[str, Any]) -> list[str]:
    """Name the modalities, which each file must have, in the order of the first file."""
    known = {path: list(root["mod"].attrs.get("mod-order", list(root["mod"]))) for path, root in files.items()}
    everything = list(dict.fromkeys(name for names in known.values() for name in names))
    raise_together(
        [
            InputError(
                f"There is no modality {name!r} in {path}, and another file has it.",
                f"file {path}",
                "Give files with the same modalities; an observation may lack one, a file may not.",
            )
            for path, names in known.items()
            for name in everything
            if name not in names
        ]
    )
    return everything


def _names(group: Any) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: ANN401 (as in _root)
    return read_elem(group["obs"]), read_elem(group["var"])


def _disagreements(name: str, read: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> Iterator[InputError]:
    """Find features that a file lacks."""
    all_alike = True
    first, (_, features) = next(iter(read.items()))
    for path, (_, var) in read.items():
        for one, other, lacking in (
            (path, first, features.index.difference(var.index, sort=False)),
            (first, path, var.index.difference(features.index, sort=False)),
        ):
            if len(lacking):
                all_alike = False
                yield InputError(
                    f"Modality {name!r} lacks {len(lacking):,} feature{'s' if len(lacking) > 1 else ''} in {one} "
                    f"that {other} has, the first is {lacking[0]!r}.",
                    f"file {one}, mdata[{name!r}].var_names",
                    "Write all files with the same features, with NaN for what was not measured.",
                )
        if all_alike and not var.index.equals(features.index):
            all_alike = False
            yield InputError(
                f"The features of modality {name!r} are in another order in {path} than in {first}.",
                f"file {path}, mdata[{name!r}].var_names",
                "Write all files with the features in the same order.",
            )


def _repeated(obs_of: Mapping[str, pd.DataFrame]) -> Iterator[InputError]:
    """Find observations that two files have."""
    where: dict[str, str] = {}
    for path, obs in obs_of.items():
        twice = [name for name in obs.index if name in where]
        if twice:
            yield InputError(
                f"{len(twice):,} observation{'s' if len(twice) > 1 else ''} of {path} "
                f"{'are' if len(twice) > 1 else 'is'} in another file too, the first is {twice[0]!r}, in "
                f"{where[twice[0]]}.",
                f"file {path}, obs_names",
                "Make them unique first, e.g. by adding the sample to each barcode, or leave one file out.",
            )
        if len(obs_of) > 1:
            where |= dict.fromkeys(obs.index, path)


def _modality(
    groups: Sequence[Any], name: str, read: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]
) -> anndata.AnnData:
    obs, var = pd.concat([obs for obs, _ in read.values()]), next(iter(read.values()))[1]
    found = [_matrices(group) for group in groups]
    parts = {layer: [matrices[layer] for matrices in found] for layer in found[0] if all(layer in m for m in found)}
    if len(groups) > 1:
        stored = {layer: StoredMatrix(matrices, name) for layer, matrices in parts.items()}
        layers = {layer: matrix for layer, matrix in stored.items() if layer is not None}
        return StoredAnnData(stored.get(None), obs, var, layers)
    x = parts.pop(None, [None])[0]
    return anndata.AnnData(x, obs, var, layers={layer: matrix for layer, (matrix,) in parts.items()})


def _matrices(group: Any) -> dict[str | None, Any]:  # noqa: ANN401 (as in _root)
    """Find the matrices of a modality, X under None.

    Writers leave out what they have nothing for (R the group of layers, scirpy X, for which anndata then stores an
    element without a shape), and what is no matrix (ragged arrays) nobody can ask for.
    """
    elements = {None: group["X"]} if "X" in group else {}
    elements |= {name: group["layers"][name] for name in group["layers"]} if "layers" in group else {}
    matrices: dict[str | None, Any] = {}
    for name, element in elements.items():
        if element.attrs.get("encoding-type") in SPARSE:
            matrices[name] = sparse_dataset(element)
        elif isinstance(element, (h5py.Dataset, zarr.Array)) and element.ndim == 2:
            matrices[name] = element
    return matrices


class StoredAnnData(anndata.AnnData):  # type: ignore[misc]  # anndata has no types
    """AnnData whose matrices stay in several files, or in a store of your own: AnnData itself takes one file only.

    Parameters
    ----------
    x
        The values; None if there are none.
    obs, var
        The observations, and their features.
    layers
        Further matrices of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> class Stored:  # where read takes its rows from is its own affair
    ...     shape = (4, 2)
    ...
    ...     def read(self, first, last):
    ...         return np.arange(8.0).reshape(self.shape)[first:last]
    >>> obs, var = pd.DataFrame(index=list("abcd")), pd.DataFrame(index=["CD4", "CD8A"])
    >>> StoredAnnData(StoredMatrix([Stored()], "rna"), obs, var).shape
    (4, 2)
    """

    def __init__(
        self,
        x: StoredMatrix | None,
        obs: pd.DataFrame,
        var: pd.DataFrame,
        layers: Mapping[str, StoredMatrix] = MappingProxyType({}),
    ) -> None:
        self._in_files = x, dict(layers)
        super().__init__(obs=obs, var=var)

    def __getitem__(self, index: object) -> anndata.AnnData:
        """Refuse to select: rows of a store are read by omixvae alone."""
        raise InputError(
            f"Observations or features of several files cannot be selected (here {index!r:.40}).",
            "the MuData of open_mudata",
            "Select from each file before: mudata.read_h5mu(path)[rows].write_h5mu(path of its own); then open those.",
        )

    @property
    def isbacked(self) -> bool:
        """Whether anndata itself keeps a file open: it does not, omixvae does."""
        return False

    @property
    def X(self) -> StoredMatrix | None:
        """The values."""
        return self._in_files[0]

    @property
    def layers(self) -> dict[str, StoredMatrix]:
        """Further matrices."""
        return self._in_files[1]

    @layers.setter
    def layers(self, _: object) -> None:
        """Stay as they are: AnnData sets them empty when it is made."""
