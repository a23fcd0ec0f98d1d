"""Which likelihood suits the values of a modality, and why another cannot take them."""

from typing import get_args

import numpy as np

from omixvae.config import LikelihoodWord
from omixvae.data.check import features_phrase
from omixvae.data.survey import ABUNDANT
from omixvae.data.tables import Table
from omixvae.errors import InputError
from omixvae.likelihoods.likelihood import Likelihood

__all__ = ["refusal", "suitable"]

TYPICAL_LOG_LIMIT = 50.0
"""Largest value that log-transformed data reach (2⁵⁰ is no abundance): above it, positive values are not logged."""

LARGEST_UMI_COUNT = 100_000
"""Beyond this, and `ABUNDANT` as a rule, counts are reads of whole samples: what sampling adds to their noise is little
beside biology."""

AS_TRAINED = (
    "Give values of the same kind as in the training, in the same place (X, or the layer that they were read from), or "
    "train a new model on these."
)


def suitable(table: Table) -> tuple[LikelihoodWord, str]:
    """Choose a likelihood from the values.

    Parameters
    ----------
    table
        One modality.

    Returns
    -------
    tuple of str
        The word, and why.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> suitable(from_mudata(simulate(n_obs=100)).table("rna"))[0]
    'negative_binomial'
    """
    found = table.survey
    low, high, whole = found.smallest, found.largest, found.whole
    if table.is_label:
        return "categorical", "it is a column of labels"
    if table.coverage is not None and whole and low >= 0:
        return "binomial", "coverage_layers says what each count is out of"
    if whole and low >= 0 and high <= 1:
        return "bernoulli", "all values are 0 or 1"
    if whole and low >= 0 and high > LARGEST_UMI_COUNT and 2 * found.n_abundant >= found.n_measured.sum():
        return "log_normal", f"counts reach {high:,.0f}, half are {ABUNDANT} or more, as in whole tissues"
    if whole and low >= 0:
        return "negative_binomial", f"all values are whole numbers from 0 to {high:,.0f}"
    if low >= 0 and high > TYPICAL_LOG_LIMIT:
        return "log_normal", f"values are not negative and reach {high:,.4g}, more than logged values do"
    kind = "fractions" if low >= 0 and high <= 1 else "continuous"
    return "gaussian", f"values are {kind} from {low:.4g} to {high:.4g}"


def refusal(
    table: Table, word: str, likelihood: type[Likelihood] | Likelihood, *, trained: bool = False
) -> InputError | None:
    """Return why a likelihood cannot take the values of a modality, if so.

    Parameters
    ----------
    table
        One modality.
    word
        What the likelihood is called.
    likelihood
        Its class, or itself.
    trained
        Whether it is that of a trained model, and no option can change it.

    Returns
    -------
    InputError or None
        Names the values, the first feature that holds one, and a likelihood that would do.
    """
    columns, smallest, first = [], np.inf, None
    surely = word in get_args(LikelihoodWord) and _within_bounds(table, likelihood)
    for block in () if surely else table.blocks():
        values = block.values
        stored = values if isinstance(values, np.ndarray) else values.data
        wrong = ~likelihood.check(stored)
        if isinstance(values, np.ndarray) and block.missing is not None:
            wrong &= ~block.missing
        if wrong.any():
            columns.append(np.flatnonzero(wrong.any(0)) if isinstance(values, np.ndarray) else values.indices[wrong])
            bad = stored[wrong]
            smallest, first = min(smallest, bad.min()), bad.ravel()[0] if first is None else first
    if first is None:
        return _not_one_each(table, trained=trained) if word == "categorical" else None
    example = f"negative values (smallest {smallest:.4g})" if smallest < 0 else f"values such as {first:.4g}"
    better, _ = suitable(table)
    if trained:
        fix = AS_TRAINED
    elif likelihood.kind in ("counts", "covered_counts"):
        fix = (
            f"Point to the raw counts with layers={{{table.name!r}: 'counts'}}, or choose "
            f"likelihoods={{{table.name!r}: {better!r}}}."
        )
    else:
        fix = f"Choose likelihoods={{{table.name!r}: {better!r}}}."
    return InputError(
        f"Modality {table.name!r} holds {example}, but its likelihood is {word}, which needs {likelihood.needs}.",
        f"mdata[{table.name!r}], {features_phrase(np.concatenate(columns), table.features)}",
        fix,
    )


def _within_bounds(table: Table, likelihood: type[Likelihood] | Likelihood) -> bool:
    """Return whether one look at the values was enough: our likelihoods take an interval, or its whole numbers.

    On disk a second look would take minutes.
    """
    found = table.survey
    if not found.n_measured.any():
        return True
    probes = [found.smallest, found.largest]
    if not found.whole:  # a number that is not whole, as near as needed to the smallest
        probes.append(found.smallest + min(0.5, (found.largest - found.smallest) / 2))
    return bool(likelihood.check(np.array(probes, np.float32)).all())


def _not_one_each(table: Table, *, trained: bool) -> InputError | None:
    """Return which observations do not have exactly one category."""
    wrong = np.flatnonzero(table.survey.totals != 1)
    if not len(wrong):
        return None
    return InputError(
        f"{len(wrong):,} observations of modality {table.name!r} do not have exactly one category, which the "
        "likelihood categorical needs.",
        f"mdata[{table.name!r}], first: row {wrong[0]:,}",
        AS_TRAINED
        if trained
        else f"Give one column per category with a single 1 in each row, or choose likelihoods={{{table.name!r}: "
        "'bernoulli'}.",
    )
