"""What held-out observations say about predictions of a modality that was not measured."""

import anndata
import mudata
import numpy as np
import pytest
import torch
from builders import build_plan
from scipy import stats

import omixvae
from omixvae.data import from_mudata
from omixvae.inference import predict, shared_latent
from omixvae.inference.calibrate import SPREADS, calibrate, interval_credit
from omixvae.plan import ModalityPlan
from omixvae.vae import MultimodalVAE

NOISE = 0.5


def table(name, x, first=0):
    """The observations from `first` on, under names that say which they are."""
    made = anndata.AnnData(x.astype(np.float32))
    made.obs_names = [f"sample{first + i}" for i in range(len(x))]
    made.var_names = [f"{name}{j}" for j in range(x.shape[1])]
    return made


def two_tables(x, y):
    return from_mudata(mudata.MuData({"x": table("x", x), "y": table("y", y)}))


def ignorant(n_features=3):
    """A network that predicts N(0, NOISE²) whatever it sees."""
    plan = build_plan([ModalityPlan("x", 2, "gaussian", 0), ModalityPlan("y", n_features, "gaussian", 0, noise=NOISE)])
    network = MultimodalVAE(plan)
    for decoder in network.decoders:
        torch.nn.init.zeros_(decoder.linear.weight)
        torch.nn.init.zeros_(decoder.linear.bias)
    return network


def needed(deviation):
    """The smallest spread with which limits of 95 % of N(0, NOISE²) + spread × t₄ hold 95 % of N(0, deviation²)."""
    rng = np.random.default_rng(0)
    noise, t = NOISE * rng.standard_normal(400_000), rng.standard_t(4, 400_000)
    for spread in SPREADS:
        limit = np.quantile(np.abs(noise + spread * t), 0.95)
        if stats.norm.cdf(limit / deviation) - stats.norm.cdf(-limit / deviation) >= 0.95:
            return spread
    raise AssertionError


@pytest.mark.parametrize("law", [stats.bernoulli(0.05), stats.poisson(0.3), stats.poisson(30), stats.norm()])
@pytest.mark.parametrize("n_draws", [9, 100])
def test_limits_from_draws_hold_what_they_should_of_values_from_the_same_distribution(law, n_draws):
    drawn = law.rvs((n_draws + 1, 20_000), random_state=0).astype(float)
    below, at = ((drawn[1:] < drawn[0]).sum(0), (drawn[1:] == drawn[0]).sum(0))
    for coverage in (0.5, 0.95):
        part = interval_credit(torch.from_numpy(below), torch.from_numpy(at), n_draws, coverage)
        assert part.mean().item() == pytest.approx(coverage, abs=0.01)
        assert 0 <= part.min() <= part.max() <= 1 + 1e-6


@pytest.mark.parametrize("deviation", [0.3, 0.8, 1.2])
def test_the_spread_is_the_smallest_whose_limits_hold_what_they_should(deviation):
    rng = np.random.default_rng(1)
    data = two_tables(rng.standard_normal((900, 2)), deviation * rng.standard_normal((900, 30)))
    network = ignorant(30)
    calibrate(network, data, np.arange(600), np.arange(600, 900), seed=0)
    assert network.decoders[1].calibration.spread.tolist() == [pytest.approx(needed(deviation), abs=0.1001), 0.0]


@pytest.mark.parametrize("deviation", [0.3, 1.2])
def test_entries_have_a_spread_of_their_own(deviation):
    """What entries the network sees says nothing here: hidden ones need what values of the modality need."""
    rng = np.random.default_rng(1)
    y = deviation * rng.standard_normal((900, 60))
    y[rng.random(y.shape) < 0.1] = np.nan
    network = ignorant(60)
    calibrate(network, two_tables(rng.standard_normal((900, 2)), y), np.arange(600), np.arange(600, 900), seed=0)
    assert network.decoders[1].calibration.spread.tolist() == [pytest.approx(needed(deviation), abs=0.1001)] * 2


def test_predictions_are_as_doubtful_as_was_found_where_the_modality_is_absent_and_only_there():
    rng = np.random.default_rng(2)
    data = two_tables(rng.standard_normal((80, 2)), rng.standard_normal((40, 3)))
    network = ignorant()
    network.decoders[1].calibration.spread[0] = 1.0
    sd = np.empty((80, 3))
    mean = np.empty((80, 3))
    for rows, m, s in predict(network, data, 1, 4000, 0):
        mean[rows], sd[rows] = m, s
    present = data.presence[:, 1]
    np.testing.assert_allclose(sd[present], NOISE, rtol=1e-5)
    # t with 4 degrees of freedom has variance 2
    assert np.sqrt((sd[~present] ** 2).mean()) == pytest.approx(np.sqrt(NOISE**2 + 2.0), rel=0.05)
    np.testing.assert_allclose(mean, 0.0, atol=1e-6)  # doubt is mirrored, so it does not move the average


def test_entries_missing_in_a_measured_modality_are_as_doubtful_as_was_found_for_them():
    rng = np.random.default_rng(2)
    y = rng.standard_normal((80, 3))
    y[::2, 0] = np.nan
    network = ignorant()
    network.decoders[1].calibration.spread[1] = 0.5
    sd = np.concatenate([sd for _, _, sd in predict(network, two_tables(rng.standard_normal((80, 2)), y), 1, 4000, 0)])
    assert np.sqrt((sd**2).mean()) == pytest.approx(np.sqrt(NOISE**2 + 0.5**2 * 2.0), rel=0.05)


@pytest.mark.parametrize(("true", "low", "high"), [(0.5, 0.42, 0.5), (2.0, 1.0, 1.0), (-0.5, 0.0, 0.0)])
def test_predictions_that_go_too_far_are_drawn_in_by_the_slope_less_its_error(true, low, high):
    rng = np.random.default_rng(8)
    torch.manual_seed(8)
    plan = build_plan([ModalityPlan("x", 2, "gaussian", 0), ModalityPlan("y", 20, "gaussian", 0, noise=NOISE)])
    network = MultimodalVAE(plan).eval()
    torch.nn.init.zeros_(network.decoders[1].linear.bias)
    torch.nn.init.normal_(network.decoders[1].linear.weight)
    x = 2 * rng.standard_normal((400, 2))
    lacking = two_tables(np.r_[x, x], np.zeros((400, 20)))  # the second 400 lack y
    with torch.no_grad():
        for parameter in network.aggregation.parameters():
            parameter.mul_(2.0)  # so that beliefs differ between observations
        rho = network.aggregation.rho
        rho.last.weight[2:], rho.shortcut.weight[2:], rho.last.bias[2:] = 0.0, 0.0, -1.0  # are equally sure
        loc, _ = shared_latent(network, lacking)
        rho.last.bias[:2] -= torch.from_numpy(loc[400:].mean(axis=0))  # and are zero on average

    def predicted():
        return np.concatenate([mean for _, mean, _ in predict(network, lacking, 1, 1000, 0)])[400:]

    before = predicted()
    assert before.std() > 0.3, "there is something to draw in"
    y = true * before + 0.5 * rng.standard_normal((400, 20))
    calibrate(network, two_tables(x, y), np.arange(300), np.arange(300, 400), seed=0)
    slope = float(network.decoders[1].calibration.slope)
    assert low <= slope <= high
    known, told = y[:300] - y[300:].mean(axis=0), before[:300] - y[300:].mean(axis=0)
    per_row, square = (known * told).sum(axis=1), (told**2).sum(axis=1)
    ratio = per_row.sum() / square.sum()
    error = np.sqrt(((per_row - ratio * square) ** 2).sum()) / square.sum()
    assert slope == pytest.approx(np.clip(ratio - error, 0, 1), abs=0.02)
    network.decoders[1].calibration.spread.zero_()
    # with N(0, I) as prior and no offset, the average is zero
    np.testing.assert_allclose(predicted(), slope * before, atol=1e-4)


def test_zeros_and_ones_that_are_predicted_right_get_no_doubt():
    rng = np.random.default_rng(3)
    network = MultimodalVAE(build_plan([ModalityPlan("x", 2, "gaussian", 0), ModalityPlan("y", 4, "bernoulli", 0)]))
    for decoder in network.decoders:
        torch.nn.init.zeros_(decoder.linear.weight)
        torch.nn.init.constant_(decoder.linear.bias, -2.0)
    data = two_tables(rng.standard_normal((400, 2)), rng.random((400, 4)) < 1 / (1 + np.exp(2)))
    calibrate(network, data, np.arange(300), np.arange(300, 400), seed=0)
    assert network.decoders[1].calibration.spread.max() <= 0.6


def test_skill_is_what_it_is_by_hand():
    """Predictions of zero where the values have mean 0.5: worse than the mean by a known factor."""
    rng = np.random.default_rng(4)
    y = rng.standard_normal((300, 3)) + 0.5
    data = two_tables(rng.standard_normal((300, 2)), y)
    network = ignorant()
    calibrate(network, data, np.arange(200), np.arange(200, 300), seed=0)
    r2, error = network.decoders[1].calibration.skill.numpy()
    y = y.astype(np.float32)
    mean = y[200:].mean(axis=0)
    of_zero, of_mean = y[:200] ** 2, (y[:200] - mean) ** 2
    np.testing.assert_allclose(r2, 1 - of_zero.sum(0) / of_mean.sum(0), atol=0.05)
    again = []
    for _ in range(500):
        rows = rng.integers(0, 200, 200)
        again.append(1 - of_zero[rows].sum(0) / of_mean[rows].sum(0))
    np.testing.assert_allclose(error, np.std(again, axis=0), rtol=0.25)  # the bootstrap agrees


def test_nothing_is_said_from_fewer_than_five_observations_nor_of_a_feature_that_does_not_vary():
    rng = np.random.default_rng(5)
    y = rng.standard_normal((50, 3))
    y[:, 1] = 2.0
    data = two_tables(rng.standard_normal((50, 2)), y)
    network = ignorant()
    calibrate(network, data, np.arange(4), np.arange(4, 50), seed=0)
    assert network.decoders[1].calibration.skill.isnan().all()
    assert not network.decoders[1].calibration.spread.any()
    calibrate(network, data, np.arange(20), np.arange(20, 50), seed=0)
    assert network.decoders[1].calibration.skill.isnan().any(0).tolist() == [False, True, False]


def test_nothing_is_said_of_a_feature_that_few_observations_have():
    rng = np.random.default_rng(7)
    y = np.zeros((300, 3))
    y[:20, 0], y[:2, 1] = 1.0, 1.0  # the third: no held-out observation at all
    y[250:, 2] = 1.0
    data = two_tables(rng.standard_normal((300, 2)), y)
    network = ignorant()
    calibrate(network, data, np.arange(200), np.arange(200, 300), seed=0)
    assert network.decoders[1].calibration.skill.isnan().any(0).tolist() == [False, True, True]


@pytest.mark.slow
def test_a_cohort_is_told_which_features_can_be_imputed_and_how_surely(tmp_path):
    """Half of the features of one modality follow the other one, half are noise; few patients, many features."""
    rng = np.random.default_rng(6)
    z = rng.standard_normal((240, 3))
    x = z @ rng.standard_normal((3, 150)) + 2.0 * rng.standard_normal((240, 150))
    y = np.c_[z @ rng.standard_normal((3, 20)), np.zeros((240, 20))] + rng.standard_normal((240, 40))
    mdata = mudata.MuData({"x": table("x", x), "y": table("y", y[:180])})
    model = omixvae.fit(mdata, progress=False)
    skill = model.imputation_skill("y")
    assert skill["imputable"][:20].mean() >= 0.7
    assert skill["imputable"][20:].mean() <= 0.2
    var = mdata["y"].var
    np.testing.assert_allclose(var["omixvae_imputation_r2"], skill["r2"], rtol=1e-5)
    assert var["omixvae_imputable"].tolist() == skill["imputable"].tolist()
    low, high = model.impute_interval(mdata, "y")
    hidden = slice(180, 240)
    covered = ((low.to_numpy() < y) & (y < high.to_numpy()))[hidden].mean()
    assert 0.92 <= covered <= 0.99
    model.save(tmp_path / "model")
    again = omixvae.load(tmp_path / "model")
    assert again.imputation_skill("y").equals(skill)
