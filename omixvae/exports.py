"""Results as tables that every program reads: one CSV file for each, in a folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import mudata
import numpy as np
import pandas as pd

from omixvae.files import whole_folder, writing
from omixvae.results.read import Results

__all__ = ["export"]

README = "README.txt"


@dataclass(frozen=True)
class Sheet:
    """One table, made when it is written: those of imputed values may be large."""

    file: str
    text: str
    rows: str
    table: Callable[[], pd.DataFrame]


def export(mdata: mudata.MuData, folder: str | Path, *, key: str = "omixvae") -> Path:
    """Write results as CSV files, for R, Excel and whatever else reads tables.

    Parameters
    ----------
    mdata
        After `omixvae.fit`, `model.annotate` or `omixvae train`.
    folder
        Folder to make. An earlier export of the same tables is replaced, anything else is not.
    key
        The option `key_added` of the training.

    Returns
    -------
    pathlib.Path
        `folder`, which holds ``latents.csv`` and ``latents_sd.csv``, ``clusters.csv`` (the cluster, its entropy, the
        probability of each), ``information.csv``, ``history.csv``, and for each modality what there is of
        ``MOD_imputed.csv`` and ``MOD_imputed_sd.csv`` (all values: the measured ones, whose deviation is 0, and the
        predicted ones), ``MOD_skill.csv``, ``MOD_loadings.csv`` and ``MOD_private.csv``. ``README.txt`` explains them.
        The first column holds the names of the observations or features.

    Raises
    ------
    InputError
        If there are no results, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, max_epochs=2, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tables = omixvae.export(mdata, f"{folder}/tables")
    ...     clusters = pd.read_csv(tables / "clusters.csv", index_col=0)
    >>> list(clusters.columns[:3])
    ['cluster', 'entropy', 'probability 0']
    """
    found, folder = Results(mdata, key), Path(folder)
    sheets = list(_sheets(found))
    with (
        writing(folder),
        whole_folder(folder, [README, *(sheet.file for sheet in sheets)], "folder of results") as whole,
    ):
        for sheet in sheets:
            sheet.table().to_csv(whole / sheet.file, mode="x", index_label=sheet.rows)
        (whole / README).write_text(_explain(found, sheets), encoding="utf-8")
    return folder


def _explain(found: Results, sheets: list[Sheet]) -> str:
    version = found.record.versions["omixvae"]
    width = max(len(sheet.file) for sheet in sheets)
    lines = [f"{sheet.file:{width}}  {sheet.text}" for sheet in sheets]
    return "\n".join(
        [
            f"Results of omixvae {version}: {found.mdata.n_obs:,} observations of {', '.join(found.modalities)}.",
            "Values are separated by commas, the first column holds names, numbers have a decimal point.",
            "R: read.csv(FILE, row.names = 1, check.names = FALSE).",
            "Excel: Data, From Text/CSV, with names as text, or it takes some names of genes for dates.",
            "",
            *lines,
            "",
        ]
    )


def _sheets(found: Results) -> Iterator[Sheet]:
    mdata, keys = found.mdata, found.keys
    _ = found.latent  # says it when there are no results
    latents = {
        "latents": (keys.latent, "where each observation lies in the latent space that all modalities share"),
        "latents_sd": (keys.latent_sd, "how unsure that is: posterior standard deviation"),
    }
    for name, (entry, text) in latents.items():
        if entry in mdata.obsm:
            table = partial(_numbered, mdata.obsm[entry], mdata.obs_names, "shared")
            yield Sheet(f"{name}.csv", text, "observation", table)
    if found.cluster_column is not None:
        text = "most probable cluster, its entropy in nats (0 is certain), and the probability of each cluster"
        yield Sheet("clusters.csv", text, "observation", lambda: _clusters(found))
    text = "what each set of modalities tells about the latents, and what others would add, in nats per observation"
    yield Sheet("information.csv", text, "given", lambda: found.information)
    text = "the training, one row per epoch, in nats per observation"
    yield Sheet("history.csv", text, "epoch", lambda: found.history)
    for mod in found.imputed_modalities:
        yield from _imputed(found, mod)
    for mod in found.modalities:
        yield from _of_modality(found, mod)


def _imputed(found: Results, mod: str) -> Iterator[Sheet]:
    # A name may hold what no file's name can, such as a slash.
    file = f"{quote(mod, safe=' ')}_imputed"
    text = f"values of {mod}, measured or else predicted, in the units of the data"
    yield Sheet(f"{file}.csv", text, "observation", lambda: found.imputed(mod))
    text = f"how unsure the values of {mod} are: predictive standard deviation, 0 where a value was measured"
    yield Sheet(f"{file}_sd.csv", text, "observation", lambda: found.imputed(mod, sd=True))


def _of_modality(found: Results, mod: str) -> Iterator[Sheet]:
    adata, keys, file = found.mdata.mod[mod], found.keys, quote(mod, safe=" ")
    if keys.imputable in adata.var:
        text = (
            f"how well features of {mod} are predicted from the others: R2 in held-out observations, and whether at all"
        )
        yield Sheet(f"{file}_skill.csv", text, "feature", lambda: _skill(found, mod))
    if keys.loadings in adata.varm:
        text = f"weight of each latent dimension on each feature of {mod}"
        yield Sheet(f"{file}_loadings.csv", text, "feature", lambda: found.loadings(mod))
    if keys.private in adata.obsm:
        text = f"latent of {mod} alone, of the observations that have it"
        table = partial(_numbered, adata.obsm[keys.private], adata.obs_names, "private")
        yield Sheet(f"{file}_private.csv", text, "observation", table)


def _numbered(values: np.ndarray, names: pd.Index, column: str) -> pd.DataFrame:
    """Name columns by a word and their number."""
    return pd.DataFrame(np.asarray(values), names, [f"{column} {i}" for i in range(values.shape[1])])


def _clusters(found: Results) -> pd.DataFrame:
    table = _numbered(found.cluster_probabilities, found.mdata.obs_names, "probability")
    table.insert(0, "cluster", found.clusters.to_numpy())
    table.insert(1, "entropy", found.mdata.obs[found.keys.cluster_entropy].to_numpy())
    return table


def _skill(found: Results, mod: str) -> pd.DataFrame:
    skill = found.skill(mod)
    # As R and Excel write it.
    return skill.assign(imputable=skill["imputable"].map({True: "TRUE", False: "FALSE"}))
