"""Combinations of modalities are counted by names, and by whether a row holds any value."""

import numpy as np
import pytest
from builders import build_mdata
from matplotlib.figure import Figure

from omixvae import pl


def shown(axes):
    """Give the combinations as sets of names, with their counts."""
    sets, bars = axes
    names = [label.get_text() for label in sets.get_xticklabels()]
    members = [set() for _ in bars.patches]
    for column, row in sets.collections[-1].get_offsets().astype(int):
        members[row].add(names[column])
    return list(zip(members, (int(bar.get_width()) for bar in bars.patches), strict=True))


def test_combinations_are_counted_the_most_frequent_first():
    mdata = build_mdata(60)
    counts = {}
    for name in mdata.obs_names:
        members = frozenset(mod for mod in mdata.mod if name in mdata[mod].obs_names)
        counts[members] = counts.get(members, 0) + 1
    drawn = shown(pl.presence(mdata, ax=Figure().subplots(1, 2)))
    assert {frozenset(members): n for members, n in drawn} == counts
    assert [n for _, n in drawn] == sorted(counts.values(), reverse=True)


def test_a_row_without_values_counts_as_absent():
    mdata = build_mdata(40, missing=0.0)
    mdata["protein"].X[:7] = np.nan
    assert shown(pl.presence(mdata, ax=Figure().subplots(1, 2))) == [
        ({"rna", "protein", "mutation"}, 33),
        ({"rna", "mutation"}, 7),
    ]


def test_rare_combinations_are_counted_in_the_label():
    axes = pl.presence(build_mdata(200), most=3, ax=Figure().subplots(1, 2))
    assert len(axes[1].patches) == 3
    assert axes[1].get_xlabel() == "observations (of 200; 4 rarer combinations are not shown)"


@pytest.mark.parametrize("pattern", ["fitted", "without"])
def test_results_are_not_needed(pattern, mdata):
    if pattern == "without":
        del mdata.uns["omixvae"]
    assert [n for _, n in shown(pl.presence(mdata, ax=Figure().subplots(1, 2)))] == [112, 38]


def test_a_row_that_nothing_covers_counts_as_absent(mdata):
    reads = np.ones(mdata["protein"].shape)
    reads[:10] = 0
    mdata["protein"].layers["reads"] = reads
    mdata.uns["omixvae"]["config"]["coverage_layers"] = '{"protein": "reads"}'
    assert [n for _, n in shown(pl.presence(mdata, ax=Figure().subplots(1, 2)))] == [102, 48]
