"""From file to file, in processes of their own: what a user gets."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import anndata
import mudata
import numpy as np
import pytest
import scanpy
from click.testing import CliRunner, Result

import omixvae
from omixvae.cli import main
from tests.end_to_end_checks import problems_of_results

FEW_EPOCHS = ("--max-epochs", "4")


def run_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done


def run(*arguments: object) -> Result:
    """Run the command line in this process, which saves the seconds of its start; it must succeed."""
    done = CliRunner().invoke(main, list(map(str, arguments)), prog_name="omixvae", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Give a folder with a simulated set, what was made of it, and the model."""
    folder = tmp_path_factory.mktemp("run")
    omixvae.simulate(n_obs=150).write_h5mu(folder / "in.h5mu")
    arguments = ("train", folder / "in.h5mu", "-o", folder / "out.h5mu", "--model", folder / "model", *FEW_EPOCHS)
    done = run_apart("-m", "omixvae", *arguments)
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder


@pytest.mark.slow
def test_every_result_is_in_the_file(folder):
    source, written = mudata.read_h5mu(folder / "in.h5mu"), mudata.read_h5mu(folder / "out.h5mu")
    assert problems_of_results(written, source) == []
    assert written.uns["omixvae"]["likelihoods"] == {"rna": "negative_binomial", "protein": "negative_binomial"}
    assert json.loads((folder / "model" / "config.json").read_text())["max_epochs"] == 4
    assert sorted(path.name for path in folder.iterdir()) == ["in.h5mu", "model", "out.h5mu", "stderr", "stdout"]


@pytest.mark.slow
def test_the_checker_sees_what_is_wrong(folder):
    source = mudata.read_h5mu(folder / "in.h5mu")

    def problems(change) -> list[str]:
        written = mudata.read_h5mu(folder / "out.h5mu")
        change(written)
        return problems_of_results(written, source)

    def change_a_measured_value(written):
        written.obsm["omixvae_imputed_protein"][source.obs_names.get_loc(source["protein"].obs_names[0]), 0] += 1

    def blur(written):
        written.obsm["omixvae_cluster_probs"] *= np.float32(0.9)

    def break_latents(written):
        written.obsm["X_omixvae"][3, 0] = np.nan

    def forget_loadings(written):
        del written["rna"].varm["omixvae_loadings"]

    def change_values(written):
        written["rna"].X.data[0] += 1

    assert problems(change_a_measured_value) == ["obsm['omixvae_imputed_protein'] changes measured values."]
    assert problems(blur)[0] == "Cluster probabilities are negative, or do not sum to one."
    assert problems(break_latents) == ["obsm['X_omixvae'] holds 1 values that are not finite."]
    assert problems(forget_loadings) == [
        "mdata['rna'].varm['omixvae_loadings'] is there without a linear decoder, or lacking with one."
    ]
    assert problems(change_values) == ["The values of modality 'rna' were changed."]
    assert problems(lambda written: written.uns.pop("omixvae")) == ["uns['omixvae'] is not there."]


@pytest.mark.slow
def test_what_train_prints(folder):
    lines = (folder / "stdout").read_text().splitlines()
    assert lines[0].startswith(
        "Trained on 150 observations of rna (negative_binomial), protein (negative_binomial) in "
    )
    assert lines[2] == f"Wrote {folder / 'out.h5mu'} with"
    assert lines[3:] == [
        '  obsm["X_omixvae"]',
        '  obsm["X_omixvae_sd"]',
        '  obsm["omixvae_cluster_probs"]',
        '  obsm["omixvae_imputed_protein"]',
        '  obsm["omixvae_imputed_protein_sd"]',
        '  obs["omixvae_cluster"]',
        '  obs["omixvae_cluster_entropy"]',
        '  ["rna"].obsm["X_omixvae_private"]',
        '  ["rna"].varm["omixvae_loadings"]',
        '  ["rna"].var["omixvae_imputation_r2"]',
        '  ["rna"].var["omixvae_imputable"]',
        '  ["protein"].obsm["X_omixvae_private"]',
        '  ["protein"].varm["omixvae_loadings"]',
        '  ["protein"].var["omixvae_imputation_r2"]',
        '  ["protein"].var["omixvae_imputable"]',
        '  uns["omixvae"]',
    ]
    progress = (folder / "stderr").read_text().splitlines()
    assert [line.split("  ")[0] for line in progress] == [f"epoch {i}/4" for i in range(1, 5)]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file_and_quiet_is_quiet(folder):
    done = run("train", folder / "in.h5mu", "-o", folder / "again.h5mu", "--quiet", *FEW_EPOCHS)
    assert (done.stdout, done.stderr) == ("", "")
    one, two = mudata.read_h5mu(folder / "out.h5mu"), mudata.read_h5mu(folder / "again.h5mu")
    (folder / "again.h5mu").unlink()
    for name in ("X_omixvae", "X_omixvae_sd", "omixvae_cluster_probs", "omixvae_imputed_protein"):
        np.testing.assert_array_equal(one.obsm[name], two.obsm[name])


@pytest.mark.slow
def test_json_is_one_object_for_machines(folder, tmp_path):
    options = ("--json", "--no-early-stopping", "--key-added", "run", "--prior", "standard_normal", "--impute", "all")
    done = run("train", folder / "in.h5mu", "-o", tmp_path / "out.h5mu", *options, *FEW_EPOCHS)
    summary = json.loads(done.stdout, parse_constant=pytest.fail)  # NaN is no JSON
    assert (summary["observations"], summary["epochs"], summary["held_out_bound"]) == (150, 4, None)
    assert summary["modalities"] == {"rna": "negative_binomial", "protein": "negative_binomial"}
    assert summary["output"] == str(tmp_path / "out.h5mu")
    assert "clusters" not in summary
    assert 'obsm["run_imputed_rna_sd"]' in summary["keys"]
    assert done.stderr == ""
    source = mudata.read_h5mu(folder / "in.h5mu")
    assert problems_of_results(mudata.read_h5mu(tmp_path / "out.h5mu"), source, "run") == []


NO_PICKLE = """
import pickle, sys
import mudata, numpy, torch
import omixvae

def refuse(*arguments, **options):
    raise AssertionError("something was unpickled")

mdata = mudata.read_h5mu(sys.argv[1])
pickle.load = pickle.loads = pickle.Unpickler = torch.load = refuse
mean, sd = omixvae.load(sys.argv[2]).latent(mdata)
numpy.savez(sys.argv[3], mean=mean, sd=sd)
"""


@pytest.mark.slow
def test_a_loaded_model_gives_the_same_latents_and_unpickles_nothing(folder, tmp_path):
    run_apart("-c", NO_PICKLE, folder / "in.h5mu", folder / "model", tmp_path / "latents.npz")
    written = mudata.read_h5mu(folder / "out.h5mu")
    with np.load(tmp_path / "latents.npz") as latents:
        np.testing.assert_array_equal(latents["mean"], written.obsm["X_omixvae"])
        np.testing.assert_array_equal(latents["sd"], written.obsm["X_omixvae_sd"])
    assert sorted(path.suffix for path in (folder / "model").iterdir()) == [".json"] * 4 + [".safetensors"]


@pytest.mark.slow
def test_annotate_other_data_with_modalities_in_another_order(folder, tmp_path):
    new = omixvae.simulate(n_obs=40, seed=5)
    turned = mudata.MuData({"protein": new["protein"].copy(), "rna": new["rna"][::-1, ::-1].copy()})
    turned.write_h5mu(tmp_path / "new.h5mu")
    done = run("annotate", tmp_path / "new.h5mu", "--model", folder / "model", "-o", tmp_path / "out.h5mu")
    assert done.stdout.splitlines()[0] == f"Wrote {tmp_path / 'out.h5mu'} with"
    written = mudata.read_h5mu(tmp_path / "out.h5mu")
    assert problems_of_results(written, turned) == []
    mean, _ = omixvae.load(folder / "model").latent(new)
    order = new.obs_names.get_indexer(written.obs_names)
    np.testing.assert_allclose(written.obsm["X_omixvae"], mean[order], atol=1e-5)


@pytest.mark.slow
def test_annotate_data_that_lack_a_modality(folder, tmp_path):
    new = omixvae.simulate(n_obs=40, seed=6)
    mudata.MuData({"rna": new["rna"].copy()}).write_h5mu(tmp_path / "new.h5mu")
    options = ("--model", folder / "model", "-o", tmp_path / "new.h5mu", "--in-place", "--quiet")
    assert run("annotate", tmp_path / "new.h5mu", *options).stdout == ""
    written = mudata.read_h5mu(tmp_path / "new.h5mu")
    model = omixvae.load(folder / "model")
    mean, _ = model.latent(new, given=["rna"])
    imputed, sd = (omixvae.imputed(written, "protein", sd=sd) for sd in (False, True))
    np.testing.assert_allclose(written.obsm["X_omixvae"], mean, atol=1e-5)
    assert imputed.shape == (40, 20)
    assert list(imputed.columns) == list(new["protein"].var_names)
    assert (imputed.to_numpy() > 0).all()
    assert (sd.to_numpy() > 0).all()


@pytest.mark.slow
def test_inspect_says_what_is_there_and_what_would_be_done(folder):
    done = run("inspect", folder / "in.h5mu", "--json", "--n-latent", "5")
    report = json.loads(done.stdout)
    values = mudata.read_h5mu(folder / "in.h5mu")["protein"].X.toarray()
    assert report["modalities"][1] == {
        "name": "protein",
        "observations": 112,
        "features": 20,
        "values": "counts",
        "smallest": values.min(),
        "largest": values.max(),
        "zeros": pytest.approx(np.mean(values == 0)),
        "missing_entries": 0.0,
    }
    assert report["patterns"] == [
        {"modalities": ["rna", "protein"], "observations": 112},
        {"modalities": ["rna"], "observations": 38},
    ]
    assert report["choices"]["n_latent"] == "n_latent = 5: as asked"
    assert report["choices"]["likelihood of protein"].startswith(
        "likelihood of protein = negative_binomial: all values are whole numbers from 0 to "
    )
    text = " ".join(run("inspect", folder / "in.h5mu", "--n-latent", "5").stdout.split())
    assert all(reason in text for reason in report["choices"].values())
    assert text.endswith("Nothing stops training: go on with the same options.")


@pytest.mark.slow
def test_simulate_writes_what_the_python_call_makes(tmp_path):
    done = run("simulate", "-o", tmp_path / "example.h5mu", "--n-obs", 60, "--seed", 3, "--missing", 0.2)
    assert (done.stdout, done.stderr) == (
        f"Wrote {tmp_path / 'example.h5mu'}: 60 observations of rna, protein.\n",
        "",
    )
    written, made = mudata.read_h5mu(tmp_path / "example.h5mu"), omixvae.simulate(n_obs=60, seed=3, missing=0.2)
    np.testing.assert_array_equal(written["rna"].X.toarray(), made["rna"].X.toarray())
    assert written["protein"].n_obs == made["protein"].n_obs == 54


def test_help_answers_at_once_without_the_heavy_packages():
    code = (
        "import sys, time; from omixvae.cli import main\n"
        "try: main(['--help'], prog_name='omixvae')\n"
        "except SystemExit: pass\n"
        "print(time.process_time(), [m for m in ('torch', 'mudata', 'scanpy', 'pandas') if m in sys.modules])"
    )
    began = time.perf_counter()
    lines = run_apart("-c", code).stdout.splitlines()
    assert lines[0] == "Usage: omixvae [OPTIONS] COMMAND [ARGS]..."
    assert lines[-1].endswith(" []")
    assert float(lines[-1].split()[0]) < 0.5  # of the processor, the start of Python included: others may be at work
    assert time.perf_counter() - began < 5


@pytest.mark.slow
def test_neighbours_of_many_latents_by_plain_scanpy():
    latents = np.random.default_rng(0).standard_normal((9000, 10)).astype(np.float32)
    adata = anndata.AnnData(np.zeros((9000, 1), np.float32), obsm={"X_omixvae": latents})
    scanpy.pp.neighbors(adata, use_rep="X_omixvae", random_state=0)
    graph = adata.obsp["connectivities"]
    assert graph.shape == (9000, 9000)
    assert graph.nnz >= 9000 * 14


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nutrimouse", "tcga_acc_mini"])
def test_real_data(data_folder, tmp_path, name):
    source = mudata.read_h5mu(data_folder / f"{name}.h5mu")
    mdata = source.copy()
    omixvae.fit(mdata, max_epochs=6, progress=False)
    mdata.write_h5mu(tmp_path / "out.h5mu")
    assert problems_of_results(mudata.read_h5mu(tmp_path / "out.h5mu"), source) == []
