"""Files as other writers lay them out: what is lacking need not be there, what nobody asks for is no hindrance."""

import shutil
import warnings
from contextlib import contextmanager
from pathlib import Path

import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
import zarr
from anndata.io import read_elem, write_elem

import omixvae
from omixvae.data import DataConfig, from_mudata, open_mudata
from omixvae.mudata_io import change_zarr
from omixvae.results.on_disk import write_results
from tests.builders import build_mdata

BOTH = pytest.mark.parametrize("ending", ["h5mu", "zarr"])


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of anndata and zarr on their own formats
        yield


@contextmanager
def changing(path: Path):
    """Open a file to change what lies in it."""
    if path.suffix == ".h5mu":
        with h5py.File(path, "r+") as root:
            yield root
    else:
        root = change_zarr(path)
        yield root
        zarr.consolidate_metadata(root.store)


def write(folder: Path, ending: str, change=None) -> Path:
    """Write data with a layer, their file changed afterwards."""
    path, mdata = folder / f"in.{ending}", build_mdata(30)
    mdata["rna"].layers["counts"] = mdata["rna"].X.copy()
    mdata["rna"].obs["site"] = pd.Categorical(np.array(["a", "b"])[np.arange(mdata["rna"].n_obs) % 2])
    mdata.write_h5mu(path) if ending == "h5mu" else mdata.write_zarr(path)
    if change is not None:
        with changing(path) as root:
            change(root)
    return path


def modalities(root) -> list:
    return [root["mod"][name] for name in root["mod"]]


def drop(*parts: str):
    """Leave out groups of every modality and of the whole, as writers do that have nothing for them."""

    def change(root):
        for group in (root, *modalities(root)):
            for part in parts:
                if part in group:
                    del group[part]

    return change


def no_columns(root):
    for group in modalities(root):
        names = read_elem(group["var"]).index
        write_elem(group, "var", pd.DataFrame(index=names))


def x_of_nothing(root):
    write_elem(root["mod"]["rna"], "X", None)


def no_x(root):
    del root["mod"]["rna"]["X"]


def x_by_columns(root):
    write_elem(root["mod"]["rna"], "X", sp.csc_matrix(read_elem(root["mod"]["rna"]["X"])))


def ragged(root):
    """Put what no package here can read where omixvae does not look."""
    for place in ("obsm", "layers", "uns"):
        group = root["mod"]["rna"].require_group(place).create_group("airr")
        group.attrs.update({"encoding-type": "awkward-array", "encoding-version": "0.1.0", "form": "{}", "length": 3})


def a_table_in_obsm(root):
    names = read_elem(root["mod"]["rna"]["obs"]).index
    write_elem(root["mod"]["rna"]["obsm"], "scores", pd.DataFrame({"S": 0.5, "phase": "G1"}, index=names))


def modalities_of_old_mudata(root):
    for group in modalities(root):
        group.attrs["encoding-type"] = "AnnData"


def modalities_without_a_word(root):
    for group in modalities(root):
        for name in list(group.attrs):
            del group.attrs[name]


CHANGES = pytest.mark.parametrize(
    "change",
    [
        drop("layers"),
        drop("layers", "obsm", "varm", "obsp", "varp", "uns", "obsmap", "varmap"),
        no_columns,
        a_table_in_obsm,
        ragged,
        modalities_of_old_mudata,
        modalities_without_a_word,
    ],
)
WITH_A_LAYER = pytest.mark.parametrize("change", [x_of_nothing, no_x, x_by_columns])


def assert_read_alike(path: Path, layers: dict[str, str]) -> None:
    """Compare what is read with the data before anything was changed in the file."""
    config = DataConfig(layers=layers)
    expected, found = from_mudata(build_mdata(30)), from_mudata(open_mudata(path), config)
    assert list(found.obs_names) == list(expected.obs_names)
    batches = [data.rows(np.arange(30), torch.device("cpu"), torch.float32) for data in (expected, found)]
    for one, other in zip(*(batch.modalities for batch in batches), strict=True):
        assert torch.equal(one.values, other.values)
        assert torch.equal(one.present, other.present)


def assert_takes_results(path: Path) -> mudata.MuData:
    """Write results into a copy, as the command line does, and read them again from there."""
    mdata, copy = open_mudata(path), path.with_name(f"out{path.suffix}")
    shutil.copytree(path, copy) if path.is_dir() else shutil.copyfile(path, copy)
    latent = np.arange(2.0 * mdata.n_obs).reshape(-1, 2)
    mdata.obsm["X_omixvae"] = latent
    mdata.uns["omixvae"] = {"seed": 1}
    mdata["rna"].obsm["X_omixvae_private"] = np.ones((mdata["rna"].n_obs, 1))
    write_results(mdata, copy, "omixvae")
    with changing(copy) as root:
        np.testing.assert_array_equal(root["obsm"]["X_omixvae"][:], latent)
        assert read_elem(root["uns"])["omixvae"]["seed"] == 1
        assert root["mod"]["rna"]["obsm"]["X_omixvae_private"].shape == (mdata["rna"].n_obs, 1)
    assert list(open_mudata(copy).obs_names) == list(mdata.obs_names)
    return copy


@BOTH
@CHANGES
def test_a_file_is_read_and_takes_results_whatever_its_writer_left_out_or_added(tmp_path, ending, change):
    path = write(tmp_path, ending, change)
    assert_read_alike(path, {})
    copy = assert_takes_results(path)
    if change is not ragged:  # for which a package is needed that need not be there
        read = mudata.read_h5mu(copy) if ending == "h5mu" else mudata.read_zarr(copy)
        assert read.obsm["X_omixvae"].shape == (30, 2)
        assert read["rna"].obsm["X_omixvae_private"].shape[1] == 1


@BOTH
@WITH_A_LAYER
def test_counts_in_a_layer_are_read_whatever_x_is(tmp_path, ending, change):
    path = write(tmp_path, ending, change)
    assert_read_alike(path, {"rna": "counts"})
    assert_takes_results(path)


@BOTH
def test_several_files_of_which_nobody_asks_for_a_matrix_by_columns(tmp_path, ending):
    whole, paths = build_mdata(30), []
    for number, rows in enumerate((slice(10), slice(10, None))):
        part = whole[rows].copy()
        part["rna"].layers["counts"], part["rna"].X = part["rna"].X.copy(), part["rna"].X.tocsc()
        paths.append(tmp_path / f"{number}.{ending}")
        part.write_h5mu(paths[-1]) if ending == "h5mu" else part.write_zarr(paths[-1])
    data = from_mudata(open_mudata(*paths), DataConfig(layers={"rna": "counts"}))
    assert data.table("rna").survey.totals.sum() == whole["rna"].X.sum()
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(open_mudata(*paths))
    assert str(caught.value) == (
        "Modality 'rna' is stored by columns (CSC), of which single rows cannot be read.\n"
        "Where: mdata['rna'].X\n"
        f"Fix: Write the file again by rows (CSR): mdata = mudata.read_{ending}(path); mdata['rna'].X = "
        f"mdata['rna'].X.tocsr(); mdata.write_{ending}(path)."
    )


def test_a_layer_by_columns_is_named_as_the_layer_that_it_is(tmp_path):
    def change(root):
        layers = root["mod"]["rna"]["layers"]
        write_elem(layers, "counts", sp.csc_matrix(read_elem(layers["counts"])))

    mdata = open_mudata(write(tmp_path, "h5mu", change))
    assert from_mudata(mdata).n_obs == 30
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, DataConfig(layers={"rna": "counts"}))
    assert caught.value.where == "mdata['rna'].layers['counts']"
    assert "mdata['rna'].layers['counts'] = mdata['rna'].layers['counts'].tocsr()" in caught.value.fix


def test_a_modality_without_x_is_said_to_have_none(tmp_path):
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(open_mudata(write(tmp_path, "h5mu", x_of_nothing)))
    assert caught.value.problem == "Modality 'rna' has no X."


def test_categories_in_the_encoding_of_earlier_versions(tmp_path):
    def change(root):
        obs = root["mod"]["rna"]["obs"]
        site = read_elem(obs)["site"].cat
        del obs["site"]
        kept = obs.create_dataset("__categories/site", data=list(site.categories), dtype=h5py.string_dtype())
        obs.create_dataset("site", data=site.codes.to_numpy()).attrs["categories"] = kept.ref
        obs.attrs["encoding-version"] = "0.1.0"

    mdata = open_mudata(write(tmp_path, "h5mu", change))
    assert mdata["rna"].obs["site"].tolist()[:3] == ["a", "b", "a"]
    assert_takes_results(tmp_path / "in.h5mu")


def test_rows_of_several_files_cannot_be_selected(tmp_path):
    for name, rows in (("a", slice(10)), ("b", slice(10, None))):
        build_mdata(30)[rows].copy().write_h5mu(tmp_path / f"{name}.h5mu")
    with pytest.raises(omixvae.InputError) as caught:
        open_mudata(tmp_path / "a.h5mu", tmp_path / "b.h5mu")["rna"][:5]
    assert str(caught.value) == (
        "Observations or features of several files cannot be selected (here slice(None, 5, None)).\n"
        "Where: the MuData of open_mudata\n"
        "Fix: Select from each file before: mudata.read_h5mu(path)[rows].write_h5mu(path of its own); then open those."
    )
