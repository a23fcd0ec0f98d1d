"""Write what this version makes, for later versions to read: ``python tests/golden/write.py [FOLDER OF DATA SETS]``.

Run it once for a release, and never again for a version that is there: the tests read every folder beside this file.
"""

import json
import os
import signal
import sys
from pathlib import Path

import mudata
import torch

import omixvae
from omixvae.mudata_io import write_mudata

HERE = Path(__file__).parent
SMALL = {"max_epochs": 12, "n_latent": 4, "hidden_size": 16, "batch_key": "batch", "impute": "all", "progress": False}
LATENTS = {"max_epochs": 20, "seed": 1, "progress": False}
ROWS = 20


def small_data() -> mudata.MuData:
    """Give the data that the model and the checkpoint were trained on."""
    return omixvae.simulate(n_obs=60, n_genes=30, n_proteins=6, n_clusters=3, seed=3)


def first_latents(mdata: mudata.MuData) -> list[list[float]]:
    """Train some epochs with all defaults, and give the latents of the first observations."""
    model = omixvae.OmixVAE(**LATENTS).fit(mdata)
    return [[round(float(x), 5) for x in row] for row in model.latent(mdata)[0][:ROWS]]


def write(folder: Path, data_sets: Path | None) -> None:
    """Write a model, a checkpoint, an annotated file and some latents."""
    folder.mkdir()
    mdata = small_data()
    model = omixvae.fit(mdata, **SMALL)
    model.save(folder / "model")
    write_mudata(mdata, folder / "annotated.h5mu")
    model = omixvae.OmixVAE(**SMALL)
    signal.setitimer(signal.ITIMER_REAL, 0.2)  # in the midst of the training
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        model.fit(small_data(), checkpoint=folder / "checkpoint")
    except KeyboardInterrupt as stopped:
        print(stopped)
    latents = {"torch": torch.__version__, "simulated": first_latents(omixvae.simulate(n_obs=200, seed=2))}
    if data_sets is not None:
        latents["tcga_brca_diablo"] = first_latents(mudata.read_h5mu(data_sets / "tcga_brca_diablo.h5mu"))
    (folder / "latents.json").write_text(json.dumps(latents))


if __name__ == "__main__":
    write(HERE / omixvae.__version__, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
