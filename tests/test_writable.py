"""What a file cannot hold is found before the work, at its place, with how to fix it; all else passes."""

import shutil

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.mudata_io import read_mudata, write_mudata
from omixvae.writable import check_room, check_writable
from tests.builders import build_mdata

NAME = "Give it another name, one without '/' and other than '.', '' and '_index', and write the input again."


@pytest.fixture
def mdata():
    return build_mdata(20)


def problem(mdata, *, as_zarr=False, key="omixvae"):
    with pytest.raises(omixvae.InputError) as caught:
        check_writable(mdata, key, as_zarr=as_zarr)
    return caught.value


VALUES = {
    "mixed": (np.resize(np.array([1, "a", None], object), 20), ", of the types None, int, str", "astype(str)"),
    "dates": ([pd.Timestamp("2020-01-01")] * 20, "", "astype(str)"),
    "periods": ([pd.Period("2020-01")] * 20, "", "astype(str)"),
    "lists": ([["CD4", "CD8"]] * 20, ", of the type list", "astype(str)"),
    "tuples": ([(1, 2)] * 20, ", of the type tuple", "astype(str)"),
    "categories": (pd.Categorical(np.resize(np.array([1, "a"], object), 20)), ", of the types int, str", "astype(str)"),
    "NUL": (pd.Categorical(["a\0b"] * 20), None, "str.replace('\\0', '')"),
}


@pytest.mark.parametrize(("values", "are", "how"), VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("part", ["mdata", "mdata['protein']"])
def test_a_column_of_values_that_cannot_be_written_is_named_with_a_way_to_mend_it(part, values, are, how, mdata):
    frame = eval(part).obs
    frame["when"] = pd.Series(values[: len(frame)], frame.index)
    error, where = problem(mdata), f"{part}.obs['when']"
    assert error.where == where
    assert are is None or error.problem.startswith(f"A file cannot hold the values of {where}{are} (")
    text = "plain text" if "replace" in how else "text"
    assert (
        error.fix
        == f"Make {text} of them, {where} = {where}.{how}, or take it out, del {where}, and write the input again."
    )
    exec(f"{where} = {where}.{how}")
    check_writable(mdata)


def dot(mdata):
    mdata.obs["."] = 1.0
    return "A column of mdata.obs cannot be named '.' in a file ("


def reserved(mdata):
    mdata["rna"].var["_index"] = 1.0
    return "A column of mdata['rna'].var cannot be named '_index' in a file ("


def number(mdata):
    mdata.obs[3] = 1.0
    return "A column of mdata.obs cannot be named 3 in a file ("


def index_like_a_column(mdata):
    mdata.obs.index.name = "age"
    return "A column of mdata.obs cannot be named 'age' in a file ("


def index_with_nul(mdata):
    mdata.obs.index.name = "a\0b"
    return "The index of mdata.obs cannot be named 'a\\x00b' in a file ("


def key_of_uns(mdata):
    mdata["rna"].uns["colors"] = {1: "red"}
    return "An entry of mdata['rna'].uns['colors'] cannot be named 1 in a file ("


def name_of_coordinates(mdata):
    mdata["rna"].obsm["X/pca"] = np.zeros((mdata["rna"].n_obs, 2))
    return "An entry of mdata['rna'].obsm cannot be named 'X/pca' in a file ("


def name_of_a_layer(mdata):
    mdata["rna"].layers["."] = mdata["rna"].X
    return "An entry of mdata['rna'].layers cannot be named '.' in a file ("


@pytest.mark.parametrize(
    "change",
    [dot, reserved, number, index_like_a_column, index_with_nul, key_of_uns, name_of_coordinates, name_of_a_layer],
)
def test_a_name_that_cannot_be_written_is_told_with_its_place(change, mdata):
    begins = change(mdata)
    error = problem(mdata)
    assert error.problem.startswith(begins)
    assert error.fix == NAME


def test_names_differ_between_h5mu_and_zarr(mdata):
    mdata.obs["CD4/CD8"] = 1.0
    error = problem(mdata, as_zarr=True)
    assert error.problem.startswith("A column of mdata.obs cannot be named 'CD4/CD8' in a file (")
    del mdata.obs["CD4/CD8"]
    mdata.obs["text"] = "a\0b"
    check_writable(mdata, as_zarr=True)
    assert problem(mdata).where == "mdata.obs['text']"


def test_all_that_cannot_be_written_is_told_at_once(mdata):
    mdata.uns["model"] = {"seed": 1, "net": object()}
    mdata["rna"].var["fit"] = [lambda: 0] * mdata["rna"].n_vars
    mdata["protein"].obsm["t"] = pd.DataFrame(
        {"_index": 1.0, "b": [{"a"}] * mdata["protein"].n_obs}, mdata["protein"].obs_names
    )
    assert [part.where for part in problem(mdata).parts] == [
        "mdata.uns['model']['net']",
        "mdata['rna'].var['fit']",
        "mdata['protein'].obsm['t']",
        "mdata['protein'].obsm['t']['b']",
    ]


def test_names_under_which_results_would_be_lost_are_told(mdata):
    other = mudata.MuData({"rna/raw": anndata.AnnData(np.ones((3, 2), np.float32))})
    assert problem(other).problem.startswith("An entry of mdata.mod cannot be named 'rna/raw' in a file (")
    error = problem(mdata, key=".")
    assert error.where == "option key_added"


def test_what_passes_is_written_and_read_and_nothing_is_changed(mdata, tmp_path):
    mdata.obs["text"] = np.resize(np.array(["a", np.nan], object), 20)
    mdata.obs["maybe"] = pd.array([True, None] * 10, dtype="boolean")
    mdata.uns.update(nothing=None, table=pd.DataFrame({"a": [1]}), nested={"list": [1, 2]})
    mdata["rna"].obsp["graph"] = sp.identity(mdata["rna"].n_obs, format="csr")
    mdata["rna"].raw = mdata["rna"]
    before = mdata.obs.dtypes.to_dict()
    check_writable(mdata)
    assert mdata.obs.dtypes.to_dict() == before
    write_mudata(mdata, tmp_path / "out.h5mu")
    assert list(read_mudata(tmp_path / "out.h5mu").obs.columns) == list(mdata.obs.columns)


@pytest.mark.parametrize("command", ["train", "annotate"])
def test_a_file_that_cannot_be_written_again_stops_the_command_before_the_work(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mudata(build_mdata(20), tmp_path / "in.h5mu")
    options = ["--max-epochs", "1", "--no-early-stopping", "--quiet"]
    if command == "annotate":
        done = CliRunner().invoke(main, ["train", "in.h5mu", "--model", "model", *options])
        assert done.exit_code == 0, done.output
        options = ["--model", "model"]
    with h5py.File("in.h5mu", "r+") as file:  # rows of different length, as other writers make them
        ragged = file["mod/rna/uns"].create_dataset("exons", (2,), h5py.vlen_dtype(int))
        ragged[0], ragged[1] = [1, 2], [3]
    before = sorted(path.name for path in tmp_path.iterdir())
    done = CliRunner().invoke(main, [command, "in.h5mu", "-o", "out.h5mu", *options])
    assert done.exit_code == 2
    assert done.stderr.startswith(
        "Error: A file cannot hold the values of mdata['rna'].uns['exons'], of the type ndarray ("
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_results_replace_nothing_but_results():
    mdata = build_mdata(20)
    mdata.obsm["X_pca"] = np.zeros((20, 2))
    mdata["rna"].obsm["X_pca_private"] = np.zeros((mdata["rna"].n_obs, 2))
    options = {"max_epochs": 1, "early_stopping": False, "progress": False, "n_latent": 2}
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.fit(mdata, key_added="pca", **options)
    assert str(caught.value) == (
        "Results under the name 'pca' would replace what omixvae has not written.\n"
        "Where: mdata.obsm['X_pca'], mdata['rna'].obsm['X_pca_private']\n"
        "Fix: Choose another name by the option key_added, or delete it first."
    )
    assert (mdata.obsm["X_pca"] == 0).all()
    omixvae.fit(mdata, key_added="vae", **options)
    model = omixvae.fit(mdata, key_added="vae", **options)  # its own results may be replaced
    model.annotate(mdata)
    assert "vae" in mdata.uns


def test_results_of_two_modalities_need_two_names():
    parts = build_mdata(20).mod
    mdata = mudata.MuData({"protein": parts["protein"], "protein_sd": parts["rna"]})
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.fit(mdata, max_epochs=1, progress=False)
    assert str(caught.value) == (
        "Imputed values of modality 'protein_sd' and deviations of 'protein' would have one name.\n"
        "Where: mdata.obsm['omixvae_imputed_protein_sd']\n"
        "Fix: Rename the modality 'protein_sd'."
    )


def test_a_file_for_which_the_disk_has_no_room_is_refused(mdata, tmp_path):
    check_room(mdata, tmp_path / "out.h5mu")
    huge = np.broadcast_to(np.float32(0), (mdata["protein"].n_obs, 10**15))  # takes no memory
    mdata["protein"].obsm["huge"] = huge
    with pytest.raises(omixvae.InputError) as caught:
        check_room(mdata, tmp_path / "out.h5mu")
    free = shutil.disk_usage(tmp_path).free / 1e9
    assert caught.value.problem.startswith("'out.h5mu' takes 60000000.0 GB, and the disk has ")
    assert float(caught.value.problem.split()[-3]) == pytest.approx(free, rel=0.1)
