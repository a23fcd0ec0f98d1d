"""Matrices as they come: float32, dense or CSR, with what was not measured apart from what was."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from omixvae.errors import InputError

__all__ = ["Matrix", "arrange", "as_matrix", "count_in_columns", "dense", "split_missing", "stack"]

Matrix: TypeAlias = np.ndarray | sp.csr_matrix


def as_matrix(x: object, name: str) -> Matrix:
    """Bring whatever AnnData may hold into a float32 array or CSR matrix, without a copy where it already is one.

    Parameters
    ----------
    x
        An array or a SciPy matrix.
    name
        The modality, for the message.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csr_matrix
        Each entry stored once.

    Raises
    ------
    InputError
        If a value is no number, or beyond all that float32 can hold.

    Examples
    --------
    >>> as_matrix([[1, 2]], "rna")
    array([[1., 2.]], dtype=float32)
    """
    if hasattr(x, "to_memory"):  # a lazy array
        x = x.to_memory()
    matrix = _cast(x, name)
    values = matrix if isinstance(matrix, np.ndarray) else matrix.data
    if np.isinf(values).any():
        _refuse_beyond_float32(np.asarray(x.data if isinstance(x, sp.spmatrix | sp.sparray) else x, np.float64), name)
    return matrix


def _cast(x: object, name: str) -> Matrix:
    try:
        with np.errstate(over="ignore"):  # of what is refused then, by its value
            if not sp.issparse(x):
                return np.asarray(x, dtype=np.float32)
            matrix = sp.csr_matrix(x, dtype=np.float32)
            if matrix.indices.dtype != matrix.indptr.dtype:
                # As some files have them: SciPy would bring all of them to one width whenever rows are taken.
                matrix = sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
            if not matrix.has_canonical_format:  # an entry stored in two parts would be read as one of them
                matrix = matrix.copy()
                matrix.sum_duplicates()
            return matrix
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Modality {name!r} holds values that are not numbers ({error}).",
            f"mdata[{name!r}]",
            "Convert them to numbers, with NaN for what was not measured.",
        ) from error


def _refuse_beyond_float32(values: np.ndarray, name: str) -> None:
    """Name a finite value that would become infinite, and then be taken for a log of zero."""
    beyond = values[np.isfinite(values) & (np.abs(values) > np.finfo(np.float32).max)]
    if len(beyond):
        raise InputError(
            f"Modality {name!r} holds {beyond[0]:g}, which is beyond all numbers that are computed with here "
            f"(up to {np.finfo(np.float32).max:.1e}).",
            f"mdata[{name!r}]",
            "If it stands for what was not measured, write NaN in its place; else bring the values to another scale.",
        )


def split_missing(values: Matrix) -> tuple[Matrix, Matrix | None]:
    """Separate values and missing entries: NaN becomes 0 and an entry of the mask.

    Parameters
    ----------
    values
        Shape (rows, g), NaN where an entry is missing.

    Returns
    -------
    tuple
        The values without NaN, and the mask, of the same kind; None where no entry is missing.

    Examples
    --------
    >>> values, missing = split_missing(np.array([[1.0, np.nan]], np.float32))
    >>> values.tolist(), missing.tolist()
    ([[1.0, 0.0]], [[False, True]])
    """
    nan = np.isnan(values if isinstance(values, np.ndarray) else values.data)
    if not nan.any():
        return values, None
    if isinstance(values, np.ndarray):
        return np.where(nan, np.float32(0), values), nan
    filled = values.copy()
    filled.data[nan] = 0
    missing = sp.csr_matrix((nan, values.indices.copy(), values.indptr.copy()), shape=values.shape)
    for matrix in (filled, missing):
        matrix.eliminate_zeros()
    return filled, missing


def arrange(values: Matrix, columns: np.ndarray | None) -> tuple[Matrix, Matrix | None]:
    """Put columns into the order of a model, and separate values and missing entries.

    Parameters
    ----------
    values
        Shape (rows, any), NaN where an entry is missing.
    columns
        Shape (g,): which column each feature is, -1 for a feature that is not there and so missing everywhere; None
        where they are all, in order.

    Returns
    -------
    tuple
        Values without NaN, and the mask, as of `split_missing`. The mask is dense where a feature is not there.

    Examples
    --------
    >>> values, missing = arrange(sp.csr_matrix([[1.0, 2.0]]), np.array([1, -1, 0]))
    >>> values.toarray().tolist(), missing.tolist()
    ([[2.0, 0.0, 1.0]], [[False, True, False]])
    """
    if columns is None:
        return split_missing(values)
    here = columns >= 0
    values, missing = split_missing(values[:, columns[here]])
    if here.all():
        return values, missing
    shape = values.shape[0], len(columns)
    # A view of one row where nothing else is missing: entries of a sparse mask would take more room than the values.
    lacking = np.broadcast_to(~here, shape)
    if missing is not None:
        lacking = lacking.copy()
        lacking[:, here] = dense(missing)
    if isinstance(values, np.ndarray):
        wide: Matrix = np.zeros(shape, values.dtype)
        wide[:, here] = values
    else:
        indices = np.flatnonzero(here).astype(values.indices.dtype)[values.indices]
        wide = sp.csr_matrix((values.data, indices, values.indptr), shape=shape)
    return wide, lacking


def dense(matrix: Matrix) -> np.ndarray:
    """Return all values of a matrix, those that are not stored, too.

    Parameters
    ----------
    matrix
        Dense or CSR.

    Returns
    -------
    numpy.ndarray
        Itself, if it is dense.

    Examples
    --------
    >>> dense(sp.csr_matrix([[1.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def count_in_columns(matrix: Matrix, are_meant: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Count values of a kind in each column.

    Parameters
    ----------
    matrix
        Dense or CSR.
    are_meant
        Says of each value whether it is of the kind, which 0 must not be.

    Returns
    -------
    numpy.ndarray
        Shape (g,).

    Examples
    --------
    >>> count_in_columns(sp.csr_matrix([[1.0, 0.0], [3.0, 2.0]]), lambda values: values > 1).tolist()
    [1, 1]
    """
    if isinstance(matrix, np.ndarray):
        return are_meant(matrix).sum(axis=0)
    return np.bincount(matrix.indices[are_meant(matrix.data)], minlength=matrix.shape[1])


def stack(parts: list[Matrix]) -> Matrix:
    """Put rows of the same kind of matrix one below the other.

    Parameters
    ----------
    parts
        At least one matrix, all dense or all CSR.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csr_matrix
        All rows.

    Examples
    --------
    >>> stack([np.ones((2, 3)), np.ones((1, 3))]).shape
    (3, 3)
    """
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sp.vstack(parts, format="csr")
