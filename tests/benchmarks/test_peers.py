"""What the comparison with peers hides, how it scores, and that its baselines find what they must."""

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from statistics import NormalDist

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

import omixvae
from benchmarks.peers import baselines
from benchmarks.peers.__main__ import METHODS, TASKS, _latent_scores, _table
from benchmarks.peers.outcome import COVERAGES
from benchmarks.peers.scores import batch_mixing, coverage_scores, prediction_scores, presence_auc
from benchmarks.peers.sets import (
    ROBUST,
    SETS,
    DataSet,
    draw,
    hide_donor,
    hide_entries,
    hide_halves,
    hide_modalities,
    hide_nothing,
    hide_types,
    on_scale,
    padded,
    untied,
    values_of,
)

N = 200
CITE = DataSet("", ("cell_type",), "batch", scored=("protein",))
ENVIRONMENTS = os.environ.get("OMIXVAE_PEERS")


@pytest.fixture
def cohort():
    """Three modalities that are exact linear functions of three factors; the third is missing for the last quarter."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((N, 3))
    names = [f"patient{i:03d}" for i in range(N)]
    mods = {}
    for name, n_features, n in (("rna", 30, N), ("mirna", 20, N), ("protein", 12, N - N // 4)):
        values = (factors @ rng.standard_normal((3, n_features)))[:n].astype(np.float32)
        features = pd.DataFrame(index=[f"{name}{j}" for j in range(n_features)])
        mods[name] = anndata.AnnData(values, pd.DataFrame(index=names[:n]), features)
    return mudata.MuData(mods)


@pytest.fixture
def cells(cohort):
    """RNA and protein; the cells without protein are a batch, half of the others have one of four types."""
    made = mudata.MuData({"rna": cohort["rna"], "protein": cohort["protein"]})
    made.obs["batch"] = pd.Categorical(np.where(np.arange(N) < N - N // 4, "first", "second"))
    types = pd.Series([f"type{i % 4}" for i in range(N)], made.obs_names)
    made.obs["cell_type"] = types.where(np.arange(N) < N // 2).astype("category")
    return made


@pytest.mark.parametrize("seed", range(3))
def test_hidden_modalities_are_whole_and_every_observation_keeps_one(cohort, seed):
    hidden = hide_modalities(cohort, SETS["acc"], seed)
    lost = np.stack([entries.any(axis=1) for entries in hidden.entries.values()], axis=1)
    assert lost.sum(axis=1).max() == 1
    np.testing.assert_array_equal(lost.sum(axis=0), [40, 40, 30])
    assert set(hidden.seen.obs_names) == set(cohort.obs_names)
    for name, entries in hidden.entries.items():
        before, after = values_of(cohort, name), values_of(hidden.seen, name)
        assert entries[entries.any(axis=1)].all()
        np.testing.assert_array_equal(
            after, np.where(entries, np.nan, before)[cohort.obs_names.get_indexer(hidden.seen.obs_names)]
        )


def test_only_what_is_scored_is_hidden(cohort):
    for hide in (hide_modalities, hide_entries):
        entries = hide(cohort, DataSet("", scored=("protein",)), 0).entries
        assert [name for name, e in entries.items() if e.any()] == ["protein"]


def test_a_donor_is_a_batch_of_half_the_cells_that_lacks_what_is_scored(cells):
    hidden = hide_donor(cells, CITE, 0)
    lost = hidden.entries["protein"].any(axis=1)
    assert lost.sum() == 75
    np.testing.assert_array_equal(hidden.seen.obs["batch"] == "first, second", lost)
    np.testing.assert_array_equal(hidden.seen.obs["batch"] == "second", cells.obs["batch"] == "second")
    np.testing.assert_array_equal(
        hidden.seen.obs_names.isin(hidden.seen["protein"].obs_names), (np.arange(N) < 150) & ~lost
    )
    assert set(cells.obs["batch"]) == {"first", "second"}
    assert not hidden.entries["rna"].any()
    alone = hide_donor(cells, DataSet("", scored=("protein",)), 0)
    assert (alone.batch, set(alone.seen.obs["donor"])) == ("donor", {"first", "first, second"})


def test_cell_types_lose_what_is_scored_whole_and_others_keep_it(cells):
    hidden = hide_types(cells, CITE, 0)
    lost = hidden.entries["protein"].any(axis=1)
    types = cells.obs["cell_type"]
    assert types[lost].nunique() == 2
    np.testing.assert_array_equal(lost, types.isin(types[lost].unique()))
    np.testing.assert_array_equal(hidden.seen.obs["batch"], cells.obs["batch"])
    assert not hidden.at_random


def test_half_of_the_complete_cells_lose_one_modality(cells):
    hidden = hide_halves(cells, CITE, 0)
    has = {name: cells.obs_names.isin(hidden.seen[name].obs_names) for name in cells.mod}
    complete = np.arange(N) < 150
    assert (~has["rna"]).sum() == 38
    assert (complete & ~has["protein"]).sum() == 37
    assert (has["rna"] | has["protein"]).all()
    assert has["rna"][~complete].all()
    # what is not scored need not be predicted
    assert not hidden.entries["rna"].any()
    np.testing.assert_array_equal(hidden.entries["protein"].any(axis=1), complete & ~has["protein"])


def test_nothing_hidden_leaves_all_values(cells):
    hidden = hide_nothing(cells, CITE, 0)
    assert not any(entries.any() for entries in hidden.entries.values())
    for name in cells.mod:
        np.testing.assert_array_equal(values_of(hidden.seen, name), values_of(cells, name))


def test_padding_gives_zeros_to_what_lacks_a_modality(cells):
    made = padded(cells)
    for name in cells.mod:
        np.testing.assert_array_equal(made[name].obs_names, cells.obs_names)
        np.testing.assert_array_equal(values_of(made, name), np.nan_to_num(values_of(cells, name)))


def test_hidden_entries_are_a_tenth_of_what_was_measured(cohort):
    hidden = hide_entries(cohort, SETS["acc"], 0)
    for name, entries in hidden.entries.items():
        before = values_of(cohort, name)
        assert entries.sum() == pytest.approx(0.1 * (~np.isnan(before)).sum(), rel=0.15)
        np.testing.assert_array_equal(values_of(hidden.seen, name), np.where(entries, np.nan, before))


def test_ridge_finds_linear_relations_and_the_mean_is_the_reference(cohort):
    hidden = hide_modalities(cohort, DataSet("", scored=("protein",)), 0)
    entries = hidden.entries["protein"]
    truth = values_of(cohort, "protein")
    seen = np.where(entries, np.nan, truth)
    np.testing.assert_array_equal(hidden.seen.obs_names, cohort.obs_names)
    found = {
        method.__name__: prediction_scores(
            truth, method(hidden.seen, 0, None, ["protein"]).values["protein"], entries, seen
        )
        for method in (baselines.mean, baselines.knn, baselines.ridge)
    }
    assert found["mean"] == pytest.approx({"pearson": 0.0, "error": 1.0})
    assert found["ridge"]["pearson"] > 0.999
    assert found["ridge"]["error"] < 0.05 < found["knn"]["error"] < 0.6


def error_of(cohort, hidden, name, predicted):
    rows = cohort.obs_names.get_indexer(hidden.seen.obs_names)
    truth, entries = values_of(cohort, name)[rows], hidden.entries[name][rows]
    return prediction_scores(truth, predicted, entries, np.where(entries, np.nan, truth))["error"]


def test_the_second_pass_fills_in_what_the_inputs_lack(cohort):
    hidden = hide_modalities(cohort, SETS["acc"], 0)
    inputs, targets = baselines._inputs(hidden.seen), baselines._targets(hidden.seen, ["mirna"])
    once, twice = (baselines._regress(inputs, targets, 0, baselines._ridge, passes)["mirna"] for passes in (1, 2))
    assert error_of(cohort, hidden, "mirna", twice) < 0.5 * error_of(cohort, hidden, "mirna", once)


def test_what_is_predicted_does_not_come_back_through_what_is_filled_in(cohort):
    looked_at = []

    def watched(known, y, wanted):
        looked_at.append(known)
        return baselines._ridge(known, y, wanted)

    for other in (False, True):
        if other:
            cohort["rna"].X = np.random.default_rng(1).standard_normal(cohort["rna"].shape).astype(np.float32)
        seen = hide_modalities(cohort, SETS["acc"], 0).seen
        baselines._regress(baselines._inputs(seen), baselines._targets(seen, ["rna"]), 0, watched)
    first, second = looked_at[len(looked_at) // 2 - 1], looked_at[-1]
    np.testing.assert_array_equal(first, second)


def test_filling_in_keeps_what_was_measured(cohort):
    blocks = baselines._inputs(hide_entries(cohort, SETS["acc"], 0).seen)
    for name, filled in baselines._filled(blocks, 0, baselines._neighbours, passes=1).items():
        measured = ~np.isnan(blocks[name])
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[measured], blocks[name][measured])


def test_batches_mix_as_said_by_a_plain_count():
    rng = np.random.default_rng(0)
    latent, batch = rng.standard_normal((120, 3)), rng.choice(["a", "b", "c"], 120, p=[0.6, 0.3, 0.1])
    latent[batch == "a", 0] += 1
    others, expected = [], []
    for i in range(120):
        distances = [(np.sum((latent[i] - latent[j]) ** 2), j) for j in range(120) if j != i]
        others.append(np.mean([batch[j] != batch[i] for _, j in sorted(distances)[:50]]))
        expected.append(np.mean([batch[j] != batch[i] for j in range(120) if j != i]))
    assert batch_mixing(latent, batch) == pytest.approx(np.mean(others) / np.mean(expected))


def test_batches_by_chance_mix_fully_and_batches_apart_do_not():
    rng = np.random.default_rng(0)
    latent, batch = rng.standard_normal((2000, 5)), rng.random(2000) < 0.2
    assert batch_mixing(latent, batch) == pytest.approx(1, abs=0.03)
    assert batch_mixing(latent + 100 * batch[:, None], batch) == 0


@pytest.mark.slow
def test_presence_that_the_latent_tells_is_found():
    rng = np.random.default_rng(0)
    latent, present = rng.standard_normal((600, 4)), rng.random(600) < 0.5
    assert presence_auc(latent, present, 0) == pytest.approx(0.5, abs=0.06)
    assert presence_auc(latent + 5 * present[:, None], present, 0) > 0.99
    # no line tells how far from zero a point is
    ring = np.where(present, 3, 1)[:, None] * latent / np.linalg.norm(latent, axis=1, keepdims=True)
    assert presence_auc(ring, present, 0) > 0.9


def test_presence_is_asked_of_cells_that_had_all_and_mixing_of_measured_batches(cells):
    hidden = hide_donor(cells, CITE, 0)
    has = cells.obs_names.isin(hidden.seen["protein"].obs_names)
    latent = np.random.default_rng(0).standard_normal((N, 2))
    apart = 100.0 * (np.arange(N) >= 150)[:, None]
    # the second batch never had protein: that it lies apart tells nothing of what chance took
    found = _latent_scores(latent + apart, None, hidden, CITE, cells, 0)
    assert found.keys() == {"batch:mixing", "protein:presence AUC"}
    assert found["batch:mixing"] < 0.05
    assert found["protein:presence AUC"] < 0.75
    found = _latent_scores(latent + 9.0 * has[:, None], latent, hidden, CITE, cells, 0)
    assert found["protein:presence AUC"] == 1
    assert found["protein, a draw:presence AUC"] < 0.75
    assert _latent_scores(latent, latent, hide_types(cells, CITE, 0), CITE, cells, 0).keys() == {"batch:mixing"}


def test_methods_are_asked_only_what_they_were_made_for(cells, cohort):
    asked = {task: [name for name, method in METHODS.items() if method.applies(cells, task)] for task in TASKS}
    assert "totalVI" in asked["donor"]
    assert "totalVI" not in asked["halves"] + asked["entries"]
    assert "MIDAS" in asked["halves"]
    assert "mean" not in asked["whole"]
    assert not any("MultiVI" in methods for methods in asked.values())
    assert not any(METHODS[peer].applies(cohort, "modalities") for peer in ("totalVI", "MultiVI", "MIDAS"))


def test_parts_of_a_set_have_the_asked_size_and_differ_between_seeds(cells):
    part = DataSet("any.h5mu", n_obs=30, n_features={"rna": 7})
    first, again, other = (draw(cells, part, seed) for seed in (0, 0, 1))
    assert first.n_obs == 30
    assert first["rna"].n_vars == 7
    assert first["protein"].n_vars == cells["protein"].n_vars
    assert first.obs.equals(cells.obs.loc[first.obs_names])
    assert list(first.obs_names) == list(again.obs_names) != list(other.obs_names)
    assert list(first["rna"].var_names) == list(again["rna"].var_names) != list(other["rna"].var_names)


def test_tasks_of_the_sets_are_known_and_have_what_they_hide():
    for data_set in [*SETS.values(), *ROBUST.values()]:
        assert set(data_set.tasks) <= set(TASKS)
        assert data_set.scored or not {"donor", "types"} & set(data_set.tasks)
        assert data_set.labels or "types" not in data_set.tasks


def test_the_table_has_a_row_for_each_task_and_a_column_for_each_method_with_the_score():
    figures = {"seconds": 120.0, "protein:pearson": 0.5}
    done = {
        f"pbmc|{task}|{method}|{seed}": figures for task, method, seed in product(["donor"], ["kNN", "MOFA+"], [0, 1])
    }
    done["pbmc|whole|omixvae|0"] = {"seconds": 7.0}
    seconds, pearson = _table(done).split("\n\n**pearson**\n\n")
    assert seconds.splitlines()[2:] == [
        "| set  | hidden | omixvae | kNN         | MOFA+       |",
        "| ---- | ------ | ------- | ----------- | ----------- |",
        "| pbmc | donor  |         | 120.0 (0.0) | 120.0 (0.0) |",
        "| pbmc | whole  | 7.000   |             |             |",
    ]
    assert pearson.splitlines()[2] == "| pbmc | donor  | protein | 0.500 (0.000) | 0.500 (0.000) |"


def test_limits_that_are_right_cover_what_they_say():
    rng = np.random.default_rng(0)
    truth, doubt = rng.standard_normal((2, 400, 50))
    doubt = np.exp(doubt)
    tails = [sign * NormalDist().inv_cdf((1 + c) / 2) for c in COVERAGES for sign in (-1, 1)]
    limits = np.stack([tail * doubt for tail in tails])
    scores = coverage_scores(truth * doubt, limits, rng.random((400, 50)) < 0.5)
    assert scores == pytest.approx({"cover50": 0.5, "cover80": 0.8, "cover95": 0.95}, abs=0.01)


@pytest.mark.parametrize("rate", [0.05, 0.8, 40.0])
def test_limits_of_whole_numbers_cover_what_they_say_once_ties_are_broken(rate):
    rng = np.random.default_rng(0)
    truth = rng.poisson(rate, (400, 50)).astype(float)
    draws = untied(rng.poisson(rate, (4000, 1, 50)), truth, rng)
    limits = np.quantile(draws, [side for c in COVERAGES for side in ((1 - c) / 2, (1 + c) / 2)], axis=0)
    scores = coverage_scores(untied(truth, truth, rng), limits, np.isfinite(truth))
    assert scores == pytest.approx({"cover50": 0.5, "cover80": 0.8, "cover95": 0.95}, abs=0.01)


def test_values_that_are_no_whole_numbers_stay_where_they_are():
    values = np.array([[0.5, 2.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(untied(values, values, np.random.default_rng(0)), values)


def test_abundances_are_compared_on_the_log_scale():
    counts, logged = np.array([[0.0, 99.0]]), np.array([[0.0, 12.0]])
    np.testing.assert_allclose(on_scale(counts, counts), np.log1p(counts))
    np.testing.assert_array_equal(on_scale(logged, logged), logged)


def run_worker(method, seen, folder, python=sys.executable, **arguments):
    """Run a method as the benchmark does, and give what it wrote."""
    seen.write(folder / "seen.h5mu")
    worker = [python, "-m", "benchmarks.peers.worker", METHODS[method].module, METHODS[method].function]
    root = Path(__file__).parents[2]
    subprocess.run(
        [*worker, folder / "seen.h5mu", folder / "out.npz", json.dumps({"seed": 0, **arguments})],
        check=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    with np.load(folder / "out.npz") as given:
        return dict(given)


def test_a_method_runs_in_a_process_of_its_own(cohort, tmp_path):
    given = run_worker("mean", cohort, tmp_path, batch=None, wanted=["rna"])
    np.testing.assert_allclose(given["value:rna"][0], values_of(cohort, "rna").mean(axis=0), atol=1e-5)
    assert "value:protein" not in given
    assert 50 < given["megabytes"] < 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "task"), [("totalVI", "donor"), ("totalVI", "types"), ("MultiVI", "halves"), ("MIDAS", "halves")]
)
def test_peers_predict_what_they_did_not_see(method, task, tmp_path):
    environment = METHODS[method].environment
    python = Path(ENVIRONMENTS or "") / environment / "bin" / "python"
    if ENVIRONMENTS is None or not python.exists():
        pytest.skip(f"no environment {environment!r} in the folder that the variable OMIXVAE_PEERS names")
    whole = omixvae.simulate(n_obs=300)
    whole.obs["batch"] = pd.Categorical(np.arange(300) % 2)
    second = "protein"
    if method == "MultiVI":
        second, peaks = "atac", whole["protein"].copy()
        peaks.var_names = [f"chr{j % 3}:{j}-{j + 1}" for j in range(peaks.n_vars)]
        whole = mudata.MuData({"rna": whole["rna"], "atac": peaks})
        whole.obs["batch"] = pd.Categorical(np.arange(300) % 2)
    data_set = DataSet("", tuple(c for c in whole.obs if c != "batch")[:1], "batch", scored=(second,))
    hidden = TASKS[task](whole, data_set, 0)
    given = run_worker(method, hidden.seen, tmp_path, python, batch="batch", wanted=[second], epochs=3)
    assert given[f"value:{second}"].shape == (300, whole[second].n_vars)
    assert np.isfinite(given[f"value:{second}"]).all()
    assert (given[f"value:{second}"] >= 0).all()
    assert given["latent"].shape[0] == 300
    assert np.isfinite(given["latent"]).all()
