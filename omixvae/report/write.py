"""Put the page together and write it."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import mudata
import numpy as np

from omixvae.errors import InputError
from omixvae.files import check_target, whole_file
from omixvae.model import OmixVAE
from omixvae.options import as_names
from omixvae.pl.colours import colour_by
from omixvae.report.facts import Facts
from omixvae.report.findings import distrusted, findings, key_numbers
from omixvae.report.page import Page, render
from omixvae.report.sections import of_clusters, of_data, of_map, of_training
from omixvae.report.trust import of_choices, of_imputation, of_information, of_loadings
from omixvae.results.read import Results

__all__ = ["write_report"]


def write_report(
    mdata: mudata.MuData,
    path: str | Path,
    *,
    model: OmixVAE | None = None,
    color: str | Sequence[str] = (),
    key: str = "omixvae",
    title: str = "",
) -> Page:
    """Write one HTML page that says what was found, how far to trust it, and how to repeat it.

    Parameters
    ----------
    mdata
        After `omixvae.fit`. Not changed, but for the UMAP that `omixvae.pl.latent` keeps in it.
    path
        The file to write; replaced if it is there. It needs no other file, and no network.
    model
        The fitted model: then the page also shows whether limits of predictions hold as many values as they say.
    color
        Further columns of obs, or features, that the map is coloured by. Columns with labels are also compared with the
        clusters. Those of batch and labels that the training knew need not be named.
    key
        The option `key_added` of the training.
    title
        What to call the data.

    Returns
    -------
    Page
        What was written, as plain records.

    Raises
    ------
    InputError
        If the MuData holds no results, the model is not the one that made them, a column is not there, or the file
        cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import omixvae
    >>> from omixvae.report import write_report
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, n_clusters=2, max_epochs=2, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = write_report(mdata, f"{folder}/report.html")
    >>> page.numbers[0]
    ('60', 'observations')
    """
    path = Path(path)
    check_target(path)
    facts = Facts(Results(mdata, key), as_names(color))
    _check(facts, model)
    page = Page(
        title=f"omixvae report: {title}" if title else "omixvae report",
        made=_made(facts),
        numbers=key_numbers(facts),
        found=findings(facts),
        distrust=distrusted(facts),
        sections=[
            of_data(facts),
            of_training(facts),
            of_map(facts),
            of_clusters(facts),
            of_information(facts),
            of_imputation(facts, model),
            of_loadings(facts),
            of_choices(facts),
        ],
    )
    with whole_file(path) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    return page


def _check(facts: Facts, model: OmixVAE | None) -> None:
    """Find everything that is wrong with the input before any work."""
    found = facts.found
    if not any(isinstance(of, Mapping) and {"plan", "config"} <= set(of) for of in found.mdata.uns.values()):
        raise InputError(
            "The data hold no results of omixvae.",
            f"mdata.uns[{found.key!r}]",
            "Run `omixvae train IN.h5mu -o OUT.h5mu` first (omixvae.fit(mdata) in Python), and give what it wrote.",
        )
    _ = found.record, found.latent  # says it when they are under another key
    for name in facts.columns:
        colour_by(found, name)
    if model is not None:
        bounds = found.history["bound"].to_numpy(float), np.array([row.bound for row in model.history])
        if len(bounds[0]) != len(bounds[1]) or not np.allclose(*bounds, equal_nan=True):
            raise InputError(
                "The model is not the one that made these results: it was trained in another way.",
                "the model",
                "Give the folder that `omixvae train --model` wrote in the same run, or leave the model out.",
            )


def _made(facts: Facts) -> str:
    version = facts.found.record.versions.get("omixvae", "")
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return f"Results under the key “{facts.found.key}”, trained with omixvae {version}. Page made on {day}."
