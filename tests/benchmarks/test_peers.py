"""What the comparison with peers hides, how it scores, and that its baselines find what they must."""

import subprocess
import sys
from statistics import NormalDist

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

from benchmarks.peers import baselines
from benchmarks.peers.outcome import COVERAGES
from benchmarks.peers.scores import coverage_scores, prediction_scores
from benchmarks.peers.sets import SETS, DataSet, hide_entries, hide_modalities, on_scale, values_of

N = 200


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
        method.__name__: prediction_scores(truth, method(hidden.seen, 0).values["protein"], entries, seen)
        for method in (baselines.mean, baselines.knn, baselines.ridge)
    }
    assert found["mean"] == pytest.approx({"pearson": 0.0, "error": 1.0})
    assert found["ridge"]["pearson"] > 0.999
    assert found["ridge"]["error"] < 0.05 < found["knn"]["error"] < 0.6


def test_limits_that_are_right_cover_what_they_say():
    rng = np.random.default_rng(0)
    truth, doubt = rng.standard_normal((2, 400, 50))
    doubt = np.exp(doubt)
    tails = [sign * NormalDist().inv_cdf((1 + c) / 2) for c in COVERAGES for sign in (-1, 1)]
    limits = np.stack([tail * doubt for tail in tails])
    scores = coverage_scores(truth * doubt, limits, rng.random((400, 50)) < 0.5)
    assert scores == pytest.approx({"cover50": 0.5, "cover80": 0.8, "cover95": 0.95}, abs=0.01)


def test_abundances_are_compared_on_the_log_scale():
    counts, logged = np.array([[0.0, 99.0]]), np.array([[0.0, 12.0]])
    np.testing.assert_allclose(on_scale(counts, counts), np.log1p(counts))
    np.testing.assert_array_equal(on_scale(logged, logged), logged)


def test_a_method_runs_in_a_process_of_its_own(cohort, tmp_path):
    cohort.write(tmp_path / "seen.h5mu")
    worker = [sys.executable, "-m", "benchmarks.peers.worker", "baselines", "mean"]
    subprocess.run([*worker, tmp_path / "seen.h5mu", tmp_path / "out.npz", '{"seed": 0}'], check=True)
    with np.load(tmp_path / "out.npz") as given:
        np.testing.assert_allclose(given["value:rna"][0], values_of(cohort, "rna").mean(axis=0), atol=1e-5)
        assert 50 < given["megabytes"] < 5000
