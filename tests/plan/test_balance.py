"""What modalities say is measured against closed forms, and weights let none drown."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import omixvae
from omixvae.config import Config
from omixvae.data import from_mudata
from omixvae.plan import make_plan
from omixvae.plan.balance import LARGEST_WEIGHT, _explained, balanced_weights, gain


def factors(n: int, g: int, k: int, seed: int = 0) -> np.ndarray:
    """Make features of k common factors, in units of their own."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, k)) @ rng.standard_normal((k, g)) + rng.standard_normal((n, g))
    return (x * rng.uniform(0.1, 10, g)).astype(np.float32)


def table_of(values: np.ndarray):
    names = [f"sample{i}" for i in range(len(values))]
    features = pd.DataFrame(index=[f"feature{j}" for j in range(values.shape[1])])
    return from_mudata(mudata.MuData({"x": anndata.AnnData(values, pd.DataFrame(index=names), features)})).tables[0]


def gain_of(values: np.ndarray, k: int = 3) -> float:
    return gain(table_of(values), k, np.random.default_rng(0), logged=False, by_total=False)


@pytest.mark.parametrize(("n", "g"), [(200, 12), (40, 60)])
def test_the_gain_is_the_ratio_of_likelihoods(n, g):
    x = factors(n, g, 3).astype(float)
    x = (x - x.mean(0)) / x.std(0)
    value, vector = np.linalg.eigh(x.T @ x / n)
    rest = value[:-3].sum() / (g - 3)
    covariance = (vector[:, -3:] * (value[-3:] - rest)) @ vector[:, -3:].T + rest * np.eye(g)
    explained = stats.multivariate_normal(cov=covariance).logpdf(x).mean()
    alone = stats.norm.logpdf(x).sum(1).mean()
    assert _explained(x, 3) == pytest.approx(explained - alone, rel=1e-8)


def test_noise_says_nothing_and_units_do_not_matter():
    x = factors(300, 40, 3)
    assert gain_of(x) > 10
    assert gain_of(np.random.default_rng(1).standard_normal((300, 40)).astype(np.float32)) < 0.3
    assert gain_of(x * np.float32(100) + 7) == pytest.approx(gain_of(x), rel=1e-3)


def test_entries_that_were_not_measured_and_features_that_do_not_vary_change_little():
    x = factors(300, 40, 3)
    few = x.copy()
    few[np.random.default_rng(0).random(x.shape) < 0.02] = np.nan
    few = np.concatenate([few, np.full((300, 2), 3, np.float32)], axis=1)
    assert gain_of(few) == pytest.approx(gain_of(x), rel=0.15)


@pytest.mark.parametrize("values", [np.ones((9, 4), np.float32), np.arange(9, dtype=np.float32)[:, None] + 0.5])
def test_what_has_no_components_says_nothing(values):
    assert gain_of(values) == 0


def test_weights_grow_with_what_drowns_and_with_nothing_else():
    alike = balanced_weights({"a": 50.0, "b": 50.0}, {"a": 100, "b": 100})
    assert alike == {"a": 1.0, "b": 1.0}
    assert balanced_weights({"a": 400.0, "b": 4.0}, {"a": 2000, "b": 20}) == {"a": 1.0, "b": 10.0}
    assert balanced_weights({"a": 400.0, "noise": 0.0}, {"a": 100, "noise": 100}) == {"a": 1.0, "noise": 1.0}
    assert balanced_weights({"a": 9e6, "b": 1.0}, {"a": 10**6, "b": 2})["b"] == LARGEST_WEIGHT
    assert balanced_weights({"a": 0.0, "b": 0.0}, {"a": 5, "b": 5}) == {"a": 1.0, "b": 1.0}


def plan_of(mdata, **options):
    return make_plan(Config.from_options(**options), from_mudata(mdata, Config.from_options(**options).data))


def test_the_plan_balances_modalities_but_not_labels_and_says_why():
    mdata = omixvae.simulate(n_obs=300)
    plan = plan_of(mdata, labels_key="cluster")
    weights = {m.name: m.weight for m in plan.modalities}
    assert weights["rna"] == weights["cluster"] == 1.0
    assert 1 < weights["protein"] <= LARGEST_WEIGHT
    assert plan.reasons["weights"].startswith(f"weights = {weights}: what says less than another counts for more")
    assert plan_of(mdata, labels_key="cluster").reasons == plan.reasons, "the same data give the same weights"


@pytest.mark.parametrize(
    ("asked", "expected"), [(1, [1, 1]), ({"protein": 3}, [1, 3]), ({}, [1, 1]), (2.5, [2.5, 2.5])]
)
def test_weights_that_are_asked_for_are_taken(asked, expected):
    plan = plan_of(omixvae.simulate(n_obs=60), weights=asked)
    assert [m.weight for m in plan.modalities] == expected
    assert plan.reasons["weights"].endswith(": as asked")


def test_one_modality_has_nothing_to_balance():
    assert plan_of(omixvae.simulate(n_obs=60), modalities="rna").reasons["weights"].endswith("nothing to balance")
