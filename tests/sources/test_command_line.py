"""The commands on files that are no h5mu: the same results as from the same data in one, or one clear sentence."""

import json
import shlex
import signal
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.cli.frame import Interrupted
from omixvae.cli.resume import saying_how_to_go_on
from omixvae.mudata_io import read_mudata, writing_elements
from omixvae.training.stopping import TrainingInterrupted
from tests.sources.files import clinic, cohort, counted, write_10x_h5, write_10x_h5_of_version_2, write_h5mu, write_mtx
from tests.sources.test_read import SINGLE, assert_same, own_folder

__all__ = ["own_folder"]

FEW = ("--max-epochs", "2", "--quiet")

CELLS, PATIENTS = counted(), cohort()


def some(*names):
    return {name: CELLS[name] for name in names}


def write_h5ads():
    with writing_elements():
        for name, adata in CELLS.items():
            adata.write_h5ad(f"{name}.h5ad")


def write_cells(key):
    cells = CELLS["rna"].copy()
    cells.obsm[key] = CELLS["protein"].to_df()
    with writing_elements():
        cells.write_h5ad("cells.h5ad")


def write_tables(*turned):
    for name, frame in PATIENTS.items():
        (frame.T if name in turned else frame).to_csv(f"{name}.csv")
    clinic(PATIENTS).to_csv("clinic.csv")


WAYS = {
    "an h5ad for each assay": (write_h5ads, "rna=rna.h5ad protein=protein.h5ad atac.h5ad", CELLS),
    "proteins in obsm": (lambda: write_cells("protein_expression"), "cells.h5ad", some("rna", "protein")),
    "another table in obsm": (
        lambda: write_cells("adt"),
        "rna=cells.h5ad --modality protein=obsm:adt",
        some("rna", "protein"),
    ),
    "10x h5 with one kind": (lambda: write_10x_h5(some("rna"), Path("cells.h5")), "cells.h5", some("rna")),
    "10x h5 with two kinds": (
        lambda: write_10x_h5(some("rna", "protein"), Path("cells.h5")),
        "cells.h5",
        some("rna", "protein"),
    ),
    "10x h5 with three kinds": (lambda: write_10x_h5(CELLS, Path("cells.h5")), "cells.h5", CELLS),
    "10x h5 of version 2": (
        lambda: write_10x_h5_of_version_2(CELLS["rna"], Path("cells.h5")),
        "cells.h5",
        some("rna"),
    ),
    "10x mtx": (lambda: write_mtx(CELLS, Path("matrix")), "matrix", CELLS),
    "10x mtx of version 2": (
        lambda: write_mtx(some("rna"), Path("matrix"), zipped=False, genes=True),
        "matrix",
        some("rna"),
    ),
    "tables with samples in rows": (write_tables, "rna.csv protein.csv --obs clinic.csv", PATIENTS),
    "tables with samples in columns": (
        lambda: write_tables("rna", "protein"),
        "rna.csv protein.csv --obs clinic.csv",
        PATIENTS,
    ),
    "tables of both kinds": (lambda: write_tables("protein"), "rna.csv protein.csv", PATIENTS),
}


def run(*arguments, code=0):
    result = CliRunner().invoke(main, list(arguments), prog_name="omixvae")
    assert result.exit_code == code, result.stderr
    return result


@pytest.mark.slow
@pytest.mark.parametrize("way", list(WAYS))
def test_training_gives_the_same_as_from_an_h5mu(way):
    write, given, parts = WAYS[way]
    write()
    write_h5mu(parts, Path("in.h5mu"))
    run("train", "in.h5mu", "-o", "expected.h5mu", *FEW)
    run("train", *shlex.split(given), "-o", "out.h5mu", *FEW)
    expected, out = read_mudata(Path("expected.h5mu")), read_mudata(Path("out.h5mu"))
    assert_same(out, parts)
    np.testing.assert_allclose(out.obsm["X_omixvae"], expected.obsm["X_omixvae"], atol=1e-5)


def test_convert_writes_what_it_says():
    write_tables("protein")
    result = run("convert", "rna.csv", "protein.csv", "--obs", "clinic.csv", "-o", "cohort.h5mu")
    assert result.stderr == (
        "Note: Samples are in the columns of 'protein': the names there stand elsewhere, too. If that is wrong: "
        "samples='rows' (--samples rows).\n"
    )
    assert result.stdout == (
        "Wrote cohort.h5mu: 30 samples.\n  rna: 30 samples, 9 features\n  protein: 25 samples, 6 features\n"
        "Look it over with: omixvae inspect cohort.h5mu\n"
    )
    written = read_mudata(Path("cohort.h5mu"))
    assert_same(written, PATIENTS)
    assert list(written.obs["stage"]) == list(clinic(PATIENTS)["stage"])
    told = json.loads(run("convert", "cohort.h5mu", "-o", "again.h5mu", "--json").stdout)
    assert told == {
        "output": "again.h5mu",
        "observations": 30,
        "modalities": {
            "rna": {"observations": 30, "features": 9},
            "protein": {"observations": 25, "features": 6},
        },
    }


def test_how_to_read_is_said_by_options():
    frame = PATIENTS["rna"].round(2).copy()
    frame.iloc[0, :2], frame.iloc[1, 0] = -999, np.nan
    frame.T.to_csv("rna.txt", sep="|", na_rep="none")
    result = run(
        "convert", "rna.txt", "--samples", "columns", "--sep", "|", "--na", "-999,none", "-o", "cohort.h5mu", "--quiet"
    )
    assert (result.stdout, result.stderr) == ("", f"Note: {SINGLE}\n")
    assert_same(read_mudata(Path("cohort.h5mu")), {"rna": frame.replace(-999, np.nan)})


@pytest.mark.slow
def test_the_other_commands_take_the_same():
    write_tables("rna", "protein")
    sources = ("rna.csv", "protein.csv", "--obs", "clinic.csv")
    run("convert", *sources, "-o", "cohort.h5mu")
    told = [json.loads(run("inspect", *given, "--json").stdout) for given in (sources, ("cohort.h5mu",))]
    assert told[0] == told[1]
    run("train", "cohort.h5mu", "-o", "out.h5mu", "--model", "model", *FEW)
    for name, given in (("one", sources), ("two", ("cohort.h5mu",))):
        run("annotate", *given, "--model", "model", "-o", f"{name}.h5mu", "--quiet")
        run("impute", *given, "--model", "model", "--modality", "protein", "-o", f"{name}_protein.h5mu", "--quiet")
        run("evaluate", *given, "--model", "model", "--n-samples", "2", "--labels-key", "stage", "--json")
        run("select", *given, "--grid", "n_latent=1", "-o", f"{name}.csv", "--n-folds", "2", "--n-samples", "2", *FEW)
    one, two = (read_mudata(Path(f"{name}.h5mu")) for name in ("one", "two"))
    np.testing.assert_array_equal(one.obsm["X_omixvae"], two.obsm["X_omixvae"])
    one, two = (read_mudata(Path(f"{name}_protein.h5mu")) for name in ("one", "two"))
    np.testing.assert_array_equal(one["protein"].X, two["protein"].X)
    one, two = (pd.read_csv(f"{name}.csv").drop(columns="seconds") for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_how_to_go_on_repeats_how_to_read():
    given = ("rna=cells.h5ad", "--modality", "adt=obsm:adt", "--modality", "hto=obsm:hto", "--na", "-999,not made")
    with (
        main.commands["train"].make_context("train", [*given, "--model", "model"]),
        pytest.raises(Interrupted) as caught,
        saying_how_to_go_on(("rna=cells.h5ad",)),
    ):
        raise TrainingInterrupted(signal.SIGTERM, "after epoch 4 of 20", "model.checkpoint")
    command = (
        "omixvae train rna=cells.h5ad --model model --modality adt=obsm:adt --modality hto=obsm:hto --na '-999,not "
        "made' --resume model.checkpoint"
    )
    assert caught.value.args == (signal.SIGTERM,)
    assert caught.value.message == f"Stopped after epoch 4 of 20. Go on with: {command}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "rna.csv", "--from-disk", "-o", "out.h5mu"),
            "'rna.csv' is neither h5mu nor a zarr folder of MuData, which alone are read from disk.\n"
            "Where: option --from-disk\n"
            "Fix: Make a MuData of it first, with omixvae convert and the same inputs and options.",
        ),
        (
            ("train", "in.h5mu", "--from-disk", "--obs", "clinic.csv", "-o", "out.h5mu"),
            "A file is read from disk as it is, without --obs.\n"
            "Where: option --from-disk\n"
            "Fix: Make a MuData of it first, with omixvae convert and the same inputs and options.",
        ),
        (
            ("annotate", "in.h5mu", "other.h5mu", "--from-disk", "--model", "model", "-o", "out.h5mu"),
            "There are 2 inputs and one output.\nWhere: output out.h5mu\nFix: Annotate each file by itself.",
        ),
        (
            ("convert", "rna=rna.csv", "rna=protein.csv", "-o", "out.h5mu"),
            "Two things have the name 'rna'.\n"
            "Where: file rna.csv and file protein.csv\n"
            "Fix: Give one another name: NAME=PATH in a path, or {'rna': ..., 'other': ...}.",
        ),
        (
            ("convert", "rna=mrna.csv", "-o", "out.h5mu"),
            "There is no file 'mrna.csv'.\nWhere: the input\nFix: Check the path, or try 'example:cite'.",
        ),
        (
            ("convert", "rna.csv", "-o", "out.h5ad"),
            "The output 'out.h5ad' is not named like an h5mu file.\n"
            "Where: option --output\n"
            "Fix: End the name in .h5mu.",
        ),
        (
            ("convert", "rna=in.h5mu", "-o", "in.h5mu"),
            "The output would overwrite the input.\n"
            "Where: output in.h5mu\n"
            "Fix: Choose another name, or add --in-place.",
        ),
        (
            ("inspect", "rna.csv", "--samples", "colums"),
            "Samples cannot be the 'colums' of a table.\n"
            "Where: option samples\n"
            "Fix: Did you mean 'columns'? Known: 'rows', 'columns'.",
        ),
    ],
)
def test_what_cannot_be_done(arguments, message):
    write_tables()
    write_h5mu(PATIENTS, Path("in.h5mu"))
    write_h5mu(PATIENTS, Path("other.h5mu"))
    before = {path: path.stat().st_mtime_ns for path in Path().iterdir()}
    result = run(*arguments, code=2)
    assert (result.stdout, result.stderr) == ("", f"Error: {message}\n")
    assert {path: path.stat().st_mtime_ns for path in Path().iterdir()} == before


REAL = ("tcga_acc_mini", "pbmc_eccite_control")


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_sets_as_tables_and_as_h5ad(name, data_folder):
    mdata = read_mudata(data_folder / f"{name}.h5mu")
    mdata = mudata.MuData({mod: adata[:, :200].copy() for mod, adata in mdata.mod.items()})
    with writing_elements():
        for mod, adata in mdata.mod.items():
            adata.to_df().T.to_csv(f"{mod}.tsv.gz", sep="\t")
            adata.write_h5ad(f"{mod}.h5ad")
    expected = omixvae.fit(mdata.copy(), max_epochs=2, progress=False).latent(mdata)[0]
    for end in ("tsv.gz", "h5ad"):
        run("train", *(f"{mod}={mod}.{end}" for mod in mdata.mod), "-o", f"{end}.h5mu", *FEW)
        np.testing.assert_allclose(read_mudata(Path(f"{end}.h5mu")).obsm["X_omixvae"], expected, atol=1e-5)
