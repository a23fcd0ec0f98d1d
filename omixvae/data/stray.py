"""Numbers such as -999 that stand for "not measured": single values that repeat, far from all others."""

from dataclasses import dataclass

import numpy as np

from omixvae.data.matrices import Matrix, count_in_columns

__all__ = ["Stray", "StrayValues", "stray_numbers"]

NINES = tuple(10.0**digits - 1 for digits in range(1, 8))
"""9, 99, … as far as float32 holds them exactly."""

WORDS = frozenset(
    [
        *(-number for number in NINES),
        *NINES[1:],  # 9 above small numbers is a count like any other
        *(-(10.0**digits) for digits in range(2, 7)),
        -1.0,
        -32768.0,
        -2147483648.0,  # R's missing integer, written by what does not know it
    ]
)
"""Numbers that tables write where nothing was measured."""

BEYOND = 1e19
"""No measurement is larger, whatever its unit; fill values of some formats are."""

ABUNDANT = 10.0
"""Whole numbers, zero or more, that reach so far are counts: -1 is none of them. (Copies that are lost are.)"""


@dataclass(frozen=True, eq=False)
class Stray:
    """A number that probably stands for "not measured".

    Parameters
    ----------
    value
        The number.
    n
        How often it occurs.
    rest
        Smallest and largest of all other values.
    columns
        Positions of the features that hold it.
    """

    value: float
    n: int
    rest: tuple[float, float]
    columns: np.ndarray


class StrayValues:
    """Collect the two ends of the values, a block of rows at a time.

    Parameters
    ----------
    n_features
        Number of features.

    Examples
    --------
    >>> ends = StrayValues(2)
    >>> values = np.array([[4.0, -999.0], [-999.0, 7.5]])
    >>> ends.add(values, values.ravel(), -999.0, 7.5)
    >>> [(found.value, found.n, found.rest, found.columns.tolist()) for found in ends.found(whole=False)]
    [(-999.0, 2, (4.0, 7.5), [0, 1])]
    """

    def __init__(self, n_features: int) -> None:
        self._low = _End(n_features, sign=1.0)
        self._high = _End(n_features, sign=-1.0)

    def add(self, values: Matrix, measured: np.ndarray, low: float, high: float) -> None:
        """Look at some rows.

        Parameters
        ----------
        values
            Shape (rows, g), dense or CSR, 0 where an entry is missing.
        measured
            The measured values as a flat array.
        low, high
            The smallest and the largest of them; infinite where there is none.
        """
        self._low.add(values, measured, low)
        self._high.add(values, measured, high)

    def found(self, *, whole: bool) -> tuple[Stray, ...]:
        """Judge the two ends of all values.

        Parameters
        ----------
        whole
            Whether all values are whole numbers.

        Returns
        -------
        tuple of Stray
            None, one or two.
        """
        ends = ((self._low, self._high), (self._high, self._low))
        return tuple(
            Stray(end.value, end.n, end.rest(other), np.flatnonzero(end.held))
            for end, other in ends
            if end.n > 1 and _far_out(end.value, *end.rest(other), whole=whole)
        )


class _End:
    """The outermost value of one end, and the next one. `sign` is -1 for the upper end, so that outer is smaller."""

    def __init__(self, n_features: int, sign: float) -> None:
        self.sign, self.outermost, self.next, self.n = sign, np.inf, np.inf, 0
        self.held = np.zeros(n_features, bool)

    @property
    def value(self) -> float:
        return self.sign * self.outermost

    def add(self, values: Matrix, measured: np.ndarray, extreme: float) -> None:
        outer = self.sign * extreme
        if not np.isfinite(outer) or outer > self.outermost:
            self.next = min(self.next, outer)
            return
        if outer < self.outermost:
            self.next = min(self.next, self.outermost)
            self.outermost, self.n, self.held = outer, 0, np.zeros_like(self.held)
        # Only where the number is of the kind: most values never need this further look.
        if extreme in WORDS or abs(extreme) >= BEYOND:
            others = self.sign * measured[measured != extreme]
            self.n += len(measured) - len(others)
            self.next = min(self.next, float(others.min(initial=np.inf)))
            self.held |= count_in_columns(values, lambda values: values == extreme) > 0

    def rest(self, other: "_End") -> tuple[float, float]:
        """Return the smallest and the largest of all values but this one; `other` is the other end."""
        return (self.next, other.value) if self.sign > 0 else (other.value, -self.next)


def _far_out(value: float, smallest: float, largest: float, *, whole: bool) -> bool:
    """Return whether a number is apart from all others, which reach from `smallest` to `largest`."""
    if not np.isfinite([smallest, largest]).all():
        return False  # there are no others
    if value == -1.0:
        return whole and smallest >= 0 and largest >= ABUNDANT
    if value < 0 <= smallest:
        return True
    gap = smallest - value if value < smallest else value - largest
    return gap > largest - smallest


def stray_numbers(numbers: np.ndarray) -> tuple[Stray, ...]:
    """Find stray values of one column of numbers.

    Parameters
    ----------
    numbers
        Shape (n,), none missing.

    Returns
    -------
    tuple of Stray
        None, one or two.

    Examples
    --------
    >>> [found.value for found in stray_numbers(np.array([34.0, -9.0, 71.0, -9.0]))]
    [-9.0]
    """
    ends = StrayValues(1)
    ends.add(numbers[:, None], numbers, float(numbers.min(initial=np.inf)), float(numbers.max(initial=-np.inf)))
    return ends.found(whole=bool(np.all(numbers == np.round(numbers))))
