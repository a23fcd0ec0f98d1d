"""The command line on files whose matrices stay on disk: the same results as in memory, or one clear sentence."""

import warnings
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.data import from_mudata, open_mudata
from tests.builders import build_mdata

FEW = ("--max-epochs", "2", "--quiet")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mdata = build_mdata(60)
    mdata.uns["study"] = "cohort"
    mdata["rna"].layers["twice"] = 2 * mdata["rna"].X
    mdata.write_h5mu("in.h5mu")


def run(*arguments: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of anndata and zarr on their own formats
        result = CliRunner().invoke(main, list(arguments), prog_name="omixvae", catch_exceptions=False)
    assert result.exit_code == 0, result.stderr


def assert_refused(arguments: tuple[str, ...], message: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    result = CliRunner().invoke(main, list(arguments), prog_name="omixvae")
    assert result.stderr == f"Error: {message}\n"
    assert result.exit_code == 2
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def read(path: str) -> mudata.MuData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.read_zarr(path) if path.endswith(".zarr") else mudata.read_h5mu(path)
    mdata._axis = int(mdata.axis)  # mudata 0.4 reads a number of NumPy, which its own write_zarr refuses
    return mdata


def write_halves(first: str, second: str) -> None:
    mdata = read("in.h5mu")
    for path, rows in ((first, slice(20)), (second, slice(20, None))):
        if Path(path).is_file():
            Path(path).unlink()  # one that was read from disk may still be open, and is not to be written over
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            part = mdata[rows].copy()
            part.write_zarr(path) if path.endswith(".zarr") else part.write_h5mu(path)


def assert_same(one: object, other: object, name: str) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_same(one[key], other[key], f"{name}/{key}")
    elif sp.issparse(one):
        assert (one != other).nnz == 0, name
    else:
        assert type(one) is type(other), name
        np.testing.assert_array_equal(one, other, err_msg=name)


def assert_same_data(one: mudata.MuData, other: mudata.MuData) -> None:
    for name, a, b in [("", one, other), *((m, one[m], other[m]) for m in one.mod)]:
        axes = ("obs", "var", "obsm", "varm", "uns", *(("X", "layers") if name else ()))
        for axis in axes:
            values = [getattr(x, axis) for x in (a, b)]
            mapping = axis in ("obsm", "varm", "uns", "layers")
            assert_same(*(map(dict, values) if mapping else values), f"{name}.{axis}")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["h5mu", "zarr"])
def test_annotate_from_disk_writes_what_it_writes_in_memory(ending):
    run("train", "in.h5mu", "-o", "trained.h5mu", "--model", "model", "--impute", "all", *FEW)
    mdata = read("trained.h5mu")  # with results of an earlier run, which are to be replaced
    mdata.obsm["omixvae_imputed_lipids"] = np.ones((60, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata.write_h5mu("again.h5mu")
        mdata.write_zarr("again.zarr")
    run("annotate", "again.h5mu", "--model", "model", "-o", "memory.h5mu", "--quiet")
    run("annotate", f"again.{ending}", "--model", "model", "-o", f"disk.{ending}", "--from-disk", "--quiet")
    written = read(f"disk.{ending}")
    assert "omixvae_imputed_lipids" not in written.obsm
    assert_same_data(read("memory.h5mu"), written)


@pytest.mark.slow
def test_train_from_disk_writes_a_whole_file_and_can_replace_its_input():
    run("train", "in.h5mu", "-o", "out.h5mu", "--from-disk", *FEW)
    run("train", "in.h5mu", "-o", "in.h5mu", "--from-disk", "--in-place", *FEW)
    assert_same_data(
        *(m for m in (read("out.h5mu"), read("in.h5mu")) if m.uns["omixvae"]["history"].pop("seconds") is not None)
    )


@pytest.mark.slow
def test_train_on_two_files_and_annotate_each():
    write_halves("first.h5mu", "second.zarr")
    run("train", "first.h5mu", "second.zarr", "--model", "model", *FEW)
    run("annotate", "first.h5mu", "--model", "model", "-o", "out.h5mu", "--quiet")
    run("annotate", "second.zarr", "--model", "model", "-o", "out.zarr", "--quiet")
    model = omixvae.load("model")
    assert [m.n_features for m in model.plan.modalities] == [8, 5, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        latent, _ = model.latent(open_mudata("first.h5mu", "second.zarr"))
    both = np.concatenate([read("out.h5mu").obsm["X_omixvae"], read("out.zarr").obsm["X_omixvae"]])
    np.testing.assert_allclose(latent, both, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_impute_writes_the_predicted_modality():
    run("train", "in.h5mu", "--model", "model", *FEW)
    options = ("--model", "model", "--modality", "protein", "--given", "rna,mutation", "--quiet")
    run("impute", "in.h5mu", "-o", "protein.h5mu", *options)
    run("impute", "in.h5mu", "-o", "protein.zarr", "--from-disk", *options)
    mean, sd = omixvae.load("model").impute(read("in.h5mu"), "protein", ["rna", "mutation"])
    written, streamed = read("protein.h5mu")["protein"], zarr.open_group("protein.zarr", mode="r")
    pd.testing.assert_frame_equal(written.to_df(), mean, check_names=False)
    np.testing.assert_array_equal(written.layers["sd"], sd)
    np.testing.assert_array_equal(streamed["mean"][:], mean)
    np.testing.assert_array_equal(streamed["sd"][:], sd)
    assert streamed.attrs["var_names"] == list(mean.columns)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("in.h5mu", "./in.h5mu", "--model", "model"),
            "Several files are read from disk only.\nWhere: the inputs\nFix: Add --from-disk.",
        ),
        (
            ("a.h5mu", "b.h5mu", "--from-disk", "-o", "out.h5mu"),
            "There are 2 inputs and one output.\n"
            "Where: output out.h5mu\n"
            "Fix: Give --model DIR instead, then run `omixvae annotate` with it for each file.",
        ),
        (
            ("a.h5mu", "b.h5mu", "--from-disk"),
            "Nothing would be kept of the training.\nWhere: option --model\nFix: Add --model DIR.",
        ),
        (
            ("example:cite", "--from-disk", "-o", "out.h5mu"),
            "'example:cite' is made in memory and lies in no file.\n"
            "Where: option --from-disk\n"
            "Fix: Leave the option out.",
        ),
        (
            ("in.h5mu", "--from-disk", "-o", "in.h5mu"),
            "The output would overwrite the input.\n"
            "Where: output in.h5mu\n"
            "Fix: Choose another name, or add --in-place.",
        ),
        (
            ("in.zarr", "-o", "out.h5mu"),
            "The output 'out.h5mu' is not named like a zarr folder.\n"
            "Where: option --output\n"
            "Fix: End the name in .zarr.",
        ),
        (
            ("in.zarr", "-o", "in.zarr"),
            "The output in.zarr is there already.\nWhere: option --output\nFix: Choose another name.",
        ),
        (
            ("in.h5mu", "in.h5mu", "--from-disk", "--model", "model"),
            "A file is given twice.\nWhere: the inputs\nFix: Give each file once.",
        ),
    ],
)
def test_wrong_names_of_files(arguments, message):
    zarr.open_group("in.zarr", mode="w").create_group("mod")
    assert_refused(("train", *arguments), message)


def test_a_zarr_folder_that_holds_no_modalities():
    zarr.open_group("in.zarr", mode="w")
    assert_refused(
        ("inspect", "in.zarr"),
        "The folder 'in.zarr' holds nothing that omixvae reads.\n"
        "Where: folder in.zarr\n"
        "Fix: Give an h5mu or h5ad file, a zarr folder, an h5 file or an mtx folder of 10x, or tables (.csv, .tsv, "
        ".txt, with or without .gz, .parquet).",
    )


def test_a_file_that_is_not_there():
    with pytest.raises(omixvae.InputError) as caught:
        open_mudata("in.h5mu", "absent.h5mu")
    assert str(caught.value) == "There is no file 'absent.h5mu'.\nWhere: the inputs\nFix: Check the path."


@pytest.mark.slow
def test_predictions_that_are_too_large_for_the_memory(monkeypatch):
    run("train", "in.h5mu", "--model", "model", *FEW)
    monkeypatch.setattr("omixvae.results.annotate.LARGEST_IMPUTATION", 100)
    assert_refused(
        ("impute", "in.h5mu", "--model", "model", "--modality", "protein", "-o", "protein.h5mu"),
        "Predicted values of 'protein' would take 0.0 GB of memory.\n"
        "Where: output protein.h5mu\n"
        "Fix: End its name in .zarr: then they are written as they come.",
    )


def change_second(change) -> str:
    """Say why two files cannot be read together, the second of them changed."""
    write_halves("first.h5mu", "second.h5mu")
    modalities = {name: adata.copy() for name, adata in read("second.h5mu").mod.items()}
    change(modalities)
    mudata.MuData(modalities).write_h5mu("second.h5mu")
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(open_mudata("first.h5mu", "second.h5mu"))
    return str(caught.value)


def test_files_that_do_not_go_together():
    def drop(modalities):
        del modalities["protein"]

    def select(features):
        def change(modalities):
            modalities["rna"] = modalities["rna"][:, features].copy()

        return change

    def densify(modalities):
        modalities["rna"].X = modalities["rna"].X.toarray()

    def repeat(modalities):
        first = read("first.h5mu").obs_names[0]
        names = modalities["rna"].obs_names.tolist()
        modalities["rna"].obs_names = [first, *names[1:]]

    assert change_second(drop) == (
        "There is no modality 'protein' in second.h5mu, and another file has it.\n"
        "Where: file second.h5mu\n"
        "Fix: Give files with the same modalities; an observation may lack one, a file may not."
    )
    assert change_second(select(slice(2, None))) == (
        "Modality 'rna' lacks 2 features in second.h5mu that first.h5mu has, the first is 'rna0'.\n"
        "Where: file second.h5mu, mdata['rna'].var_names\n"
        "Fix: Write all files with the same features, with NaN for what was not measured."
    )
    assert change_second(select(slice(None, None, -1))) == (
        "The features of modality 'rna' are in another order in second.h5mu than in first.h5mu.\n"
        "Where: file second.h5mu, mdata['rna'].var_names\n"
        "Fix: Write all files with the features in the same order."
    )
    name = read("first.h5mu").obs_names[0]
    assert change_second(densify) == (
        "Modality 'rna' is sparse in some files and dense in others.\n"
        "Where: mdata['rna'].X\n"
        "Fix: Write all files alike."
    )
    assert change_second(repeat) == (
        f"1 observation of second.h5mu is in another file too, the first is {name!r}, in first.h5mu.\n"
        "Where: file second.h5mu, obs_names\n"
        "Fix: Make them unique first, e.g. by adding the sample to each barcode, or leave one file out."
    )
