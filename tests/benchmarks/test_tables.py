"""The tables of the paper's simulations are made from figures that are known."""

import pytest

from benchmarks.paper.systems import PAPER, System
from benchmarks.paper.tables import IN_ALL, claims_table, differences_table, paper_table

SEEDS = (0, 1)


def figures(system, seed):
    """Give round figures: the masked bound is 2 nats each better, five components 1, and the seeds are 10 apart."""
    value = 10.0 * seed + 2 * (system.objective == "masked") + (system.components == 5)
    names = ("rate", "cross_rate", "reconstruction", "cross_reconstruction")
    return {"log_likelihood": value, "weak_mcc": 0.5, "gap": 0.01} | dict.fromkeys(names, value)


def runs_of(experiment):
    systems = [System(*row, objective) for row in PAPER if row[0] == experiment for objective in ("masked", "mixture")]
    return {system: {seed: figures(system, seed) for seed in SEEDS} for system in systems}


@pytest.mark.parametrize("experiment", IN_ALL)
def test_differences_are_those_of_runs_on_the_same_data_in_thousands(experiment):
    lines = differences_table(experiment, runs_of(experiment)).splitlines()
    thousands = IN_ALL[experiment]
    for line in lines[2:]:
        _, _, _, name, ours, _ = (cell.strip() for cell in line.strip("|").split("|"))
        assert ours == f"+{thousands * (2 if name == 'masked - mixture' else 1):.2f} (0.00)"
    rows = [row for row in PAPER if row[0] == experiment]
    both_sizes = [row for row in rows if row[3] == 5 and (*row[:3], 1) in PAPER]
    assert len(lines) == 2 + len(rows) + 2 * len(both_sizes)


def test_differences_of_the_paper_are_those_of_its_table():
    table = differences_table("label", runs_of("label"))
    assert "| all | sum_pooling | 1 | masked - mixture | +8.00 (0.00) | +1.0 |" in table
    assert "| all | self_attention | 5 | K = 5 - K = 1, masked | +4.00 (0.00) | +3.0 |" in table


def test_differences_of_systems_that_did_not_run_are_left_out():
    runs = {system: by for system, by in runs_of("label").items() if system.objective == "masked"}
    assert "masked - mixture" not in differences_table("label", runs)


def test_the_table_gives_mean_and_spread_beside_the_paper():
    assert "| all | poe | 1 | 2/2 | 28.00 (20.00) | -43.4 | 0.50 (0.00) | 0.98 |" in paper_table(
        "label", runs_of("label")
    )
    assert "| 0.0100 (0.0000) | 0.03 |" in paper_table("linear", runs_of("linear"))


def test_claims_are_counted_over_pairs():
    table = claims_table("label", runs_of("label"))
    assert "| 1. log-likelihood: masked over mixture bound | 16 of 16 | +2 |" in table
    assert "| 3. log-likelihood: K = 5 over K = 1, masked | 4 of 4 | +1 |" in table
    assert "| 5. cross rate: masked under mixture bound | 0 of 16 | -2 |" in table
