"""Checkpoints: a training that is stopped and goes on ends as one that never was; other data are refused."""

import dataclasses
import json
import signal
import threading

import mudata
import numpy as np
import pytest
import torch
from builders import build_mdata, plan_of

import omixvae
from omixvae.config import Config
from omixvae.data import from_mudata
from omixvae.processes import OneProcess
from omixvae.training.checkpoint import Checkpoint, Setting
from omixvae.training.engine import train
from omixvae.training.initialise import initialise_network
from omixvae.training.progress import TrainingProgress
from omixvae.training.state import StoppedTraining
from omixvae.training.stopping import _stop_signals
from omixvae.vae import new_network

CPU = torch.device("cpu")
SMALL = {"max_epochs": 6, "n_latent": 2, "batch_size": 4, "progress": False}

CASES = {
    "mixture": {"prior": "gaussian_mixture", "choose_clusters": True, "decoder": "mlp", "batch_size": 4},
    "double": {"prior": "gaussian_mixture", "decoder": "linear", "precision": "float64", "private_dropout": 0.5},
    "early stopping": {"prior": "gaussian_mixture", "max_epochs": 40, "learning_rate": 0.1, "patience": 3},
    "no prior in the bound": {"prior": "gaussian_mixture", "objective": "mixture", "batch_size": 3, "max_epochs": 3},
    "vamp": {"prior": "vamp", "aggregation": "self_attention", "held_out": 0.0, "max_epochs": 3},
}


@pytest.fixture(autouse=True)
def interruptible():
    """Let this process be interrupted, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def case(name):
    data = from_mudata(build_mdata(60))
    return data, plan_of(data, **({"held_out": 0.2} | CASES[name]))


def begin(plan, data):
    network = new_network(plan, CPU)
    initialise_network(network, data, np.random.default_rng(plan.seed))
    return network


def without_time(history):
    return np.array([dataclasses.astuple(row)[:-1] for row in history])


def assert_same(network, other):
    torch.testing.assert_close(network.state_dict(), other.state_dict(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_training_stopped_at_every_opportunity_ends_as_one_that_never_was(name, tmp_path):
    data, plan = case(name)
    straight = begin(plan, data)
    rows = []
    history = train(straight, data, plan, on_epoch=rows.append)
    setting = Setting.of(Config(), plan, data, CPU, 1)
    seen, points, snapshot = [], [], None
    while True:
        network = begin(plan, data)  # as after a restart: nothing is left but the folder
        stuck = len(points) > 1 and points[-1] == points[-2]
        try:
            resumed = train(
                network, data, plan, on_epoch=seen.append, stop=lambda stuck=stuck: not stuck, snapshot=snapshot
            )
        except StoppedTraining as stopped:
            Checkpoint(tmp_path / "stopped", setting).write(stopped.snapshot)
            snapshot = Checkpoint(tmp_path / "stopped", setting).read()
            points.append((len(snapshot.history), snapshot.step))
        else:
            break
    assert_same(network, straight)
    np.testing.assert_array_equal(without_time(resumed), without_time(history))
    np.testing.assert_array_equal(without_time(seen), without_time(rows))
    assert {epoch for epoch, step in points if not step} == set(range(1, len(history) + 1)), "between all epochs"
    assert any(step for _, step in points) == (plan.batch_size < 5), "and within them, where they are long"
    assert (len(history) < plan.max_epochs) == (name == "early stopping")


def stopped_after(n_questions, folder, **changes):
    """Leave a checkpoint of a small training in a folder, and give its data and setting."""
    data = from_mudata(build_mdata(60))
    plan = plan_of(data, held_out=0.2)
    setting = dataclasses.replace(Setting.of(Config(), plan, data, CPU, 1), **changes)
    asked = iter([*[False] * (n_questions - 1), True])
    with pytest.raises(StoppedTraining) as stopped:
        train(begin(plan, data), data, plan, OneProcess(), stop=lambda: next(asked))
    Checkpoint(folder, setting).write(stopped.value.snapshot)
    return data, setting


def test_a_checkpoint_is_no_model_and_a_part_of_one_is_refused(tmp_path):
    folder = tmp_path / "stopped"
    _, setting = stopped_after(1, folder)
    with pytest.raises(omixvae.InputError, match="holds no model"):
        omixvae.load(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["stopped"], "nothing temporary is left"
    tensors = folder / "training.safetensors"
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-100])
    with pytest.raises(omixvae.InputError, match=r"cannot be read.*\nWhere: checkpoint (?s:.*)copy it again"):
        Checkpoint(folder, setting).read()
    tensors.unlink()
    with pytest.raises(omixvae.InputError, match="cannot be read"):
        Checkpoint(folder, setting).read()
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(omixvae.InputError, match=r"holds 'mine.txt', which is not part of a checkpoint"):
        Checkpoint(folder, setting)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_that_was_there(tmp_path):
    folder = tmp_path / "stopped"
    _, setting = stopped_after(1, folder)
    before = (folder / "training.json").read_bytes()
    snapshot = Checkpoint(folder, setting).read()
    broken = dataclasses.replace(snapshot, order={"not": {1, 2}})
    with pytest.raises(TypeError):
        Checkpoint(folder, setting).write(broken)
    assert (folder / "training.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["stopped"]


def renamed(mdata):
    mdata["protein"].var_names = [f"{name}x" for name in mdata["protein"].var_names]
    mdata.update()
    return mdata


def rescaled(mdata):
    mdata["protein"].X = mdata["protein"].X * 1.001
    return mdata


def other_names(mdata):
    parts = {name: part.copy() for name, part in mdata.mod.items()}
    for part in parts.values():
        part.obs_names = [f"{name}x" for name in part.obs_names]
    return mudata.MuData(parts)


def less_measured(mdata):
    parts = dict(mdata.mod)
    parts["rna"] = parts["rna"][:-1].copy()
    return mudata.MuData(parts)[mdata.obs_names].copy()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Give a folder with the checkpoint of a fit that SIGTERM stopped."""
    folder = tmp_path_factory.mktemp("fit") / "stopped"
    with pytest.raises(KeyboardInterrupt, match=r"Stopped (in|after) epoch \d of 6"):
        interrupted_fit(build_mdata(60), folder, signal.SIGTERM)
    return folder


def interrupted_fit(mdata, folder, number):
    """Fit, and send this process a signal while the second epoch is over."""
    model = omixvae.OmixVAE(**SMALL)
    noted = TrainingProgress.__call__

    def note(self, row):
        noted(self, row)
        if row.epoch == 1:
            signal.raise_signal(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingProgress, "__call__", note)
        return model.fit(mdata, checkpoint=folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed, "begun on modality 'protein' with other features, or in another order"),
        (lambda m: m[:, m.var_names != "protein0"].copy(), "'protein' with 5 features, now it has 4"),
        (lambda m: mudata.MuData({"rna": m["rna"]}), "The training was begun with 60 observations"),
        (lambda m: m[:50].copy(), "begun with 60 observations, and there is now 50 observations"),
        (rescaled, "Modality 'protein' holds other values than the training was begun with"),
        (other_names, "The observations have other names"),
    ],
)
def test_other_data_are_refused(change, message, stopped):
    before = sorted(path.read_bytes() for path in stopped.iterdir())
    with pytest.raises(omixvae.InputError, match=message):
        omixvae.OmixVAE(**SMALL).fit(change(build_mdata(60)), checkpoint=stopped)
    assert sorted(path.read_bytes() for path in stopped.iterdir()) == before


def test_other_options_are_refused_by_name(stopped):
    with pytest.raises(omixvae.InputError) as refused:
        omixvae.OmixVAE(**SMALL | {"n_latent": 3, "seed": 4}).fit(build_mdata(60), checkpoint=stopped)
    problems = [part.problem for part in refused.value.parts]
    assert problems == [
        "Option n_latent is 3, but the training was begun with 2.",
        "Option seed is 4, but the training was begun with 0.",
    ]


def test_another_version_is_refused(stopped, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in stopped.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    told = json.loads((copy / "training.json").read_text())
    told["circumstances"]["version"] = "0.0.1"
    (copy / "training.json").write_text(json.dumps(told))
    with pytest.raises(omixvae.InputError, match=r"begun with omixvae 0\.0\.1(?s:.*)Go on with that version"):
        omixvae.OmixVAE(**SMALL).fit(build_mdata(60), checkpoint=copy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fit_goes_on_from_its_checkpoint_and_removes_it(number, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as stop:
        interrupted_fit(build_mdata(60), tmp_path / "stopped", number)
    assert stop.value.args == (number,)
    assert str(stop.value) == (
        f"Stopped after epoch 2 of 6. The same call goes on from checkpoint='{tmp_path / 'stopped'}'."
    )
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    straight = omixvae.OmixVAE(**SMALL).fit(build_mdata(60))
    resumed = omixvae.OmixVAE(**SMALL).fit(build_mdata(60), checkpoint=str(tmp_path / "stopped"))
    assert_same(resumed.network, straight.network)
    np.testing.assert_array_equal(without_time(resumed.history), without_time(straight.history))
    assert list(tmp_path.iterdir()) == []


def test_fit_in_a_thread_hears_no_signals_and_trains(tmp_path):
    done = []

    def fit():
        done.append(omixvae.OmixVAE(**SMALL).fit(build_mdata(60), checkpoint=tmp_path / "stopped"))

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert len(done[0].history) == 6
    assert list(tmp_path.iterdir()) == []


def test_the_first_signal_is_noted_and_the_second_ends_at_once():
    said, answers = [], []

    def heard_twice():
        with _stop_signals(said.append, at_once_again=True) as asked:
            answers.append(asked())
            signal.raise_signal(signal.SIGTERM)
            answers.append(asked())
            signal.raise_signal(signal.SIGINT)
            answers.append(asked())

    with pytest.raises(KeyboardInterrupt) as stop:
        heard_twice()
    assert stop.value.args == (signal.SIGINT,)
    assert answers == [0, signal.SIGTERM]
    assert said == ["Stopping after this step; once more ends at once, without a checkpoint."]


def test_further_signals_of_a_launcher_are_not_heeded():
    said, answers = [], []

    def heard_twice():
        with _stop_signals(said.append, at_once_again=False) as asked:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            answers.append(asked())
            raise StoppedTraining(None)

    with pytest.raises(StoppedTraining):
        heard_twice()
    assert answers == [signal.SIGINT]
    assert said == ["Stopping after this step."]


def test_a_signal_that_comes_when_the_training_is_over_is_not_lost():
    with pytest.raises(KeyboardInterrupt), _stop_signals(print, at_once_again=True):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _stop_signals(print, at_once_again=True) as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked() == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
