"""Results to report on, with names that would break a page that does not escape them."""

import anndata
import matplotlib as mpl
import mudata
import numpy as np
import pandas as pd
import pytest
from reading import NASTY

import omixvae
from omixvae.model import OmixVAE
from omixvae.report import write_report

mpl.use("Agg")


def nasty_mdata() -> mudata.MuData:
    """Give a modality, a feature, a column and a label such a name; some entries are not measured."""
    made = omixvae.simulate(n_obs=150)
    protein = np.log1p(made["protein"].to_df())
    protein.columns = [NASTY, *protein.columns[1:]]
    protein.iloc[::7, 1] = np.nan
    mdata = mudata.MuData({"rna": made["rna"], NASTY: anndata.AnnData(protein)})
    kinds = pd.Series(np.where(made.obs["cluster"] == made.obs["cluster"].iloc[0], NASTY, "other"), made.obs_names)
    mdata.obs[NASTY] = pd.Categorical(kinds.reindex(mdata.obs_names))
    mdata.obs["batch"] = made.obs["batch"].reindex(mdata.obs_names)
    return mdata


@pytest.fixture(scope="session")
def fitted() -> tuple[mudata.MuData, OmixVAE]:
    """Give results and their model, trained once and never changed."""
    mdata = nasty_mdata()
    options = {"n_latent": 4, "n_private": 1, "n_clusters": 3, "max_epochs": 6, "batch_key": "batch"}
    return mdata, omixvae.fit(mdata, decoder="linear", progress=False, **options)


@pytest.fixture(scope="session")
def page(fitted, tmp_path_factory):
    """Give the page of these results, and its file."""
    mdata, model = fitted
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_report(mdata, path, model=model, color=[NASTY], title=NASTY), path
