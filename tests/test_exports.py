"""Tables for other programs hold the numbers of the results, whole or not at all."""

import json
import shutil
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.mudata_io import read_mudata, write_mudata, writing_elements
from tests.builders import build_mdata


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a file with all kinds of results, and one without any."""
    folder = tmp_path_factory.mktemp("export")
    mdata = build_mdata(60)
    write_mudata(mdata, folder / "in.h5mu")
    mdata.obs["type"] = np.resize(np.array(["B/T", np.nan, "NK"], object), 60)
    omixvae.fit(mdata, decoder="linear", n_private=1, n_clusters=3, max_epochs=3, labels_key="type", progress=False)
    write_mudata(mdata, folder / "out.h5mu")
    with writing_elements():
        mdata.write_zarr(folder / "out.zarr")
    return folder


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], prog_name="omixvae", catch_exceptions=False)


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3 does this unasked, and says so
        return pd.read_csv(path, index_col=0, float_precision="round_trip")


@pytest.mark.parametrize("ending", ["h5mu", "zarr"])
def test_the_numbers_in_the_tables_are_those_in_the_file(ending, folder, tmp_path):
    out = tmp_path / "tables"
    done = run("export", folder / f"out.{ending}", "-o", out, "--json")
    assert done.exit_code == 0, done.output
    mdata = read_mudata(folder / "out.h5mu")
    for file, values in {
        "latents": mdata.obsm["X_omixvae"],
        "latents_sd": mdata.obsm["X_omixvae_sd"],
        "protein_imputed": mdata.obsm["omixvae_imputed_protein"],
        "protein_imputed_sd": mdata.obsm["omixvae_imputed_protein_sd"],
        "type_imputed": mdata.obsm["omixvae_imputed_type"],
    }.items():
        table = read(out / f"{file}.csv")
        assert list(table.index) == list(mdata.obs_names)
        np.testing.assert_array_equal(table.to_numpy(np.float32), values, err_msg=file)
    assert list(read(out / "protein_imputed.csv").columns) == list(mdata["protein"].var_names)
    assert sorted(read(out / "type_imputed.csv").columns) == ["B/T", "NK"]
    clusters = read(out / "clusters.csv")
    assert list(clusters["cluster"].astype(str)) == list(mdata.obs["omixvae_cluster"])
    np.testing.assert_array_equal(clusters["entropy"].to_numpy(np.float32), mdata.obs["omixvae_cluster_entropy"])
    probabilities = mdata.obsm["omixvae_cluster_probs"]
    names = [f"probability {i}" for i in range(probabilities.shape[1])]
    np.testing.assert_array_equal(clusters[names].to_numpy(np.float32), probabilities)
    for mod, adata in mdata.mod.items():
        skill, loadings, private = (read(out / f"{mod}_{name}.csv") for name in ("skill", "loadings", "private"))
        assert list(skill.index) == list(loadings.index) == list(adata.var_names)
        np.testing.assert_array_equal(skill["r2"].to_numpy(np.float32), adata.var["omixvae_imputation_r2"])
        np.testing.assert_array_equal(skill["imputable"], adata.var["omixvae_imputable"])
        np.testing.assert_array_equal(loadings.to_numpy(np.float32), adata.varm["omixvae_loadings"])
        assert list(private.index) == list(adata.obs_names)
        np.testing.assert_array_equal(private.to_numpy(np.float32), adata.obsm["X_omixvae_private"])
    record = mdata.uns["omixvae"]
    for name in ("information", "history"):
        table = read(out / f"{name}.csv").reset_index()
        assert list(table.columns) == sorted(record[name], key=list(table.columns).index)
        for column in table.columns[1:]:
            np.testing.assert_array_equal(table[column], record[name][column], err_msg=column)
    readme, files = (out / "README.txt").read_text(), sorted(path.name for path in out.iterdir())
    assert [name for name in files if name not in readme] == ["README.txt"]
    assert json.loads(done.stdout) == {"output": str(out), "observations": 60, "files": files}


def test_what_the_command_prints_and_the_call_writes_are_the_same_files(folder, tmp_path):
    done = run("export", folder / "out.h5mu", "-o", tmp_path / "one")
    omixvae.export(read_mudata(folder / "out.h5mu"), tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "two").iterdir())
    assert done.stdout.splitlines() == [f"Wrote {tmp_path / 'one'} (60 observations) with", *(f"  {f}" for f in files)]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    again = run("export", folder / "out.h5mu", "-o", tmp_path / "one", "--quiet")  # an earlier export is replaced
    assert (again.exit_code, again.output) == (0, "")


def test_names_of_modalities_that_no_file_can_have(folder, tmp_path):
    mdata = read_mudata(folder / "out.h5mu")
    mdata.uns["omixvae"]["features"]["../rna/α"] = np.array(["B/T", "NK"])
    mdata.obsm["omixvae_imputed_../rna/α"] = mdata.obsm["omixvae_imputed_../rna/α_sd"] = np.zeros((60, 2), np.float32)
    out = omixvae.export(mdata, tmp_path / "tables")
    assert read(out / "..%2Frna%2F%CE%B1_imputed.csv").shape == (60, 2)


def test_a_folder_with_anything_else_stays_as_it_is(folder, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    done = run("export", folder / "out.h5mu", "-o", out)
    assert done.exit_code == 2
    assert done.stderr == (
        f"Error: {out} is there already and holds 'notes.txt', which is not part of a folder of results.\n"
        f"Where: output {out}\n"
        "Fix: Choose another name, or remove it first.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_files_without_results_are_refused(folder, tmp_path):
    done = run("export", folder / "in.h5mu", "-o", tmp_path / "tables")
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: The MuData holds no results of omixvae under the key 'omixvae'.\n"
        "Where: mdata.uns['omixvae']\n"
        "Fix: Run omixvae.fit(mdata) first.\n",
    )
    done = run("export", folder / "out.h5mu", "-o", tmp_path / "tables", "--key-added", "omix")
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: The MuData holds no results of omixvae under the key 'omix'.\n"
        "Where: mdata.uns['omix']\n"
        "Fix: Give the argument key. Did you mean 'omixvae'? Known: 'omixvae'.\n",
    )
    pd.DataFrame({"g1": [1, 2]}, ["c1", "c2"]).to_csv(tmp_path / "rna.csv")
    for source in ("example:cite", str(tmp_path / "rna.csv")):
        done = run("export", source, "-o", tmp_path / "tables")
        assert (done.exit_code, done.stderr) == (
            2,
            f"Error: {source!r} holds no results of omixvae: it is neither an h5mu file nor a zarr folder of MuData.\n"
            "Where: the input\n"
            "Fix: Give what `omixvae train` or `omixvae annotate` wrote.\n",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["rna.csv"]


def test_the_results_of_a_prior_without_clusters_have_no_such_table(tmp_path):
    mdata = build_mdata(30)
    options = {"prior": "standard_normal", "impute": "none", "max_epochs": 1, "early_stopping": False}
    omixvae.fit(mdata, progress=False, key_added="run", n_private=0, decoder="mlp", **options)
    out = omixvae.export(mdata, tmp_path / "tables", key="run")
    assert sorted(path.name for path in out.iterdir()) == [
        "README.txt",
        "history.csv",
        "information.csv",
        "latents.csv",
        "latents_sd.csv",
    ]


def test_matrices_are_not_read(folder, tmp_path):
    shutil.copy(folder / "out.h5mu", tmp_path / "out.h5mu")
    with h5py.File(tmp_path / "out.h5mu", "r+") as file:
        group = file["mod/protein"]
        shape, kind = group["X"].shape, dict(group["X"].attrs)
        del group["X"]
        group.create_dataset("X", shape, "f4", external=[("lost.bin", 0, h5py.h5f.UNLIMITED)])
        group["X"].attrs.update(kind)
    with pytest.raises(OSError, match="read"):
        read_mudata(tmp_path / "out.h5mu")
    assert run("export", tmp_path / "out.h5mu", "-o", tmp_path / "tables", "--quiet").exit_code == 0
