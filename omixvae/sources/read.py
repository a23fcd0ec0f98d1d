"""`read`: whatever holds omics of samples → one MuData, and what was assumed on the way."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import mudata
import pandas as pd

from omixvae.errors import InputError, nearest, raise_together
from omixvae.sources.assemble import assemble
from omixvae.sources.how import OBSM, Held, Source, Ways
from omixvae.sources.modalities import Found, find_modalities

__all__ = ["as_mudata", "read", "split_name"]


def read(
    *sources: Source,
    modality: Mapping[str, str] | None = None,
    obs: str | Path | pd.DataFrame | None = None,
    samples: str | None = None,
    sep: str | None = None,
    na: object = (),
) -> mudata.MuData:
    """Read omics of the same samples, from files or from memory, as one MuData.

    Parameters
    ----------
    *sources
        One or several of

        - a path of an h5mu file, an h5ad file, a zarr folder of either, an h5 file or an mtx folder of 10x (which are
          split by the kind of feature: ``rna``, ``protein``, ``atac`` …), or a table (CSV, TSV, text, each also as
          ``.gz``; parquet where pyarrow is installed) with names in its first row and column;
        - the same with a name: ``"protein=adt.csv"``. Without one the name of the file is taken (``rna.csv.gz`` is
          ``rna``);
        - an AnnData or a MuData;
        - a mapping from names to paths, AnnData or data frames;
        - a list of any of these.
    modality
        Further modalities that are tables in obsm of an AnnData, such as ``{"adt": "obsm:antibodies"}``.
        ``obsm["protein_expression"]`` is always taken as ``protein``.
    obs
        A table of the samples, a file or a data frame. The column that names the samples is found.
    samples
        ``"rows"`` or ``"columns"`` of the tables. When not given, it is found out by names that the tables, an AnnData
        and `obs` share; one table alone has the samples in its rows.
    sep
        What separates fields in text tables; found out when not given.
    na
        A value, or several, that stand for "not measured", beside empty fields and the usual words: ``(-999, "-")``.

    Returns
    -------
    mudata.MuData
        One modality per assay. Samples are paired by their names; one that an assay lacks is absent from it. A single
        MuData comes back as it is.

    Raises
    ------
    InputError
        If something cannot be read or does not go together; says what, where, and how to fix it.

    Warns
    -----
    UserWarning
        What was assumed, and how to say otherwise.

    Examples
    --------
    >>> import pandas as pd
    >>> import omixvae
    >>> rna = pd.DataFrame({"p1": [5, 0], "p2": [3, 1]}, index=["GATA3", "TP53"])
    >>> protein = pd.DataFrame({"p1": [0.3], "p2": [1.2], "p3": [0.7]}, index=["AKT1"])
    >>> mdata = omixvae.read({"rna": rna, "protein": protein}, samples="columns")
    >>> {name: adata.shape for name, adata in mdata.mod.items()}
    {'rna': (2, 2), 'protein': (3, 1)}
    """
    given = [part for source in sources for part in _listed(source)]
    values = na if isinstance(na, Sequence) and not isinstance(na, str) else (na,)
    ways = Ways(modality or {}, obs, samples, sep, tuple(values))
    if not given:
        raise InputError("Nothing is given to read.", "the data", "Give a path, an AnnData, a data frame, or several.")
    with warnings.catch_warnings():
        # Where it matters it is corrected, and said; a gene and its protein may have one name.
        warnings.filterwarnings("ignore", ".*names are not unique", UserWarning)
        mdata, notes = assemble(_find(given, ways), ways)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return mdata


def as_mudata(source: Source) -> mudata.MuData:
    """Return a MuData as it is, and read whatever else is given.

    Parameters
    ----------
    source
        As `read` takes it.

    Returns
    -------
    mudata.MuData
        The very same one if it is one.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> mdata = simulate(n_obs=50)
    >>> as_mudata(mdata) is mdata
    True
    """
    return source if isinstance(source, mudata.MuData) else read(source)


def split_name(text: str) -> tuple[str | None, str]:
    """Split ``name=path``.

    Parameters
    ----------
    text
        With or without a name.

    Returns
    -------
    tuple
        The name, or None, and the path.

    Examples
    --------
    >>> split_name("rna=counts.csv"), split_name("counts.csv")
    (('rna', 'counts.csv'), (None, 'counts.csv'))
    """
    name, equals, path = text.partition("=")
    return (name.strip(), path) if equals and "/" not in name and not Path(text).exists() else (None, text)


def _listed(source: Source) -> Iterator[tuple[str | None, Held]]:
    """Go through all that is given, each with its name if it has one."""
    if isinstance(source, str):
        yield split_name(source)
    elif isinstance(source, Mapping):
        yield from ((str(name), held) for name, held in source.items())
    elif isinstance(source, list | tuple):
        for part in source:
            yield from _listed(part)
    else:
        yield None, source


def _find(given: Sequence[tuple[str | None, Held]], ways: Ways) -> list[Found]:
    """Read all that is given, and find names that are there twice."""
    found: list[Found] = []
    errors: list[InputError] = []
    for name, held in given:
        try:
            found.append(find_modalities(name, held, ways, alone=len(given) == 1))
        except InputError as error:
            errors.append(error)
    homes: dict[str, str] = {}
    for part in found:
        for name in part.modalities:
            if name in homes:
                fix = f"Give one another name: NAME=PATH in a path, or {{{name!r}: ..., 'other': ...}}."
                errors.append(InputError(f"Two things have the name {name!r}.", f"{homes[name]} and {part.where}", fix))
            homes[name] = part.where
    raise_together(errors)
    places = list(dict.fromkeys(OBSM + key for part in found for key in part.tables))
    lacking = {name: place for name, place in ways.modality.items() if place not in places}
    raise_together(
        [
            InputError(f"There is no table {place!r} for modality {name!r}.", "option modality", nearest(place, places))
            for name, place in lacking.items()
        ]
    )
    return found
