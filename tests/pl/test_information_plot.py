"""Bars and numbers are those of the table of information."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from omixvae import InputError, pl


def dots(ax):
    """Give the dots as (modality, row)."""
    names = [label.get_text() for label in ax.get_xticklabels()]
    places = np.concatenate([c.get_offsets() for c in ax.collections]).astype(int)
    return {(names[column], row) for column, row in places}


def test_each_set_has_its_rate_and_what_the_others_would_add(fitted):
    mdata, model = fitted
    table = model.information(mdata)
    sets, bars = pl.information(mdata, ax=Figure().subplots(1, 2))
    order = sorted(table.index, key=lambda given: (given.count("+"), -table.loc[given, "rate"]))
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], table.loc[order, "rate"])
    assert dots(sets) == {(name, row) for row, given in enumerate(order) for name in given.split("+")}
    assert [label.get_text() for label in sets.get_xticklabels()] == ["rna", "protein"]
    added = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in sets.texts}
    assert added == {
        (0, order.index("protein")): f"{table.loc['protein', 'adds_rna']:.1f}",
        (1, order.index("rna")): f"{table.loc['rna', 'adds_protein']:.1f}",
    }
    assert bars.texts[0].get_text() == f"{table.loc[order[0], 'rate']:.1f}  (n = {table.loc[order[0], 'n']})"


def test_modalities_that_were_never_measured_together_have_no_bar(mdata):
    table = mdata.uns["omixvae"]["information"]
    together = list(table["given"]).index("rna+protein")
    table["rate"][together], table["n"][together] = np.nan, 0
    _, bars = pl.information(mdata, ax=Figure().subplots(1, 2))
    assert bars.texts[-1].get_text() == "measured together nowhere"
    assert bars.patches[-1].get_width() == 0


def test_one_axes_is_not_enough(mdata):
    with pytest.raises(InputError, match="needs 2 axes"):
        pl.information(mdata, ax=Figure().subplots())
