"""Find out before the work what of a MuData a file will not hold: anndata itself writes it, to a file for trial."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import h5py
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import zarr
from anndata.io import read_elem, write_elem

from omixvae.data.stored_matrix import lies_on_disk
from omixvae.errors import InputError, raise_together
from omixvae.mudata_io import writing_elements

__all__ = ["check_room", "check_writable"]

Refusal = Callable[[object], str | None]
"""Return why a file does not hold a value; None if it does."""

SPARSE = (sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array)

AXES = ("obsm", "varm", "obsp", "varp", "layers", "uns")

RENAME = "Give it another name, one without '/' and other than '.', '' and '_index', and write the input again."


def check_writable(mdata: mudata.MuData, key: str = "omixvae", *, as_zarr: bool = False) -> None:
    """Check that a MuData, and results beside what it holds, can be written and read again.

    Parameters
    ----------
    mdata
        All but its matrices is written to a file in memory; of matrices only the names and the first row are.
    key
        The option `key_added`.
    as_zarr
        Whether it is to become a zarr folder; else an h5mu file.

    Raises
    ------
    InputError
        All that cannot be written, with where it stands.

    Examples
    --------
    >>> check_writable(mudata.MuData({}))
    """
    refusal = partial(_refusal, as_zarr=as_zarr)
    problems = []
    with writing_elements():
        if (reason := refusal({key: 0})) is not None:
            problems.append(
                InputError(f"A file holds nothing under the name {key!r} ({reason}).", "option key_added", "Change it.")
            )
        for where, value in _elements(mdata):
            problems += _problems(value, where, refusal)
    raise_together(problems)


def check_room(mdata: mudata.MuData, output: Path) -> None:
    """Check that the disk has room for a file: HDF5 does not survive that it has not.

    Parameters
    ----------
    mdata
        What is to be written; counted are its matrices in memory.
    output
        The file.

    Raises
    ------
    InputError
        If there is less.
    """
    matrices = [*mdata.obsm.values()]
    for adata in mdata.mod.values():
        matrices += [adata.X, *(adata.layers[name] for name in adata.layers if name is not None)]
        matrices += [*adata.obsm.values(), *adata.obsp.values()]
    needed, free = sum(map(_bytes, matrices)), shutil.disk_usage(output.resolve().parent).free
    if needed > free:
        raise InputError(
            f"{output.name!r} takes {needed / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left.",
            f"output {output}",
            "Make room on the disk, or choose another folder.",
        )


def _bytes(matrix: object) -> int:
    if isinstance(matrix, SPARSE):
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
    if isinstance(matrix, pd.DataFrame):
        return int(matrix.memory_usage().sum())
    return matrix.nbytes if isinstance(matrix, np.ndarray) else 0


def _elements(mdata: mudata.MuData) -> Iterator[tuple[str, object]]:
    """Yield all that mudata writes, with the place that it has in the MuData."""
    # Results are written under these names, too.
    yield "mdata.mod", dict.fromkeys(mdata.mod, 0)
    for where, part in [("mdata", mdata), *((f"mdata[{name!r}]", adata) for name, adata in mdata.mod.items())]:
        for axis in ("obs", "var"):
            # As mudata does before it writes.
            yield f"{where}.{axis}", mdata.strings_to_categoricals(getattr(part, axis).copy())
        for axis in AXES if part is not mdata else [axis for axis in AXES if axis != "layers"]:
            values = getattr(part, axis)
            # Since anndata 0.13 X is a layer without a name; a MuData has the presence of its modalities in obsm.
            names = [name for name in values if name is not None and (part is not mdata or name not in mdata.mod)]
            yield f"{where}.{axis}", {name: _first_row(values[name]) for name in names}
        if part is not mdata and part.raw is not None:
            yield f"{where}.raw.var", mdata.strings_to_categoricals(part.raw.var.copy())


def _first_row(value: object) -> object:
    """Leave out of a matrix what cannot fail: numbers are all of one kind."""
    if lies_on_disk(value):
        return 0
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "biufc":
        return value[:1]
    return value[:1] if isinstance(value, SPARSE) else value


def _refusal(value: object, *, as_zarr: bool) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        # Nothing is written to the disk: the file is kept in memory, under a name that no other has.
        path = Path(folder, "trial.h5mu")
        trial = (
            nullcontext(zarr.open_group(folder, mode="w"))
            if as_zarr
            else h5py.File(path, "w", driver="core", backing_store=False)
        )
        with trial as root:
            try:
                write_elem(root, "trial", value)
                read = read_elem(root["trial"])
            except Exception as error:  # noqa: BLE001 (which one depends on the library and on the value)
                return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            if list(root) != ["trial"] or not _named_alike(read, value):
                return "it would not be read as it was written"
    return None


def _named_alike(read: object, written: object) -> bool:
    """Check that names are as before: '.' may replace all else, one with '/' be taken apart, without an error."""
    if isinstance(written, pd.DataFrame):
        return isinstance(read, pd.DataFrame) and list(read.columns) == list(written.columns)
    return not isinstance(written, Mapping) or (isinstance(read, Mapping) and set(read) == set(written))


def _problems(value: object, where: str, refusal: Refusal) -> list[InputError]:
    reason = refusal(value)
    if reason is None:
        return []
    parts: list[InputError] = []
    if isinstance(value, pd.DataFrame):
        parts = list(_in_frame(value, where, refusal))
    elif isinstance(value, Mapping):
        parts = list(_in_mapping(value, where, refusal))
    return parts or [_of_values(value, where, reason)]


def _in_mapping(values: Mapping[object, object], where: str, refusal: Refusal) -> Iterator[InputError]:
    for name, value in values.items():
        inner = _problems(value, f"{where}[{name!r}]", refusal)
        yield from inner
        if not inner and (reason := refusal({name: value})) is not None:
            yield InputError(f"An entry of {where} cannot be named {name!r} in a file ({reason}).", where, RENAME)


def _in_frame(frame: pd.DataFrame, where: str, refusal: Refusal) -> Iterator[InputError]:
    index = frame.iloc[:, :0]
    if (reason := refusal(index.rename_axis(None))) is not None:
        yield _of_values(index.index, f"{where}.index", reason)
        return
    if (reason := refusal(index)) is not None:
        name = f"{where}.index.name"
        yield InputError(
            f"The index of {where} cannot be named {index.index.name!r} in a file ({reason}).", name, RENAME
        )
        return
    for i, name in enumerate(frame.columns):
        column = frame.iloc[:, [i]]
        if (reason := refusal(column)) is None:
            continue
        of_values = refusal(column.set_axis(["values"], axis=1).rename_axis(None))
        if of_values is None:
            yield InputError(f"A column of {where} cannot be named {name!r} in a file ({reason}).", where, RENAME)
        else:
            yield _of_values(column.iloc[:, 0], f"{where}[{name!r}]", of_values)


def _of_values(value: object, where: str, reason: str) -> InputError:
    if isinstance(value, pd.Series) and isinstance(value.dtype, pd.CategoricalDtype):
        value = value.cat.categories.to_series()
    kinds: list[str] = []
    if isinstance(value, pd.Series | pd.Index | np.ndarray) and value.dtype == object:
        # Columns may hold values of any type.
        kinds = sorted({"None" if v is None else type(v).__name__ for v in np.asarray(value, object).ravel()})
    are = f", of the type{'s' if len(kinds) > 1 else ''} {', '.join(kinds)}" if kinds else ""
    fix = "Take it out"
    if isinstance(value, pd.Series):
        is_text = kinds == ["str"] or isinstance(value.dtype, pd.StringDtype)
        how = "str.replace('\\0', '')" if is_text else "astype(str)"
        fix = f"Make {'plain text' if is_text else 'text'} of them, {where} = {where}.{how}, or take it out"
    return InputError(
        f"A file cannot hold the values of {where}{are} ({reason}).",
        where,
        f"{fix}, del {where}, and write the input again.",
    )
