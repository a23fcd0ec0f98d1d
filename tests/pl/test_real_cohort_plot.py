"""A cohort of 92 patients with five modalities, most of them incomplete, read from a file in which results lie."""

import itertools
import os

import mudata
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import omixvae
from omixvae import pl


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Give the patients as they are in another session."""
    folder = os.environ.get("OMIXVAE_TEST_DATA")
    if folder is None:
        pytest.skip("needs public data sets: set OMIXVAE_TEST_DATA to their folder")
    mdata = mudata.read_h5mu(f"{folder}/tcga_acc_mini.h5mu")
    omixvae.fit(mdata, max_epochs=6, progress=False)
    path = tmp_path_factory.mktemp("cohort") / "results.h5mu"
    mdata.write(path)
    return mudata.read_h5mu(path)


def overlaps(figure):
    """Draw the figure, and name the labels of one axis that lie on one another."""
    FigureCanvasAgg(figure).draw()
    found = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [text for text in axis.get_ticklabels() if text.get_text() and not text.get_rotation()]
            for first, second in itertools.combinations(labels, 2):
                if first.get_window_extent().padded(-1).overlaps(second.get_window_extent().padded(-1)):
                    found.append((first.get_text(), second.get_text()))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "number"),
    [
        (lambda m, ax: pl.latent(m, ["cluster", "presence", "COC", "purity"], basis="pca", ax=ax), 4),
        (lambda m, ax: pl.history(m, ax=ax), 2),
        (lambda m, ax: pl.information(m, ax=ax), 2),
        (lambda m, ax: pl.presence(m, ax=ax), 2),
        (lambda m, ax: pl.clusters(m, ax=ax), 2),
        (lambda m, ax: pl.clusters(m, "COC", ax=ax), 1),
        (lambda m, ax: pl.imputation(m, "rna", ax=ax), 1),
        (lambda m, ax: pl.loadings(m, "mirna", dims=[0, 1, 2, 3], ax=ax), 1),
    ],
)
def test_every_plot_is_drawn_without_a_warning_or_labels_on_one_another(cohort, draw, number):
    figure = Figure(figsize=(5 * number, 4), layout="constrained")
    drawn = draw(cohort, figure.subplots(1, number))
    assert all(ax.figure is figure for ax in np.ravel(drawn))
    assert overlaps(figure) == []


@pytest.mark.slow
def test_modalities_stand_in_the_order_of_the_data(cohort):
    sets, _ = pl.information(cohort, ax=Figure().subplots(1, 2))
    assert [label.get_text() for label in sets.get_xticklabels()] == list(cohort.mod)


@pytest.mark.slow
@pytest.mark.parametrize("mod", ["mirna", "protein", "mutation"])
def test_names_of_features_fit_into_their_columns(cohort, mod):
    ax = pl.loadings(cohort, mod)
    assert overlaps(ax.figure) == []
    column = ax.get_window_extent().width / len(ax.get_xticks())
    assert max(text.get_window_extent().width for text in ax.texts) < column
    plt.close(ax.figure)
