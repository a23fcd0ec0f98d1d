"""`omixvae train` is stopped and goes on, in processes of their own: the result is that of a run never stopped."""

import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import mudata
import numpy as np
import pytest
from click.testing import CliRunner

import omixvae
from omixvae.cli import main

pytestmark = pytest.mark.slow

SMALL = ("--max-epochs", "20", "--n-latent", "4", "--n-clusters", "4", "--batch-size", "256")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in a folder of its own, where processes can be interrupted although the tests run in the background."""
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _limit(largest_file):
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # HDF5 may crash: nobody reads the picture of the memory


def start(*arguments, largest_file=resource.RLIM_INFINITY):
    """Start the command in a process that can write files of so many bytes, as if the disk were full then."""
    return subprocess.Popen(
        [sys.executable, "-m", "omixvae", *arguments],
        preexec_fn=lambda: _limit(largest_file),
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def stopped(number, *arguments, after="epoch 4/20 ", model=None):
    """Start a training, send it a signal once it has come so far (or has saved a model), and give what it says last."""
    with start(*arguments) as run:
        for line in run.stderr:
            if line.startswith(after):
                break
        while model is not None and not Path(model).exists():
            time.sleep(0.01)
        run.send_signal(number)
        output, errors = run.communicate(timeout=100)
    assert "Traceback" not in errors
    assert output == ""
    assert run.returncode == 128 + number
    return errors.splitlines()[-1]


def finished(*arguments):
    """Run the command in this process: no signal is to reach it, and its start would take seconds."""
    done = CliRunner().invoke(main, list(arguments), prog_name="omixvae", catch_exceptions=False)
    assert done.exit_code == 0, done.output


def arrays(path):
    """Give all results that lie in a file."""
    mdata = mudata.read_h5mu(path)
    whole = {f"obsm {name}": np.asarray(values, np.float64) for name, values in mdata.obsm.items()}
    for name, part in mdata.mod.items():
        whole |= {f"{name} obsm {key}": np.asarray(values, np.float64) for key, values in part.obsm.items()}
    whole["cluster"] = mdata.obs["omixvae_cluster"].to_numpy().astype(str)
    return whole


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Give the results of a training that is never stopped."""
    path = tmp_path_factory.mktemp("straight") / "out.h5mu"
    finished("train", "example:cite", "-o", str(path), *SMALL)
    return arrays(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on_and_ends_as_one_that_never_was(number, straight):
    said = stopped(number, "train", "example:cite", "-o", "out.h5mu", "--model", "model", *SMALL)
    assert sorted(path.name for path in Path().iterdir()) == ["out.checkpoint"]
    reached, command = said.split(". Go on with: ")
    assert reached.startswith(("Stopped after epoch ", "Stopped in epoch "))
    assert reached.endswith(" of 20")
    assert command == "omixvae train example:cite -o out.h5mu --model model --resume out.checkpoint"
    finished(*command.split()[1:])
    assert sorted(path.name for path in Path().iterdir()) == ["model", "out.h5mu"]
    resumed = arrays("out.h5mu")
    assert resumed.keys() == straight.keys()
    for name, values in straight.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)


def refusal(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2
    return result.stderr.strip()


def test_what_does_not_fit_a_checkpoint_is_refused_in_words():
    omixvae.simulate(n_obs=300).write_h5mu("in.h5mu")
    omixvae.simulate(n_obs=301).write_h5mu("other.h5mu")
    Path("options.yaml").write_text("n_latent: 4\nn_clusters: 4\nbatch_size: 256\nmax_epochs: 400\n")
    said = stopped(
        signal.SIGTERM, "train", "in.h5mu", "--model", "model", "--config", "options.yaml", after="epoch 40/400 "
    )
    assert said.endswith("Go on with: omixvae train in.h5mu --model model --resume model.checkpoint")
    before = {path.name: path.read_bytes() for path in Path("model.checkpoint").iterdir()}
    again = ("train", "in.h5mu", "--model", "model")
    assert refusal(*again) == (
        "Error: model.checkpoint holds a training that was stopped, and no results were written.\n"
        "Where: output model\n"
        "Fix: Go on with it by --resume model.checkpoint, or remove that folder to train from the start."
    )
    assert refusal(*again, "--resume", "absent").startswith("Error: There is no checkpoint 'absent'.\nWhere: option -")
    assert refusal(*again, "--resume", "model.checkpoint", "--n-latent", "5") == (
        "Error: Option n_latent is 5, but the training was begun with 4.\n"
        "Where: option n_latent (--n-latent)\n"
        "Fix: Leave it out: all options are those of the checkpoint. Or train from the start, without --resume."
    )
    Path("options.yaml").write_text("n_latent: 4\nn_clusters: 6\n")
    assert "Option n_clusters is 6" in refusal(
        *again, "--resume", "model.checkpoint", "--config", "options.yaml", "--n-latent", "4", "--quiet"
    )
    assert "begun with 300 observations, and there is now 301 observations" in refusal(
        "train", "other.h5mu", "--model", "model", "--resume", "model.checkpoint"
    )
    assert "begun with values in memory, and there are now values on disk" in refusal(
        *again, "--from-disk", "--resume", "model.checkpoint"
    )
    assert {path.name: path.read_bytes() for path in Path("model.checkpoint").iterdir()} == before


def test_a_training_that_is_over_is_kept_when_its_results_cannot_be_written():
    omixvae.simulate(n_obs=600).write_h5mu("in.h5mu")
    options = ("--max-epochs", "2", "--decoder", "linear", "--quiet")
    with start("train", "in.h5mu", "-o", "out.h5mu", *options, largest_file=Path("in.h5mu").stat().st_size) as run:
        run.communicate(timeout=100)
    assert run.returncode != 0, "HDF5 says so, or crashes"
    assert not Path("out.h5mu").exists()
    assert refusal("train", "in.h5mu", "-o", "out.h5mu", *options) == (
        "Error: out.checkpoint holds a training that is done, and no results were written.\n"
        "Where: output out.h5mu\n"
        "Fix: Go on with it by `omixvae annotate --model out.checkpoint`, or remove that folder to train from the "
        "start."
    )
    assert "There is no checkpoint" in refusal("train", "in.h5mu", "-o", "out.h5mu", "--resume", "out.checkpoint")
    finished("annotate", "in.h5mu", "-o", "out.h5mu", "--model", "out.checkpoint")
    finished("train", "in.h5mu", "-o", "straight.h5mu", *options)
    np.testing.assert_array_equal(arrays("out.h5mu")["obsm X_omixvae"], arrays("straight.h5mu")["obsm X_omixvae"])


def test_a_run_that_is_stopped_while_it_writes_says_how_to_go_on():
    omixvae.simulate(n_obs=6000, missing=0.9).write_h5mu("in.h5mu")
    options = ("--max-epochs", "1", "--decoder", "linear", "--n-clusters", "2")
    said = stopped(
        signal.SIGINT, "train", "in.h5mu", "-o", "out.h5mu", *options, after="epoch 1/1 ", model="out.checkpoint"
    )
    assert said == (
        "Stopped. The training is done, its model is in out.checkpoint. Go on with: omixvae annotate in.h5mu -o "
        "out.h5mu --model out.checkpoint"
    )
    assert sorted(path.name for path in Path().iterdir()) == ["in.h5mu", "out.checkpoint"]
    finished(*said.split("omixvae ")[-1].split())


def test_a_folder_that_is_gone_after_the_training_costs_no_model():
    omixvae.simulate(n_obs=600).write_h5mu("in.h5mu")
    Path("lost").mkdir()
    options = ("--max-epochs", "5", "--decoder", "linear")
    with start("train", "in.h5mu", "-o", "lost/out.h5mu", "--model", "model", *options) as run:
        for line in run.stderr:
            if line.startswith("epoch 1/5 "):
                break
        Path("lost").rmdir()
        _, errors = run.communicate(timeout=100)
    assert "Traceback" not in errors
    assert run.returncode == 2
    problem, *rest = errors.splitlines()[-3:]
    assert problem.startswith("Error: 'out.h5mu' could not be written: [Errno 2] No such file or directory")
    assert rest == [
        "Where: output lost/out.h5mu",
        "Fix: Make room on the disk, or choose another folder. The training is done, its model is in model. Go on "
        "with: omixvae annotate in.h5mu -o lost/out.h5mu --model model",
    ]
    assert Path("model", "weights.safetensors").exists()


@pytest.mark.parametrize("command", ["impute", "annotate"])
def test_a_zarr_folder_that_the_disk_does_not_take_is_one_error(command):
    mdata = omixvae.simulate(n_obs=300)
    mdata.write_h5mu("in.h5mu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's own
        mdata.write_zarr("in.zarr")
    finished("train", "in.h5mu", "--model", "model", "--max-epochs", "1", "--no-early-stopping", "--quiet")
    before = sorted(path.name for path in Path().iterdir())
    options = ("--modality", "protein") if command == "impute" else ("--from-disk",)
    with start(command, "in.zarr", "-o", "out.zarr", "--model", "model", *options, largest_file=4000) as run:
        output, errors = run.communicate(timeout=100)
    assert (run.returncode, output) == (2, "")
    assert len(errors.splitlines()) == 3, errors
    assert errors.startswith("Error: 'out.zarr' could not be written: ")
    assert sorted(path.name for path in Path().iterdir()) == before
