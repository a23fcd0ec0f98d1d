"""What released versions wrote is read by this one, and the same seed leads to the same latents."""

import json
from pathlib import Path
from shutil import copytree

import mudata
import numpy as np
import pytest
import torch
from golden.write import LATENTS, ROWS, SMALL, small_data

import omixvae
from omixvae.mudata_io import read_mudata

DEFAULTS_THEN = {"0.1.0": {"weights": {}}}
"""Defaults of a version that are others now."""

VERSIONS = sorted(path.parent for path in Path(__file__).parent.glob("*/model"))


@pytest.fixture(params=VERSIONS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """Give what one version wrote."""
    return request.param


def test_a_model_gives_the_latents_that_it_gave(folder: Path) -> None:
    annotated = read_mudata(folder / "annotated.h5mu")
    model = omixvae.load(folder / "model")
    mean, sd = model.latent(small_data())
    np.testing.assert_allclose(mean, annotated.obsm["X_omixvae"], atol=1e-4)
    np.testing.assert_allclose(sd, annotated.obsm["X_omixvae_sd"], atol=1e-4)


def test_results_are_read(folder: Path) -> None:
    annotated = read_mudata(folder / "annotated.h5mu")
    assert omixvae.imputed(annotated, "protein").shape == (60, 6)
    assert omixvae.imputed(annotated, "protein").index.equals(annotated.obs_names)
    omixvae.pl.history(annotated)
    omixvae.pl.latent(annotated, color="omixvae_cluster")


def test_what_a_later_version_writes_in_another_way_is_refused_by_its_name(folder: Path, tmp_path: Path) -> None:
    annotated = read_mudata(folder / "annotated.h5mu")
    annotated.uns["omixvae"] |= {"format": 99, "versions": {"omixvae": "7.0"}}
    with pytest.raises(
        omixvae.InputError, match=r"^The results are of omixvae 7\.0, which writes them in a newer way\."
    ):
        omixvae.imputed(annotated, "protein")
    copytree(folder / "model", tmp_path / "model")
    told = json.loads((tmp_path / "model" / "history.json").read_text())
    told |= {"format": 99, "versions": {"omixvae": "7.0"}}
    (tmp_path / "model" / "history.json").write_text(json.dumps(told))
    with pytest.raises(omixvae.InputError, match=r"is of omixvae 7\.0, which writes models in a newer way\."):
        omixvae.load(tmp_path / "model")


def test_a_checkpoint_goes_on_to_the_model_that_was_trained_without_a_stop(folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("the checkpoint was left by a training on a CPU")
    copytree(folder / "checkpoint", tmp_path / "checkpoint")
    model = omixvae.OmixVAE(**SMALL, **DEFAULTS_THEN[folder.name]).fit(small_data(), checkpoint=tmp_path / "checkpoint")
    stopless = omixvae.load(folder / "model")
    np.testing.assert_allclose(model.latent(small_data())[0], stopless.latent(small_data())[0], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simulated", "tcga_brca_diablo"])
def test_the_same_seed_leads_to_the_same_latents(folder: Path, name: str, request: pytest.FixtureRequest) -> None:
    then = json.loads((folder / "latents.json").read_text())
    if then["torch"] != torch.__version__:
        pytest.skip(f"recorded with torch {then['torch']}")
    if name == "simulated":
        mdata = omixvae.simulate(n_obs=200, seed=2)
    else:
        mdata = mudata.read_h5mu(request.getfixturevalue("data_folder") / f"{name}.h5mu")
    model = omixvae.OmixVAE(**LATENTS, **DEFAULTS_THEN[folder.name]).fit(mdata)
    np.testing.assert_allclose(model.latent(mdata)[0][:ROWS], then[name], atol=1e-2)
