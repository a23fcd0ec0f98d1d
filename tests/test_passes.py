"""How often are the data looked at? Once, wherever that is enough."""

from itertools import chain

import pytest

import omixvae
from omixvae.data import open_mudata
from omixvae.vae import MultimodalVAE

OPTIONS = {"max_epochs": 2, "n_latent": 3, "impute": "all", "progress": False}


@pytest.fixture
def mdata():
    return omixvae.simulate(n_obs=60, n_genes=30, n_proteins=6)


def test_all_results_come_from_one_pass_of_the_encoders(mdata, monkeypatch):
    model = omixvae.OmixVAE(**OPTIONS).fit(mdata)
    seen = []

    def features(network, batch, encode=MultimodalVAE.features):
        seen.append(batch.index.tolist())
        return encode(network, batch)

    monkeypatch.setattr(MultimodalVAE, "features", features)
    model.annotate(mdata)
    assert {"X_omixvae", "omixvae_cluster_probs", "omixvae_imputed_rna", "omixvae_imputed_protein"} <= set(mdata.obsm)
    assert list(chain.from_iterable(seen)) == list(range(60))


@pytest.mark.parametrize("from_disk", [False, True])
def test_a_fit_surveys_the_values_of_each_modality_once(mdata, monkeypatch, tmp_path, from_disk):
    if from_disk:
        omixvae.mudata_io.write_mudata(mdata, tmp_path / "in.h5mu")
        mdata = open_mudata(tmp_path / "in.h5mu")
    surveys = []
    for module in (omixvae.data.tables, omixvae.data.stored):

        def counted(blocks, n_features, survey=module.survey):
            surveys.append(n_features)
            return survey(blocks, n_features)

        monkeypatch.setattr(module, "survey", counted)
    omixvae.fit(mdata, **OPTIONS)
    assert sorted(surveys) == [6, 30]


def test_what_was_read_once_serves_training_results_and_questions(mdata):
    model, other = omixvae.OmixVAE(**OPTIONS), omixvae.OmixVAE(**OPTIONS)
    data = model.read(mdata)
    model.fit(data).annotate(mdata, data=data)
    by_itself = mdata.copy()
    other.fit(by_itself).annotate(by_itself)
    assert (mdata.obsm["X_omixvae"] == by_itself.obsm["X_omixvae"]).all()
    assert (mdata.obsm["omixvae_imputed_protein"] == by_itself.obsm["omixvae_imputed_protein"]).all()


def test_data_of_other_observations_are_refused(mdata):
    model = omixvae.OmixVAE(**OPTIONS).fit(mdata)
    with pytest.raises(omixvae.InputError, match=r"^These data were read from another MuData\."):
        model.annotate(mdata, data=model.read(mdata[::-1].copy()))
