"""Cohorts with results, trained once and never changed: who changes one copies it."""

import matplotlib as mpl
import mudata
import numpy as np
import pytest

import omixvae
from omixvae.model import OmixVAE

mpl.use("Agg")


def _fit(key: str = "omixvae", **options: object) -> tuple[mudata.MuData, OmixVAE]:
    mdata = omixvae.simulate(n_obs=150)
    mdata.obs["label"] = mdata.obs["cluster"].astype(object).where(np.arange(150) % 5 > 0)
    defaults = {"n_latent": 4, "n_private": 1, "max_epochs": 6, "progress": False, "key_added": key}
    model = omixvae.fit(mdata, **{**defaults, **options})
    return mdata, model


@pytest.fixture(scope="session")
def fitted() -> tuple[mudata.MuData, OmixVAE]:
    """Give a MuData with clusters, loadings and imputed values, and its model."""
    return _fit(n_clusters=3, decoder="linear")


@pytest.fixture
def mdata(fitted) -> mudata.MuData:
    """Give a copy of the results."""
    return fitted[0].copy()


@pytest.fixture(scope="session")
def without_clusters() -> mudata.MuData:
    """Give results under another key, of a prior without clusters and a decoder without loadings."""
    return _fit("other", prior="standard_normal", decoder="mlp", impute="none")[0]
