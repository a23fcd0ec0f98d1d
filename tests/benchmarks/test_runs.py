"""One run of the paper's experiments, also as its published scripts have it."""

import numpy as np
import pytest

from benchmarks.paper.runs import run
from benchmarks.paper.systems import System

SYSTEM = System("five", "missing", "sum_pooling", 1, "mixture")


@pytest.mark.slow
def test_what_the_scripts_do_otherwise_changes_the_run():
    small = {"epochs": 6, "width": 0.1, "n_obs": 200}
    plain = run(SYSTEM, 0, **small)
    for published in ({"empty"}, {"four"}, {"cut"}, {"plain"}):
        figures = run(SYSTEM, 0, published=published, **small)
        assert np.isfinite(list(figures.values())).all()
        assert figures["log_likelihood"] != plain["log_likelihood"], published
