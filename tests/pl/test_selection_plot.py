"""A selection is drawn as it was found."""

import matplotlib as mpl
import numpy as np
from builders import build_mdata
from matplotlib.figure import Figure

import omixvae

SMALL = {"n_latent": 2, "n_private": 1, "n_clusters": 2, "max_epochs": 2, "progress": False}


def select_small(grid):
    """Select among small models, with few samples."""
    given = {name: value for name, value in SMALL.items() if name not in grid}
    return omixvae.select(build_mdata(30), grid, n_folds=2, n_samples=4, **given)


def test_picture_of_numbers_has_a_line_for_each_other_value_and_marks_the_chosen():
    found = select_small({"n_latent": [3, 1], "prior": ["standard_normal", "vamp"]})
    ax = Figure().subplots()
    assert omixvae.pl.selection(found, ax=ax) is ax
    shown = {bar.get_label(): bar.lines[0].get_xydata() for bar in ax.containers}
    assert list(shown) == ["prior=standard_normal", "prior=vamp"]
    heights = found.table.set_index(["prior", "n_latent"])["log_likelihood"]
    for name, points in shown.items():
        np.testing.assert_allclose(points, [[x, heights[name.split("=")[1], x]] for x in (1, 3)])
    ring = next(line for line in ax.lines if line.get_label() == "chosen").get_xydata()
    np.testing.assert_allclose(ring, found.table.loc[found.table["chosen"], ["n_latent", "log_likelihood"]])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "3"]


def test_picture_of_words_and_of_wide_ranges():
    words = select_small({"n_clusters": ["auto", 2]})
    ax = omixvae.pl.selection(words, ax=Figure().subplots())
    assert [text.get_text() for text in ax.get_xticklabels()] == ["auto", "2"]
    assert ax.containers[0].lines[0].get_linestyle() == "None"
    wide = select_small({"learning_rate": [1e-4, 1e-2]})
    assert omixvae.pl.selection(wide, ax=Figure().subplots()).get_xscale() == "log"


def test_picture_makes_axes_of_its_own():
    found = select_small({"n_latent": [1]})
    with mpl.rc_context({"backend": "agg"}):
        assert omixvae.pl.selection(found).get_ylabel() == "held-out log-likelihood (nats per observation)"
        mpl.pyplot.close()
