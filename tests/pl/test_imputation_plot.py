"""How far imputed values can be trusted is drawn as it was found in held-out observations."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from omixvae import InputError, pl
from omixvae.evaluation import covered
from omixvae.pl.imputation import BLUE, GREY


@pytest.fixture
def skilled(mdata):
    """Give a MuData whose proteins have a skill that is known."""
    r2 = np.linspace(-0.3, 0.9, mdata["protein"].n_vars).astype(np.float32)
    r2 = np.random.default_rng(0).permutation(r2)
    r2[:2] = np.nan
    mdata["protein"].var["omixvae_imputation_r2"] = r2
    mdata["protein"].var["omixvae_imputable"] = r2 > 0.2
    return mdata


def test_features_stand_from_the_best_to_the_worst_in_the_colour_of_trust(skilled):
    ax = pl.imputation(skilled, "protein", ax=Figure().subplots())
    var = skilled["protein"].var.dropna().sort_values("omixvae_imputation_r2", ascending=False)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(var.index)
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], var["omixvae_imputation_r2"])
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours == [to_hex(BLUE if good else GREY) for good in var["omixvae_imputable"]]
    n = int(var["omixvae_imputable"].sum())
    assert ax.get_title() == f"protein: {n} of {len(var)} features are imputable\n2 more could not be judged"


def test_only_the_features_asked_for_are_shown(skilled):
    names = list(skilled["protein"].var_names[[5, 3]])
    ax = pl.imputation(skilled, "protein", features=names, ax=Figure().subplots())
    assert sorted(label.get_text() for label in ax.get_yticklabels()) == sorted(names)
    with pytest.raises(InputError, match=r"has no feature 'protien05'(?s:.*)Did you mean 'protein05'"):
        pl.imputation(skilled, "protein", features=["protien05"], ax=Figure().subplots())


def test_many_features_are_a_curve_with_the_best_ones_named(mdata):
    r2 = np.random.default_rng(0).permutation(np.geomspace(1e-3, 1, mdata["rna"].n_vars))
    mdata["rna"].var["omixvae_imputation_r2"], mdata["rna"].var["omixvae_imputable"] = r2, r2 > 0.1
    ax = pl.imputation(mdata, "rna", ax=Figure().subplots())
    (curve,) = [line for line in ax.lines if len(line.get_xdata()) == len(r2)]
    np.testing.assert_allclose(curve.get_ydata(), np.sort(r2)[::-1])
    best = mdata["rna"].var_names[np.argsort(-r2)]
    named = [text.get_text() for text in ax.texts]
    assert len(named) > 3
    assert named == list(best[: len(named)])
    colours = [to_hex(c) for c in ax.collections[0].get_facecolors()]
    assert colours == [to_hex(BLUE if r > 0.1 else GREY) for r in np.sort(r2)[::-1]]


def test_where_nothing_is_known_the_reason_is_told(mdata):
    del mdata["rna"].var["omixvae_imputation_r2"]
    with pytest.raises(InputError, match="how well 'rna' can be predicted: too few"):
        pl.imputation(mdata, "rna", ax=Figure().subplots())
    with pytest.raises(InputError, match=r"no modality 'protien'(?s:.*)Did you mean 'protein'"):
        pl.imputation(mdata, "protien", ax=Figure().subplots())


@pytest.mark.slow
def test_calibration_is_the_part_of_measured_values_within_the_limits(fitted):
    mdata, model = fitted
    _, right = pl.imputation(mdata, "protein", model=model, ax=Figure().subplots(1, 2))
    measured = mdata["protein"].to_df()
    draws = model.impute_draws(mdata, "protein", given=["rna"], n_samples=200)
    draws, values = draws[:, mdata.obs_names.get_indexer(measured.index)], measured.to_numpy()
    rng = np.random.default_rng(0)
    # whole numbers that draws equal: each rank among them is as likely as any other
    rank = (draws < values).sum(0) + rng.integers(0, (draws == values).sum(0) + 1) + rng.random(values.shape)
    within = (rank > 0.1 * 201) & (rank < 0.9 * 201)
    (dots,) = [line for line in right.lines if line.get_marker() == "o"]
    x, y = dots.get_data()
    assert list(x) == [0.5, 0.8, 0.9, 0.95]
    # other draws of the latents, since there are other rows beside them
    assert y[1] == pytest.approx(within.mean(), abs=0.03)
    assert (np.diff(y) > 0).all()


def test_entries_that_were_not_measured_do_not_count(fitted):
    mdata, model = fitted[0].copy(), fitted[1]
    whole = covered(model, mdata, "protein")
    x = mdata["protein"].X
    x = np.asarray(x.todense() if not isinstance(x, np.ndarray) else x, np.float32)
    x[:60, 0] = np.nan
    mdata["protein"].X = x
    part = covered(model, mdata, "protein")
    assert part.iloc[:, 0].between(0.3, 1).all()
    pd.testing.assert_frame_equal(part.iloc[:, 2:], whole.iloc[:, 2:], atol=0.05)


def test_calibration_needs_what_was_measured_together(fitted):
    mdata, model = fitted
    alone = mdata[~mdata.obs_names.isin(mdata["protein"].obs_names)].copy()
    with pytest.raises(InputError, match="No observation has 'protein' and another modality"):
        covered(model, alone, "protein")
