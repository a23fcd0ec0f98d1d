"""Several processes: they take the steps of one, agree to the last bit, speak with one voice, and end together."""

import os
import pickle
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import in_processes
import mudata
import numpy as np
import pytest
import torch

import omixvae
from omixvae.config import Config
from omixvae.data import from_mudata
from omixvae.data.sampler import held_out_split
from omixvae.errors import InputError
from omixvae.inference.calibrate import calibrate
from omixvae.objectives import OBJECTIVES
from omixvae.plan import make_plan
from omixvae.processes import OneProcess, several_started
from omixvae.training.engine import LARGEST_GRADIENT, RANK_SEED_STRIDE, Trainer, _penalty, train
from omixvae.training.schedule import learning_rate_factor, warm_up

ROOT = Path(__file__).parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TRAIN = ("-m", "omixvae", "train", "in.h5mu", "-o", "out.h5mu")


def environment(**more: object) -> dict[str, str]:
    """Give the environment of a process with one thread that finds this package and the tests."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | {k: str(v) for k, v in more.items()}


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Start two processes with torchrun."""
    return subprocess.run(
        [sys.executable, *TORCHRUN, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment(), timeout=300,
    )  # fmt: skip


@contextmanager
def srun(*arguments: object, **more: object):
    """Start two processes as srun does, as far as they can tell: each with its place in the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    step = {
        "SLURM_STEP_NUM_TASKS": 2, "SLURM_NTASKS": 2, "SLURM_NTASKS_PER_NODE": 2, "SLURM_JOB_NAME": "train",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **more,
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(**step, SLURM_PROCID=rank, SLURM_LOCALID=rank, SLURM_NODEID=0),
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ends(started):
    """Wait for processes, and give their exit codes and what all of them said together."""
    said = [process.communicate(timeout=100) for process in started]
    return [p.returncode for p in started], "".join(out for out, _ in said), "".join(err for _, err in said)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Give what each of two processes saw in `in_processes.py`."""
    folder = tmp_path_factory.mktemp("processes")
    done = torchrun(ROOT / "tests/training/in_processes.py", folder)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder to work in, with a small set to train on."""
    omixvae.simulate(n_obs=151).write_h5mu(tmp_path / "in.h5mu")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def naive(name):
    """Train in one process, with batches of twice the size: each half has the noise of its process."""
    data, plan, network = in_processes.case(name)
    rng = np.random.default_rng(plan.seed)
    rows, held_out = held_out_split(data.presence, plan.held_out, rng)
    trainer = Trainer(
        network, data, plan, OneProcess(), OBJECTIVES["masked"], rows, data.take(held_out), on_epoch=None, stop=None
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99))
    n_batches = -(-len(rows) // (2 * plan.batch_size))
    noise = [torch.Generator().manual_seed(plan.seed + RANK_SEED_STRIDE * rank) for rank in range(2)]
    step, curve, states = 0, [], []

    def bounds(index, noise, warm, progress=1.0):
        parts = [data.rows(index[r::2], torch.device("cpu"), torch.float64) for r in range(2)]
        terms = [trainer.evaluate(part, noise[r], warm) for r, part in enumerate(parts)]
        weights = torch.tensor([m.weight ** (1 - progress) for m in plan.modalities], dtype=torch.float64)
        return tuple(torch.cat([replace(t, weights=w).bound for t in terms]) for w in (weights, terms[0].weights))

    for epoch in range(plan.max_epochs):
        network.eval()
        if epoch == plan.prior_epoch:
            trainer.start_prior(rng)
        network.train()
        total = 0.0
        for index in np.array_split(rng.permutation(rows), n_batches):
            progress = epoch / plan.max_epochs
            weighted, bound = bounds(index, noise, warm_up(epoch + 1, plan.warm_up_epochs), progress)
            optimiser.zero_grad()
            (-weighted.mean() + _penalty(network, plan) / len(rows)).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimiser.param_groups[0]["lr"] = plan.learning_rate * learning_rate_factor(
                step, plan.max_epochs * n_batches
            )
            optimiser.step()
            step += 1
            total += bound.sum().item()
        network.eval()
        with torch.no_grad():
            judged = [torch.Generator().manual_seed(plan.seed + 1 + RANK_SEED_STRIDE * rank) for rank in range(2)]
            repeated = np.tile(held_out, 256 // len(held_out))
            held_out_bound = bounds(repeated, judged, 1.0)[1].mean().item()
        curve.append((total / len(rows), held_out_bound))
        states.append({name: value.clone() for name, value in network.state_dict().items()})
    best = max(range(plan.prior_epoch, plan.max_epochs), key=lambda epoch: curve[epoch][1])
    network.load_state_dict(states[best])
    trainer.finish_prior()
    calibrate(network, data, held_out, rows, plan.seed)
    return curve, network.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("name", in_processes.CASES)
def test_two_processes_take_the_steps_of_one_with_twice_the_batch(seen, name):
    curve, state = naive(name)
    history, of_two = seen[0][name]
    assert [(row.bound, row.held_out_bound) for row in history] == [pytest.approx(row, rel=1e-9) for row in curve]
    torch.testing.assert_close(of_two, state, rtol=1e-6, atol=1e-8, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", in_processes.CASES)
def test_processes_agree_to_the_last_bit(seen, name):
    (mine, state), (others, of_other) = (of_process[name] for of_process in seen)
    torch.testing.assert_close(state, of_other, rtol=0, atol=0, equal_nan=True)
    assert [row.held_out_bound for row in mine] == [row.held_out_bound for row in others]


@pytest.mark.slow
def test_a_script_gets_the_same_model_and_results_in_each_process(seen):
    (state, latent), (of_other, of_others) = (of_process["fit"] for of_process in seen)
    torch.testing.assert_close(state, of_other, rtol=0, atol=0, equal_nan=True)
    np.testing.assert_array_equal(latent, of_others)


@pytest.mark.slow
def test_gradients_are_added_up_and_none_only_where_no_process_has_one(seen):
    for of_process in seen:
        both, one, none = of_process["gradients"]
        assert (both.tolist(), one.tolist(), none) == ([2.0, 1.0], [1.0], None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("diverged", "Training stopped: the reconstruction of 'protein' became infinite or NaN."),
        ("other seeds", "The processes that train together were given different data, options or checkpoints."),
        ("bad data in the second", "Only 3 observations have any value; nothing can be learned from so few."),
    ],
)
def test_what_is_wrong_in_one_process_is_said_in_each(seen, name, problem):
    assert [of_process[name].partition("\nWhere: ")[0] for of_process in seen] == [problem, problem]


@pytest.mark.slow
def test_torchrun_trains_once_and_writes_once(folder):
    done = torchrun(*TRAIN, "--model", "model", "--max-epochs", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Trained on 151 observations") == 1
    assert done.stderr.count("epoch 4/4 ") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["in.h5mu", "model", "out.h5mu"]
    mdata = mudata.read_h5mu("out.h5mu")
    latent, _ = omixvae.load("model").latent(mdata)
    np.testing.assert_allclose(mdata.obsm["X_omixvae"], latent, rtol=1e-5, atol=1e-6)
    reason = "batch_size = 16: about a fortieth of 151 observations, from 32 to 1024, shared by 2 processes"
    assert mdata.uns["omixvae"]["reasons"]["batch_size"].startswith(reason)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "absent.h5mu", "-o", "out.h5mu"), "Error: There is no file 'absent.h5mu'.\nWhere: the input\n"),
        (("train", "in.h5mu", "-o", "out.h5mu", "--n-latents", "3"), "Error: No such option '--n-latents'."),
        (("annotate", "in.h5mu", "-o", "out.h5mu", "--model", "absent"), "Error: absent holds no model: "),
        (("train", "in.h5mu", "-o", "out.h5mu", "--noise", "rna=1"), "Error: A noise is given for modality 'rna'"),
    ],
)  # fmt: skip
def test_an_error_ends_all_processes_and_is_said_once(folder, arguments, said):
    with srun("-m", "omixvae", *arguments) as started:
        codes, output, errors = ends(started)
    assert (codes, output) == ([2, 2], "")
    assert errors.count("Error: ") == 1
    assert said in errors
    assert "Traceback" not in errors
    assert [path.name for path in folder.iterdir()] == ["in.h5mu"]


@pytest.mark.slow
def test_torchrun_reports_an_exit_code_of_2(folder):
    done = torchrun("-m", "omixvae", "train", "absent.h5mu", "-o", "out.h5mu")
    assert done.returncode != 0
    assert done.stderr.count("Error: There is no file 'absent.h5mu'.") == 1
    assert [line.split()[2] for line in done.stderr.splitlines() if line.strip().startswith("exitcode ")] == ["2", "2"]


@pytest.mark.slow
def test_srun_in_a_shell_made_by_salloc_and_a_command_that_is_no_work_to_share(folder):
    with srun("-m", "omixvae", "simulate", "-o", "more.h5mu", "--n-obs", "20", SLURM_JOB_NAME="interactive") as started:
        codes, output, errors = ends(started)
    assert (codes, output, errors) == ([0, 0], "Wrote more.h5mu: 20 observations of rna, protein.\n", "")


@pytest.mark.slow
def test_srun_that_does_not_say_how_tasks_are_spread_is_refused(folder):
    forget = "import os, sys; del os.environ['SLURM_NTASKS_PER_NODE']; from omixvae.cli import main; main(sys.argv[1:])"
    with srun("-c", forget, *TRAIN[2:]) as started:
        codes, _, errors = ends(started)
    assert codes == [2, 2]
    assert "Error: SLURM does not say how many processes each machine has." in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_processes_that_are_stopped_stop_together_and_go_on(folder):
    with srun(*TRAIN, "--max-epochs", "30") as started:
        wait_until_it_trains(started[0], "epoch 6/30 ")
        started[1].send_signal(signal.SIGTERM)  # a signal may reach one of them alone
        codes, output, errors = ends(started)
    assert (codes, output) == ([128 + signal.SIGTERM] * 2, "")
    assert errors.count("Go on with: omixvae train in.h5mu -o out.h5mu --resume out.checkpoint") == 1
    assert "Traceback" not in errors
    assert sorted(path.name for path in folder.iterdir()) == ["in.h5mu", "out.checkpoint"]
    alone = subprocess.run(
        [sys.executable, *TRAIN, "--resume", "out.checkpoint"],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert "begun with 2 process(es), and there is now 1 process(es)" in alone.stderr
    straight = [*TRAIN[:-1], "straight.h5mu", "--max-epochs", "30"]
    for arguments in ([*TRAIN, "--resume", "out.checkpoint"], straight):
        with srun(*arguments) as started:
            assert ends(started)[0] == [0, 0]
    resumed, other = mudata.read_h5mu("out.h5mu"), mudata.read_h5mu("straight.h5mu")
    np.testing.assert_array_equal(resumed.obsm["X_omixvae"], other.obsm["X_omixvae"])
    assert sorted(path.name for path in folder.iterdir()) == ["in.h5mu", "out.h5mu", "straight.h5mu"]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others(folder):
    with srun(*TRAIN, "--max-epochs", "200") as started:
        wait_until_it_trains(started[0])
        started[1].kill()
        codes, _, errors = ends(started)
    assert codes == [1, -signal.SIGKILL]
    assert errors.count("Error: Another process has ended or cannot be reached") == 1
    assert "Traceback" not in errors
    assert [path.name for path in folder.iterdir()] == ["in.h5mu"]


def wait_until_it_trains(process, line_of="epoch 20/200 "):
    for line in process.stderr:
        if line.startswith(line_of):
            return
    raise AssertionError("it never trained")


@pytest.mark.slow
def test_one_process_needs_no_lightning(folder):
    code = (
        "import sys\nfrom omixvae.cli import main\n"
        f"main({[*TRAIN[2:], '--max-epochs', '1', '--quiet']}, standalone_mode=False)\n"
        "print([name for name in sys.modules if 'lightning' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.slow
def test_lightning_that_is_lacking_is_named(folder):
    (folder / "lightning_fabric").mkdir()
    (folder / "lightning_fabric" / "__init__.py").write_text("raise ImportError")
    with srun(*TRAIN) as started:  # python -m looks into the working folder first
        codes, _, errors = ends(started)
    assert codes == [2, 2]
    assert "Lightning Fabric, which connects them, is not installed." in errors
    assert "Run pip install 'omixvae[distributed]', or start one process." in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("variables", "several"),
    [
        ({}, False),
        ({"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2"}, True),
        ({"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "1"}, False),
        ({"WORLD_SIZE": "2"}, False),
        # a shell that salloc opened, a batch script, one task of srun, and four of them
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"}, False),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "train.sh"}, False),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}, True),
    ],
)
def test_several_processes_are_those_of_a_launcher(monkeypatch, variables, several):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_")) or name == "WORLD_SIZE":
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert several_started() is several


def test_more_processes_than_observations_are_refused():
    data, plan, network = in_processes.case("odd")
    processes = OneProcess()
    processes.size = 34
    with pytest.raises(InputError, match="34 processes cannot share 33 observations to train on"):
        train(network, data, plan, processes)


@pytest.mark.parametrize(("n", "n_processes", "batch_size"), [(60, 1, 32), (60, 2, 16), (60, 3, 11), (60, 64, 1)])
def test_processes_share_the_batch_that_one_would_take(n, n_processes, batch_size):
    data = from_mudata(omixvae.simulate(n_obs=n))
    plans = [make_plan(Config(), data, n_processes=k) for k in (1, n_processes)]
    assert plans[1].batch_size == batch_size
    assert plans[1].max_epochs == plans[0].max_epochs


def test_a_batch_size_that_was_asked_for_is_that_of_each_process():
    data = from_mudata(omixvae.simulate(n_obs=1200))
    asked = Config.from_options(batch_size=100)
    one, four = (make_plan(asked, data, n_processes=k) for k in (1, 4))
    assert (one.batch_size, four.batch_size) == (100, 100)
    assert four.reasons["batch_size"] == "batch_size = 100: as asked, in each of 4 processes"
    assert (one.max_epochs, four.max_epochs) == (137, 500)


def test_an_error_survives_the_way_between_processes():
    two = (InputError("a.", "b", "c."), InputError("d.", "e", "f."))
    many = pickle.loads(pickle.dumps(InputError("All.", "there", "Mend.", two)))
    assert (str(many), [str(part) for part in many.parts]) == (
        "All.\nWhere: there\nFix: Mend.",
        ["a.\nWhere: b\nFix: c.", "d.\nWhere: e\nFix: f."],
    )
    one = pickle.loads(pickle.dumps(two[0]))
    assert one.parts == (one,)
