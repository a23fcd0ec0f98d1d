"""totalVI (Gayoso et al. 2021) with the default options of scvi-tools; runs in an environment of its own."""

from collections.abc import Sequence

import mudata
import numpy as np
import scvi

from benchmarks.peers.outcome import Outcome
from benchmarks.peers.sets import on_scale, padded, values_of

__all__ = ["new_model", "run"]

DRAWS = 25
PANEL = "panel"


def new_model(mdata: mudata.MuData, seed: int, batch: str | None) -> tuple[scvi.model.TOTALVI, np.ndarray]:
    """Make an untrained model of what is seen, and say which cells have proteins.

    totalVI takes a protein for missing where a whole panel has zeros, so cells without protein are a panel of their
    own, whatever their batch. Every cell needs RNA.
    """
    scvi.settings.seed = seed
    measured = mdata.obs_names.isin(mdata["protein"].obs_names)
    cells = padded(mdata)
    cells.obs[PANEL] = np.where(measured, "with protein", "without protein")
    if batch is not None:
        # a number would be taken for the position of a batch
        cells.obs[batch] = cells.obs[batch].astype(str)
    scvi.model.TOTALVI.setup_mudata(
        cells, batch_key=batch, panel_key=PANEL, modalities={"rna_layer": "rna", "protein_layer": "protein"}
    )
    return scvi.model.TOTALVI(cells), measured


def run(
    mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str], epochs: int | None = None
) -> Outcome:
    """Train on what is seen, and predict proteins as if from the batches that measured them.

    `epochs` cuts training short, for tests.
    """
    model, measured = new_model(mdata, seed, batch)
    model.train(max_epochs=epochs, enable_progress_bar=False)
    values = {}
    if "protein" in wanted:
        batches = None if batch is None else sorted(mdata.obs[batch].astype(str)[measured].unique())
        _, draws = model.get_normalized_expression(
            transform_batch=batches,
            n_samples=DRAWS,
            include_protein_background=True,
            return_mean=False,
            gene_list=[mdata["rna"].var_names[0]],
        )
        values["protein"] = on_scale(draws, values_of(mdata, "protein")).mean(axis=-1)
    return Outcome(values, latent=model.get_latent_representation())
