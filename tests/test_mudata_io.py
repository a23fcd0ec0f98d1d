"""Files as anndata 0.13 with pandas 3 writes them: every text is a nullable string, and some of them are missing."""

import warnings
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.data import open_mudata
from tests.builders import build_mdata

FEW = ("--max-epochs", "1", "--quiet")


def as_new(table: pd.DataFrame) -> pd.DataFrame:
    """Make names and columns of text nullable strings, as pandas 3 reads them."""
    made = table.copy()
    made.index = pd.Index(made.index.astype(str), dtype="string")
    return made


def new_data(n_obs: int = 40) -> mudata.MuData:
    mdata = build_mdata(n_obs)
    for name, adata in mdata.mod.items():
        adata.obs, adata.var = as_new(adata.obs), as_new(adata.var)
        adata.var["symbol"] = pd.array([f"{name} {i}" if i else None for i in range(adata.n_vars)], dtype="string")
    mdata = mudata.MuData(dict(mdata.mod))
    n = mdata.n_obs
    mdata.obs = as_new(mdata.obs)
    mdata.obs["donor"] = pd.Categorical(pd.array(np.array(["Anna", "Béla"])[np.arange(n) % 2], dtype="string"))
    mdata.obs["note"] = pd.array([None if i % 3 else "seen" for i in range(n)], dtype="string")
    mdata.obs["site"] = pd.array([f"s{i % 2}" for i in range(n)], dtype="string")
    mdata.obs["type"] = pd.Categorical(pd.array([None if i % 4 else f"t{i % 8}" for i in range(n)], dtype="string"))
    return mdata


@pytest.fixture(autouse=True)
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(), anndata.settings.override(allow_write_nullable_strings=True):
        warnings.simplefilter("ignore")  # of anndata and zarr on their own formats
        mdata = new_data()
        mdata.write_h5mu("in.h5mu")
        mdata.write_zarr("in.zarr")
        yield mdata


def run(line: str) -> None:
    done = CliRunner().invoke(main, line.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output


def read(path: str) -> mudata.MuData:
    return mudata.read_zarr(path) if path.endswith(".zarr") else mudata.read_h5mu(path)


def assert_as_written(found: mudata.MuData, mdata: mudata.MuData) -> None:
    assert found.obs_names.tolist() == mdata.obs_names.tolist()
    for column in ("donor", "note", "site", "type"):
        assert found.obs[column].isna().tolist() == mdata.obs[column].isna().tolist()
        assert found.obs[column].dropna().tolist() == mdata.obs[column].dropna().tolist()
    for name, adata in mdata.mod.items():
        assert found[name].var_names.tolist() == adata.var_names.tolist()
        assert found[name].var["symbol"].isna().sum() == 1


def test_the_file_holds_nullable_strings():
    with h5py.File("in.h5mu") as file:
        kinds = [file[name].attrs["encoding-type"] for name in ("obs/_index", "mod/rna/var/_index")]
    assert kinds == ["nullable-string-array"] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("source", "more"), [("in.h5mu", ""), ("in.h5mu", "--from-disk"), ("in.zarr", "")])
def test_every_command_takes_them_and_writes_them_again(written, source, more):
    ending = Path(source).suffix
    options = "--batch-key site --covariate-keys donor --labels-key type"
    run(f"inspect {source} {more} {options} --json")
    run(f"train {source} -o out{ending} --model model {options} {more} {' '.join(FEW)}")
    assert_as_written(read(f"out{ending}"), written)
    run(f"annotate {source} --model model -o again{ending} --quiet {more}")
    assert_as_written(read(f"again{ending}"), written)
    run(f"impute {source} --model model --modality protein -o protein.h5mu --quiet {more}")
    assert read("protein.h5mu")["protein"].var_names.tolist() == written["protein"].var_names.tolist()
    run("evaluate in.h5mu --model model --n-samples 2")
    if ending == ".h5mu":
        run("report out.h5mu -o report.html --quiet")
    assert np.isfinite(read(f"out{ending}").obsm["X_omixvae"]).all()


def test_they_are_read_alike_from_disk_and_from_memory(written):
    model = omixvae.OmixVAE(max_epochs=1, progress=False, batch_key="site").fit(written)
    for opened in (read("in.h5mu"), open_mudata("in.h5mu"), open_mudata("in.zarr")):
        np.testing.assert_allclose(model.latent(opened)[0], model.latent(written)[0], rtol=1e-5, atol=1e-6)
