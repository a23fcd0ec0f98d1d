"""MIDAS (He et al. 2024) with the default options of scmidas; runs in an environment of its own."""

import tempfile
from collections.abc import Sequence

import lightning
import mudata
import numpy as np
import pandas as pd
import scmidas

from benchmarks.peers.outcome import Outcome
from benchmarks.peers.sets import on_scale, values_of

__all__ = ["run"]

NAMES = {"rna": "rna", "protein": "adt", "atac": "atac"}
"""Its own words for the modalities, by which it finds their likelihoods."""


def run(
    mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str], epochs: int | None = None
) -> Outcome:
    """Train on what is seen; what lacks a modality is a batch of its own, as all cells of a batch have the same ones.

    Peaks go in by chromosome, as the authors advise. `epochs` cuts training short, for tests; when not given it is the
    trainer's default, 1000, the lower end of what the authors call typical.
    """
    lightning.seed_everything(seed, verbose=False)
    groups = mdata.obs[batch].astype(str).copy() if batch is not None else pd.Series("", mdata.obs_names)
    for name in mdata.mod:
        groups[mdata[name].obs_names] += f" {name}"
    tables, order, sizes = {}, {}, {}
    for name in mdata.mod:
        peaks = mdata[name].var_names
        chromosomes = peaks.str.split(":").str[0] if name == "atac" else np.zeros(len(peaks))
        _, which, counts = np.unique(chromosomes, return_inverse=True, return_counts=True)
        order[name] = np.argsort(which, kind="stable")
        table = mdata[name][:, order[name]].copy()
        table.obs = groups[table.obs_names].to_frame("batch")
        tables[NAMES[name]], sizes[NAMES[name]] = table, counts.tolist()
    cells = mudata.MuData(tables)

    scmidas.MIDAS.setup_mudata(cells, dims_x=sizes)
    # its twenty processes that read the data would not change what is learned
    workers = {"num_workers": 0, "persistent_workers": False}
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with tempfile.TemporaryDirectory() as folder:
        model = scmidas.MIDAS(cells, configs=scmidas.load_config() | workers, save_model_path=folder)
        model.train(max_epochs=epochs, default_root_dir=folder, **quiet)
    rows = cells.obs_names.get_indexer(mdata.obs_names)
    values = {}
    for name in wanted:
        predicted = model.get_imputed_values(modality=NAMES[name])[rows]
        values[name] = on_scale(predicted[:, np.argsort(order[name])], values_of(mdata, name))
    return Outcome(values, latent=model.get_latent_representation()[rows])
