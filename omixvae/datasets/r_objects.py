"""Read what R packages ship as data: .rda files, with classes of Matrix and Bioconductor in them."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import rdata
import scipy.sparse as sp
import xarray
from rdata.parser import RObject, RObjectType

from omixvae.errors import InputError

__all__ = ["RMatrix", "alternative", "assay", "frame", "matrix", "part", "read_r"]

CODE = (RObjectType.CLO, RObjectType.PROM, RObjectType.BCODE)

MISSING_INTEGER = np.iinfo(np.int32).min  # R keeps the smallest whole number for what is not known


@dataclasses.dataclass(frozen=True)
class RMatrix:
    """A matrix with its names, the way round that R has it.

    Parameters
    ----------
    values
        Numbers, dense or sparse, of shape (rows, columns).
    rows, columns
        Names; empty where R has none.
    """

    values: "np.ndarray | sp.csc_matrix"
    rows: pd.Index
    columns: pd.Index


def read_r(path: Path) -> object:
    """Read the one object of an .rda file.

    Parameters
    ----------
    path
        The file, compressed or not.

    Returns
    -------
    object
        Lists as dict (as list, if their elements have no names), data frames as pandas, S4 objects as namespaces of
        their slots. `part`, `matrix`, `frame`, `assay` and `alternative` find their way in it.

    Raises
    ------
    InputError
        If the file holds several objects.
    """
    parsed = rdata.parser.parse_file(path)
    _forget_code(parsed.object)
    with warnings.catch_warnings():
        # about classes that stay namespaces, most of which hold no data, e.g. versions and genome ranges
        warnings.filterwarnings("ignore", "Missing constructor", UserWarning)
        objects = rdata.conversion.convert(parsed)
    if len(objects) != 1:
        raise InputError(
            f"{path.name!r} holds {len(objects)} R objects, but one is expected.",
            f"file {path}",
            "Save the object that you need alone, with save(OBJECT, file = ...).",
        )
    return next(iter(objects.values()))


def part(value: object, *names: str | int) -> object:
    """Go down into nested lists, environments and S4 objects.

    Parameters
    ----------
    value
        Where to begin.
    *names
        The names of elements or slots on the way; positions where a list has no names.

    Returns
    -------
    object
        What is there.

    Examples
    --------
    >>> part({"data": [{"RNA": "counts"}]}, "data", 0, "RNA")
    'counts'
    """
    for name in names:
        if isinstance(value, SimpleNamespace):
            value = vars(value)
        value = value[name]  # type: ignore[index]  # a mapping or a list: who wrote the names has seen the file
    return value


def matrix(value: object) -> RMatrix:
    """Take any of R's kinds of matrix.

    Parameters
    ----------
    value
        A matrix, a data frame of numbers, a dgCMatrix or an ExpressionSet.

    Returns
    -------
    RMatrix
        Its values and names.

    Examples
    --------
    >>> matrix(pd.DataFrame({"CD3D": [4, 0]}, index=["cell1", "cell2"])).rows.to_list()
    ['cell1', 'cell2']
    """
    if isinstance(value, SimpleNamespace):
        return S4_MATRICES[str(part(value, "class", 0))](value)
    if isinstance(value, pd.DataFrame):
        return RMatrix(value.to_numpy(float), _names(value.index), _names(value.columns))
    if isinstance(value, xarray.DataArray):
        rows, columns = (_names(value.coords.get(dimension)) for dimension in value.dims)
        return RMatrix(_plain(value.to_numpy()), rows, columns)
    return RMatrix(_plain(np.asarray(value)), _names(None), _names(None))


def frame(value: object) -> pd.DataFrame:
    """Take a DataFrame of Bioconductor.

    Parameters
    ----------
    value
        The DataFrame.

    Returns
    -------
    pandas.DataFrame
        Its columns, in which missing whole numbers are marked as such.
    """
    columns = {str(name): _column(values) for name, values in _mapping(part(value, "listData")).items()}
    return pd.DataFrame(columns, index=_names(part(value, "rownames")))


def assay(experiment: object, name: str | None = None) -> RMatrix:
    """Take a matrix out of a SummarizedExperiment or a class that is built on it.

    Parameters
    ----------
    experiment
        The experiment: features are rows.
    name
        Of the assay; the first one when not given.

    Returns
    -------
    RMatrix
        Its values, with the names of the experiment where it has none of its own.
    """
    holder = part(experiment, "assays")
    # Older versions keep the assays in a reference class, whose "data" is a function that gives what ".->data" holds.
    data = part(holder, ".xData", ".->data") if ".xData" in vars(holder) else part(holder, "data")
    assays = part(data, "listData")
    found = matrix(_first(assays) if name is None else part(assays, name))
    rows = found.rows if len(found.rows) else _names(part(experiment, "NAMES"))
    columns = found.columns if len(found.columns) else _names(part(experiment, "colData", "rownames"))
    return RMatrix(found.values, rows, columns)


def alternative(experiment: object, name: str) -> object:
    """Take a further experiment on the same cells out of a SingleCellExperiment, e.g. that of its proteins."""
    return part(experiment, "int_colData", "listData", "altExps", "listData", name, "se")


def _forget_code(root: RObject) -> None:
    """Empty functions and promises: rdata does not know all kinds, and with them can hang a whole R session."""
    seen: set[int] = set()
    stack: list[object] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, list | tuple):
            stack.extend(value)
        elif isinstance(value, RObject) and id(value) not in seen:
            seen.add(id(value))
            if value.info.type in CODE:
                value.info = dataclasses.replace(value.info, type=RObjectType.NILVALUE, object=False, attributes=False)
                value.value = value.attributes = value.tag = None
            if value.info.type is RObjectType.ENV:
                stack += [value.value.frame, value.value.enclosure, value.value.hash_table]
            stack += [value.value, value.attributes, value.tag, value.referenced_object]


def _sparse(value: object) -> RMatrix:
    rows, columns = (_names(part(value, "Dimnames", axis)) for axis in (0, 1))
    shape = tuple(int(length) for length in np.asarray(part(value, "Dim")))
    return RMatrix(sp.csc_matrix((part(value, "x"), part(value, "i"), part(value, "p")), shape=shape), rows, columns)


S4_MATRICES: Mapping[str, Callable[[object], RMatrix]] = {
    "dgCMatrix": _sparse,
    "ExpressionSet": lambda value: matrix(part(value, "assayData", "exprs")),
}


def _plain(values: np.ndarray) -> np.ndarray:
    """Replace R's NA, a NaN of a kind that NumPy warns of when it is cast, by the usual one."""
    return np.where(np.isnan(values), np.nan, values)


def _first(elements: object) -> object:
    """Take the first element of a list, which R gives names or not."""
    return elements[0] if isinstance(elements, list) else next(iter(_mapping(elements).values()))


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value


def _names(value: object) -> pd.Index:
    """Take names; R's empty slot is a word of its own."""
    return pd.Index([] if value is None or isinstance(value, str) else [str(name) for name in np.asarray(value)])


def _column(values: object) -> object:
    if isinstance(values, np.ndarray) and values.dtype == np.int32:
        numbers = np.ma.getdata(values)
        return pd.arrays.IntegerArray(numbers.astype(np.int64), numbers == MISSING_INTEGER)
    return values.to_numpy() if isinstance(values, xarray.DataArray) else values
