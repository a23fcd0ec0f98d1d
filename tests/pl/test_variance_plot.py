"""Plots show the numbers that they are given."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from omixvae import pl


def test_variance_explained_is_drawn_by_size_with_what_is_private_below():
    rows = ["all", "shared", "private", "shared 0", "shared 1", "private 0"]
    table = pd.DataFrame(
        {"rna": [0.6, 0.5, 0.1, 0.1, 0.4, 0.1], "label": [0.3, 0.3, np.nan, 0.2, -0.01, np.nan]}, index=rows
    )
    ax = pl.variance_explained(table, Figure().subplots())
    np.testing.assert_allclose(ax.images[0].get_array(), [[40, 0], [10, 20]])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["shared 1", "shared 0"]
    assert [text.get_text() for text in ax.get_xticklabels()] == [
        "rna\nshared 50%\nprivate 10%",
        "label\nshared 30%\nprivate 0%",
    ]
