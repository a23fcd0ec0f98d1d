"""The course of the training is drawn as it was."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from omixvae import InputError, pl


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_lines_are_those_of_the_training(fitted):
    mdata, model = fitted
    left, right = pl.history(mdata, ax=Figure().subplots(1, 2))
    for panel, label, name in [
        (left, "bound, trained on", "bound"),
        (left, "bound, held out", "held_out_bound"),
        (left, "reconstruction, trained on", "reconstruction"),
        (right, "rate", "rate"),
        (right, "cross rate", "cross_rate"),
    ]:
        x, y = lines(panel)[label].get_data()
        assert list(x) == [row.epoch + 1 for row in model.history]
        np.testing.assert_allclose(y, [getattr(row, name) for row in model.history])


def test_the_epoch_that_was_kept_and_the_beginning_of_the_prior_are_marked(fitted):
    mdata, model = fitted
    left, _ = pl.history(mdata, ax=Figure().subplots(1, 2))
    begin = model.plan.prior_epoch
    assert 0 < begin < len(model.history)
    assert set(lines(left)["mixture prior begins"].get_xdata()) == {begin + 0.5}
    best = max(model.history[begin:], key=lambda row: row.held_out_bound)
    (kept,) = [line for label, line in lines(left).items() if label.startswith("kept")]
    assert kept.get_label() == f"kept: epoch {best.epoch + 1}"
    assert (list(kept.get_xdata()), list(kept.get_ydata())) == ([best.epoch + 1], [best.held_out_bound])


def test_a_model_is_drawn_as_its_results_are(fitted):
    by_results, by_model = (pl.history(given, ax=Figure().subplots(1, 2)) for given in fitted)
    for first, second in zip(by_results, by_model, strict=True):
        assert first.get_ylim() == second.get_ylim()
        assert list(lines(first)) == list(lines(second))


def test_without_a_mixture_no_beginning_is_marked(without_clusters):
    left, _ = pl.history(without_clusters, key="other", ax=Figure().subplots(1, 2))
    assert "mixture prior begins" not in lines(left)


def test_without_held_out_observations_nothing_is_said_of_them(mdata):
    mdata.uns["omixvae"]["history"]["held_out_bound"][:] = np.nan
    left, _ = pl.history(mdata, ax=Figure().subplots(1, 2))
    assert sorted(lines(left)) == ["bound, trained on", "mixture prior begins", "reconstruction, trained on"]


def test_the_first_epochs_do_not_press_the_others_flat(mdata):
    n = 50
    curve = -100.0 - 10 * np.exp(-np.arange(n) / 10)
    curve[:2] = -1e6
    names = ("bound", "held_out_bound", "reconstruction", "rate", "cross_rate", "seconds")
    mdata.uns["omixvae"]["history"] = {"epoch": np.arange(n)} | dict.fromkeys(names, curve)
    for ax in pl.history(mdata, ax=Figure().subplots(1, 2)):
        low, high = ax.get_ylim()
        assert -112 < low < curve[5] < curve[-1] < high < -99


def test_without_results_the_way_to_them_is_told(mdata):
    with pytest.raises(InputError, match=r"under the key 'second'(?s:.*)'omixvae'"):
        pl.history(mdata, key="second", ax=Figure().subplots(1, 2))
