"""The schedule: pure functions of step, epoch and history."""

import math
from itertools import pairwise

import pytest

from omixvae.training.schedule import Epoch, best_epoch, learning_rate_factor, should_stop, warm_up


def history(*held_out_bounds):
    return tuple(Epoch(i, 0.0, bound, 0.0, 0.0, 0.0, 0.0) for i, bound in enumerate(held_out_bounds))


def test_the_best_epoch_is_that_of_the_present_prior():
    assert best_epoch(history(-5.0, -1.0, -4.0, -3.0, -3.5), since=0) == 1
    assert best_epoch(history(-5.0, -1.0, -4.0, -3.0, -3.5), since=2) == 3
    assert best_epoch(history(-3.0, -3.0), since=0) == 0, "of equal ones the earlier"


@pytest.mark.parametrize(
    ("bounds", "since", "patience", "stops"),
    [
        ((-5.0, -4.0, -4.5, -4.2), 0, 2, True),
        ((-5.0, -4.0, -4.5, -4.2), 0, 3, False),
        ((-5.0, -4.0, -4.5, -3.9), 0, 2, False),  # the last is the best
        ((-1.0, -4.0, -4.5, -4.2), 1, 3, False),  # what came before `since` does not count
        ((-1.0, -2.0, -3.0), 3, 1, False),  # nothing counts yet
        ((math.nan,) * 9, 0, 1, False),  # nothing is held out
        ((-4.0, -4.0, -4.0), 0, 2, True),  # staying equal is no progress
    ],
)
def test_training_stops_after_patience(bounds, since, patience, stops):
    assert should_stop(history(*bounds), since, patience) is stops


def test_warm_up_rises_evenly_to_one_and_stays():
    assert [warm_up(epoch, 4) for epoch in range(7)] == [0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert warm_up(0, 0) == 1, "without a warm-up the weight is one from the start"


def test_the_learning_rate_rises_in_the_first_tenth_and_falls_to_zero():
    factors = [learning_rate_factor(step, 100) for step in range(101)]
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5), "half-way down the cosine"
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert all(a > b for a, b in pairwise(factors[10:]))


def test_a_training_shorter_than_its_warm_up_stays_within_bounds():
    assert all(0 <= learning_rate_factor(step, 5) <= 1 for step in range(9))
