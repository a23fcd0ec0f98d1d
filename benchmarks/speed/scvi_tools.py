"""What is timed of totalVI and MultiVI; runs in an environment of their own."""

import time
from typing import Any

import lightning.pytorch as pl
import mudata
import scvi
from scvi.model._utils import get_max_epochs_heuristic

from benchmarks.peers.totalvi import new_model

__all__ = ["multivi", "totalvi", "totalvi_with_defaults"]


class _Clock(pl.Callback):
    """Times the batches of each epoch, without what lies between epochs, and the whole."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.ends: list[float] = []

    def on_train_start(self, *_: Any) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_start(self, *_: Any) -> None:
        self.began, self.cells = time.perf_counter(), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: dict[str, Any], step: int
    ) -> None:
        self.cells += len(next(iter(batch.values())))
        self.ended = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.rates.append(self.cells / (self.ended - self.began))
        self.ends.append(time.perf_counter() - self.started)


def totalvi(
    mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int, batch_size: int | None = None
) -> dict[str, list[float]]:
    """Train totalVI, and give the cells per second of each epoch."""
    scvi.model.TOTALVI.setup_mudata(mdata, modalities={"rna_layer": "rna", "protein_layer": "protein"})
    return _train(scvi.model.TOTALVI(mdata, n_latent=n_latent, n_hidden=hidden_size), epochs, batch_size)


def multivi(
    mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int, batch_size: int | None = None
) -> dict[str, list[float]]:
    """Train MultiVI, and give the cells per second of each epoch."""
    scvi.model.MULTIVI.setup_mudata(mdata, modalities={"rna_layer": "rna", "atac_layer": "atac"})
    return _train(scvi.model.MULTIVI(mdata, n_latent=n_latent, n_hidden=hidden_size), epochs, batch_size)


def _train(model: Any, epochs: int, batch_size: int | None) -> dict[str, list[float]]:
    clock = _Clock()
    given = {} if batch_size is None else {"batch_size": batch_size}
    model.train(max_epochs=epochs, early_stopping=False, callbacks=[clock], enable_progress_bar=False, **given)
    return {"rates": clock.rates}


def totalvi_with_defaults(mdata: mudata.MuData, batch: str, epochs: int | None) -> dict[str, Any]:
    """Train totalVI as it comes, for some epochs or until it stops.

    Gives the seconds from the start of training to the end of each epoch, validation included, and the most epochs
    that it makes by default for so many cells.
    """
    model, _ = new_model(mdata, 0, batch)
    clock = _Clock()
    model.train(max_epochs=epochs, callbacks=[clock], enable_progress_bar=False)
    return {"ends": clock.ends, "most": get_max_epochs_heuristic(mdata.n_obs)}
