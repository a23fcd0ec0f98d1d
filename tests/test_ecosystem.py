"""What other packages do with our results, and what mudata's settings do to ours: nothing."""

import warnings

import mudata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from click.testing import CliRunner
from matplotlib.figure import Figure

import omixvae
from omixvae.cli import main

NEW_MUDATA = hasattr(mudata, "settings")  # 0.4, which has a switch in the place of an option with three states
PULLS = (True, False) if NEW_MUDATA else (None, False)


def pulling(pull):
    """Set what mudata does with columns of modalities, as a user of any of its versions does."""
    return (mudata.settings.override if NEW_MUDATA else mudata.set_options)(pull_on_update=pull)


@pytest.fixture(scope="module")
def fitted():
    mdata = omixvae.simulate(n_obs=80)
    omixvae.fit(mdata, max_epochs=2, progress=False)
    return mdata


def test_scanpy_takes_the_mudata_itself(fitted):
    sc.pp.neighbors(fitted, use_rep="X_omixvae")
    sc.tl.leiden(fitted, flavor="igraph", n_iterations=2, directed=False)
    sc.tl.umap(fitted)
    assert fitted.obsm["X_umap"].shape == (80, 2)
    assert fitted.obs["leiden"].notna().all()
    sc.pp.neighbors(fitted["rna"], use_rep="X_omixvae_private")
    assert "connectivities" in fitted["rna"].obsp


@pytest.mark.slow
def test_muon_draws_the_umap(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # muon's own
        muon = pytest.importorskip("muon")
        sc.pp.neighbors(fitted, use_rep="X_omixvae")
        sc.tl.umap(fitted)
        drawn = muon.pl.umap(fitted, color="omixvae_cluster", show=False)
        omixvae.pl.latent(fitted)  # keeps its UMAP under a name that muon and scanpy know how to find
        kept = muon.pl.embedding(fitted, basis="omixvae_umap", color="omixvae_cluster", show=False)
    assert len(drawn.collections[0].get_offsets()) == fitted.n_obs
    assert len(kept.collections[0].get_offsets()) == fitted.n_obs


@pytest.mark.slow
@pytest.mark.parametrize("pull", PULLS)
def test_no_word_of_mudatas_plans(pull, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pulling(pull), warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        mdata = omixvae.simulate(n_obs=150)
        model = omixvae.fit(mdata, max_epochs=2, progress=False)
        model.annotate(mdata)
        model.impute(mdata, "protein")
        omixvae.pl.imputation(mdata, "protein", model=model, ax=Figure().subplots(1, 2))
        for line in (
            "simulate -o in.h5mu --n-obs 30",
            "inspect in.h5mu",
            "train in.h5mu -o out.h5mu --model model --max-epochs 2",
            "train in.h5mu -o disk.h5mu --from-disk --max-epochs 2",
            "annotate in.h5mu -o again.h5mu --model model",
            "impute in.h5mu --model model --modality protein -o protein.h5mu",
        ):
            done = CliRunner().invoke(main, line.split(), catch_exceptions=False)
            assert done.exit_code == 0, done.output


def test_results_do_not_depend_on_mudatas_settings():
    latents = []
    for pull in PULLS:
        with pulling(pull):
            mdata = omixvae.simulate(n_obs=30)
            omixvae.fit(mdata, max_epochs=2, progress=False, batch_key="batch")
            latents.append(mdata.obsm["X_omixvae"])
    np.testing.assert_array_equal(*latents)


def test_the_accessor_gives_what_fit_has_written(fitted):
    import omixvae.accessor  # registers it

    np.testing.assert_array_equal(fitted.omixvae.latent, fitted.obsm["X_omixvae"])
    assert list(fitted.omixvae.clusters) == list(fitted.obs["omixvae_cluster"])
    pd.testing.assert_frame_equal(fitted.omixvae.imputed("protein"), omixvae.imputed(fitted, "protein"))
    np.testing.assert_array_equal(fitted.omixvae.imputed("protein", sd=True), fitted.obsm["omixvae_imputed_protein_sd"])
    np.testing.assert_array_equal(fitted.omixvae.loadings("rna"), fitted["rna"].varm["omixvae_loadings"])
    np.testing.assert_array_equal(fitted.omixvae.history["bound"], fitted.uns["omixvae"]["history"]["bound"])
    assert fitted.omixvae.presence.sum().to_dict() == {name: fitted[name].n_obs for name in ("rna", "protein")}
    with pytest.raises(omixvae.InputError) as caught:
        fitted.omixvae.imputed("rna")
    assert str(caught.value) == (
        "Modality 'rna' was not imputed.\n"
        "Where: mdata.obsm['omixvae_imputed_rna']\n"
        "Fix: Ask the model: model.impute(mdata, 'rna'). Or train with impute='all'."
    )
