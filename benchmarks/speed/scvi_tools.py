"""totalVI and MultiVI, of given widths; run in an environment of their own."""

import time
from typing import Any

import lightning.pytorch as pl
import mudata
import scvi

__all__ = ["multivi", "totalvi"]


class _Clock(pl.Callback):
    """Times the batches of each epoch, without what lies between epochs."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.began, self.cells = time.perf_counter(), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: dict[str, Any], step: int
    ) -> None:
        self.cells += len(next(iter(batch.values())))
        self.ended = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.rates.append(self.cells / (self.ended - self.began))


def totalvi(mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int) -> list[float]:
    """Train totalVI, and give the cells per second of each epoch."""
    scvi.model.TOTALVI.setup_mudata(mdata, modalities={"rna_layer": "rna", "protein_layer": "protein"})
    return _train(scvi.model.TOTALVI(mdata, n_latent=n_latent, n_hidden=hidden_size), epochs)


def multivi(mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int) -> list[float]:
    """Train MultiVI, and give the cells per second of each epoch."""
    scvi.model.MULTIVI.setup_mudata(mdata, modalities={"rna_layer": "rna", "atac_layer": "atac"})
    return _train(scvi.model.MULTIVI(mdata, n_latent=n_latent, n_hidden=hidden_size), epochs)


def _train(model: Any, epochs: int) -> list[float]:
    clock = _Clock()
    model.train(max_epochs=epochs, early_stopping=False, callbacks=[clock], enable_progress_bar=False)
    return clock.rates
