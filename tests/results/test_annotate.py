"""Results land in what the user holds: a MuData, a view of one, or neither, and then it is said before the training."""

import warnings

import mudata
import numpy as np
import pytest

import omixvae
from omixvae.data import open_mudata
from tests.builders import build_mdata

OPTIONS = {"max_epochs": 1, "progress": False, "impute": "none", "prior": "standard_normal"}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mudata and anndata, on views that become copies
        yield


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "in.h5mu"
    build_mdata(40).write_h5mu(path)
    return path


@pytest.mark.parametrize(
    "select",
    [
        lambda mdata: mdata[:30],
        lambda mdata: mdata[mdata.obs["batch"] == "first"],
        lambda mdata: mdata[mdata.obs_names[[20, 3, 11, 12, 13, 30]]],
        lambda mdata: mudata.MuData({name: adata[:20] for name, adata in mdata.mod.items()}),
        lambda mdata: mudata.MuData({name: adata[:, 1:] for name, adata in mdata.mod.items()}),
    ],
)
def test_a_selection_in_memory_takes_the_results_and_leaves_the_whole_as_it_is(select):
    whole = build_mdata(40)
    chosen = select(whole)
    names = chosen.obs_names.tolist()
    omixvae.fit(chosen, **OPTIONS)
    assert chosen.obs_names.tolist() == names
    assert chosen.obsm["X_omixvae"].shape[0] == len(names)
    assert np.isfinite(chosen["rna"].obsm["X_omixvae_private"]).all()
    assert "X_omixvae" not in whole.obsm
    assert "X_omixvae_private" not in whole["rna"].obsm


def test_a_selection_of_an_open_file_takes_the_results(path):
    chosen = open_mudata(path)[5:30]
    omixvae.fit(chosen, **OPTIONS)
    assert chosen.obsm["X_omixvae"].shape[0] == 25


def test_a_selection_of_a_backed_file_is_refused_before_the_training_and_answers_questions(path, monkeypatch):
    model = omixvae.OmixVAE(**OPTIONS).fit(mudata.read_h5mu(path))
    chosen = mudata.read_h5mu(path, backed="r")[[30, 2, 5]]
    np.testing.assert_allclose(
        model.latent(chosen)[0], model.latent(mudata.read_h5mu(path)[[30, 2, 5]])[0], rtol=1e-5, atol=1e-6
    )
    message = (
        "This MuData is a selection of one whose values lie in a file: no results can be written into it.\n"
        "Where: the data\n"
        "Fix: Write the selection to a file of its own, and go on with that: mdata = mdata.copy('selection.h5mu')."
    )
    monkeypatch.setattr(omixvae.OmixVAE, "fit", lambda *_: pytest.fail("was trained"))
    for write in (model.annotate, omixvae.fit):
        with pytest.raises(omixvae.InputError) as caught:
            write(chosen)
        assert str(caught.value) == message
    own = chosen.copy(path.with_name("selection.h5mu"))
    model.annotate(own)
    assert own.obsm["X_omixvae"].shape[0] == 3


def test_a_modality_that_is_a_selection_of_a_backed_file(path):
    backed = mudata.read_h5mu(path, backed="r")
    mdata = mudata.MuData({name: adata[:20] for name, adata in backed.mod.items()})
    refused = [name for name, adata in mdata.mod.items() if adata.isbacked]
    if not refused:
        pytest.skip("this mudata reads the selection into memory")
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.fit(mdata, **OPTIONS)
    first = caught.value.parts[0]
    assert first.problem == (
        "Modality 'rna' is a selection of one whose values lie in a file: no results can be written into it."
    )
    assert first.fix == ("Read the selection into memory before the MuData is built: {'rna': adata[rows].to_memory()}.")
    mended = mudata.MuData({name: adata[:20].to_memory() for name, adata in backed.mod.items()})
    omixvae.fit(mended, **OPTIONS)
    assert "X_omixvae" in mended.obsm
