"""A table of the samples: which of its columns names them, and what the others say."""

from pathlib import Path

import mudata
import pandas as pd

from omixvae.errors import InputError, raise_together
from omixvae.sources.how import Ways
from omixvae.sources.tables import read_frame, repeated

__all__ = ["add_samples", "read_samples", "sample_names"]


def read_samples(source: str | Path | pd.DataFrame, ways: Ways) -> pd.DataFrame:
    """Read a table of the samples.

    Parameters
    ----------
    source
        A file, or a data frame.
    ways
        How to read it.

    Returns
    -------
    pandas.DataFrame
        One row per sample, its names in any of the columns: the index has become the first one.

    Raises
    ------
    InputError
        If it cannot be read.

    Examples
    --------
    >>> read_samples(pd.DataFrame({"sex": ["f"]}, ["p1"]), Ways()).columns.to_list()
    ['sample', 'sex']
    """
    if not isinstance(source, pd.DataFrame):
        path = Path(source)
        if not path.is_file():
            raise InputError(f"There is no file {str(source)!r}.", "option obs (--obs)", "Check the path.")
        source = read_frame(path, ways, as_text=True)
    if not isinstance(source.index, pd.RangeIndex):
        source = source.reset_index(names=source.index.name or "sample", allow_duplicates=True)
    raise_together(repeated(source.columns, "column", "the table of samples"))
    return source


def sample_names(samples: pd.DataFrame) -> set[str]:
    """Collect what may be names of samples: all columns without repeated values.

    Parameters
    ----------
    samples
        As `read_samples` gives it.

    Returns
    -------
    set of str
        Of all such columns together.

    Examples
    --------
    >>> sorted(sample_names(pd.DataFrame({"patient": ["p1", "p2"], "sex": ["f", "f"]})))
    ['p1', 'p2']
    """
    keys = (samples.iloc[:, j].dropna() for j in range(samples.shape[1]))
    return {str(name) for key in keys if key.is_unique for name in key}


def add_samples(mdata: mudata.MuData, samples: pd.DataFrame, where: str) -> list[str]:
    """Write what a table of the samples says into the obs of a MuData.

    Parameters
    ----------
    mdata
        Changed in place: text becomes categorical, and what is not known is missing.
    samples
        As `read_samples` gives it.
    where
        What it is, for messages.

    Returns
    -------
    list of str
        What the user should know of how samples were found.

    Raises
    ------
    InputError
        If no column names the samples, or one is there twice.
    """
    texts = [samples.iloc[:, j].astype(object).map(str) for j in range(samples.shape[1])]
    found = [int(mdata.obs_names.isin(text).sum()) for text in texts]
    best = max(range(len(found)), key=lambda j: found[j], default=None)
    if best is None or not found[best]:
        raise InputError(
            f"No column of the table of samples holds a name of the samples, such as {mdata.obs_names[0]!r}.",
            where,
            "Give it a column with the names that the samples have in the data.",
        )
    key, name = pd.Index(texts[best]), samples.columns[best]
    twice = key[key.duplicated() & key.isin(mdata.obs_names)]
    if len(twice):
        raise InputError(
            f"Sample {twice[0]!r} stands {int((key == twice[0]).sum())} times in column {name!r} of the table of "
            "samples.",
            where,
            "Keep one row for each sample.",
        )
    rows = samples.set_axis(key, axis=0)[~key.duplicated()].reindex(mdata.obs_names)
    for j, column in enumerate(samples.columns):
        if j != best:
            mdata.obs[column] = _typed(rows.iloc[:, j])
    if best == 0 and found[best] == mdata.n_obs:
        return []
    return [f"{found[best]:,} of {mdata.n_obs:,} samples are in {where}, which names them in column {name!r}."]


def _typed(column: pd.Series) -> pd.Series:
    """Make numbers of a column where all of it is numbers, and categories of all other text."""
    if not pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        numbers = pd.to_numeric(column.astype(object), errors="coerce")
        column = numbers if numbers.notna().equals(column.notna()) else column.astype(object).astype("category")
    return column
