"""omixvae, of given widths, in float32 and in mixed precision."""

from itertools import pairwise

import mudata

import omixvae

__all__ = ["mixed", "run"]


def mixed(mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int) -> list[float]:
    """Train with products of matrices in bfloat16, and give the cells per second of each epoch."""
    return run(mdata, epochs, hidden_size, n_latent, precision="mixed")


def run(mdata: mudata.MuData, epochs: int, hidden_size: int, n_latent: int, precision: str = "float32") -> list[float]:
    """Train, and give the cells per second of each epoch."""
    model = omixvae.OmixVAE(
        hidden_size=hidden_size,
        n_latent=n_latent,
        max_epochs=epochs,
        early_stopping=False,
        precision=precision,
        progress=False,
    ).fit(mdata)
    ends = [0.0, *(row.seconds for row in model.history)]
    return [mdata.n_obs / (end - start) for start, end in pairwise(ends)]
