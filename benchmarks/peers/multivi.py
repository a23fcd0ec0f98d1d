"""MultiVI (Ashuach et al. 2023) with the default options of scvi-tools; runs in an environment of its own."""

from collections.abc import Sequence

import mudata
import numpy as np
import scvi

from benchmarks.peers.outcome import Outcome
from benchmarks.peers.sets import on_scale, padded, values_of

__all__ = ["run"]


def run(
    mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str], epochs: int | None = None
) -> Outcome:
    """Train on what is seen; MultiVI takes a cell whose counts are all zero for one that lacks the modality.

    RNA is predicted as its fraction times the median total, as nothing tells the depth of a cell without RNA; ATAC as
    the probability that a region is open, with the region's own factor. `epochs` cuts training short, for tests.
    """
    scvi.settings.seed = seed
    cells = padded(mdata)
    scvi.model.MULTIVI.setup_mudata(cells, batch_key=batch, modalities={"rna_layer": "rna", "atac_layer": "atac"})
    model = scvi.model.MULTIVI(cells)
    model.train(**({} if epochs is None else {"max_epochs": epochs}), enable_progress_bar=False)
    values = {}
    if "rna" in wanted:
        like = values_of(mdata, "rna")
        total = np.median(np.nansum(like, axis=1)[~np.isnan(like).all(axis=1)])
        values["rna"] = on_scale(model.get_normalized_expression(return_numpy=True) * total, like)
    if "atac" in wanted:
        values["atac"] = model.get_normalized_accessibility(normalize_regions=True, return_numpy=True)
    return Outcome(values, latent=model.get_latent_representation())
