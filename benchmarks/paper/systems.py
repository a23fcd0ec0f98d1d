"""The systems of the paper's tables: what is varied, and the figures that Hirt et al. 2024 report for each."""

from dataclasses import dataclass

__all__ = ["COMPONENTS", "OBJECTIVES", "PAPER", "PAPER_DIGITS", "VARIANTS", "System", "systems"]


@dataclass(frozen=True)
class System:
    """One row of a table under one bound.

    Parameters
    ----------
    experiment
        ``"linear"``, ``"label"``, ``"five"`` or ``"mnist"``.
    variant
        Which part of the table: ``"shared"`` or ``"private"``, ``"all"``, ``"missing"`` or ``"full"``.
    aggregation, objective
        Options of omixvae.
    components
        Components K of the mixture prior; 1 is the standard normal.
    """

    experiment: str
    variant: str
    aggregation: str
    components: int
    objective: str

    @property
    def row(self) -> tuple[str, str, str, int]:
        """What the two bounds have in common."""
        return self.experiment, self.variant, self.aggregation, self.components


VARIANTS = {
    "linear": ("shared", "private"),
    "label": ("all",),
    "five": ("missing", "full"),
    "mnist": ("shared", "private"),
}
COMPONENTS = 5
OBJECTIVES = ("masked", "mixture")

Figures = tuple[float, float, float, float]
"""Of the masked bound: gap or log-likelihood, MCC; of the mixture bound: the same."""

PAPER: dict[tuple[str, str, str, int], Figures] = {
    # Table 2: relative gap, weak MCC
    ("linear", "shared", "poe", 1): (0.03, 0.75, 0.04, 0.77),
    ("linear", "shared", "moe", 1): (0.01, 0.82, 0.02, 0.67),
    ("linear", "shared", "sum_pooling", 1): (0.00, 0.84, 0.00, 0.84),
    ("linear", "shared", "self_attention", 1): (0.00, 0.84, 0.02, 0.83),
    ("linear", "private", "poe", 1): (0.00, 0.91, 0.01, 0.88),
    ("linear", "private", "sum_pooling", 1): (0.00, 0.85, 0.00, 0.82),
    ("linear", "private", "self_attention", 1): (0.00, 0.83, 0.00, 0.83),
    # Table 3: log-likelihood of all observations in thousands of nats, strong MCC
    ("label", "all", "poe", 1): (-43.4, 0.98, -318.0, 0.97),
    ("label", "all", "moe", 1): (-20.5, 0.94, -57.9, 0.93),
    ("label", "all", "sum_pooling", 1): (-17.9, 0.99, -18.9, 0.99),
    ("label", "all", "self_attention", 1): (-18.2, 0.99, -18.6, 0.99),
    ("label", "all", "sum_pooling", 5): (-15.4, 1.00, -18.6, 0.98),
    ("label", "all", "self_attention", 5): (-15.2, 1.00, -18.6, 0.98),
    ("label", "all", "sum_pooling_mixture", 5): (-15.1, 1.00, -18.2, 0.98),
    ("label", "all", "self_attention_mixture", 5): (-15.3, 0.99, -18.4, 0.99),
    # Table 4: log-likelihood of all observations in thousands of nats, strong MCC
    ("five", "missing", "poe", 1): (-250.9, 0.94, -288.4, 0.93),
    ("five", "missing", "moe", 1): (-250.1, 0.92, -286.2, 0.90),
    ("five", "missing", "sum_pooling", 1): (-249.6, 0.95, -275.6, 0.92),
    ("five", "missing", "self_attention", 1): (-249.7, 0.95, -275.5, 0.93),
    ("five", "missing", "sum_pooling", 5): (-247.3, 0.95, -269.6, 0.94),
    ("five", "missing", "self_attention", 5): (-247.5, 0.95, -269.9, 0.93),
    ("five", "missing", "sum_pooling_mixture", 5): (-244.8, 0.95, -271.9, 0.93),
    ("five", "missing", "self_attention_mixture", 5): (-245.4, 0.96, -270.3, 0.94),
    ("five", "full", "poe", 1): (-473.6, 0.98, -497.7, 0.97),
    ("five", "full", "moe", 1): (-477.9, 0.91, -494.6, 0.92),
    ("five", "full", "sum_pooling", 1): (-471.4, 0.99, -480.5, 0.98),
    ("five", "full", "self_attention", 1): (-471.4, 0.99, -482.8, 0.98),
    ("five", "full", "sum_pooling", 5): (-465.4, 0.98, -475.1, 0.98),
    ("five", "full", "self_attention", 5): (-469.3, 0.98, -474.7, 0.98),
    ("five", "full", "sum_pooling_mixture", 5): (-464.5, 0.99, -474.2, 0.98),
    ("five", "full", "self_attention_mixture", 5): (-464.4, 0.99, -473.6, 0.98),
}

Four = tuple[float, float, float, float]
"""Log-likelihood in nats of all three modalities, of MNIST, of SVHN and of text."""

PAPER_DIGITS: dict[tuple[str, str, str, int], dict[str, Four]] = {
    # Tables 5 and on
    ("mnist", "shared", "poe_plus", 1): {"masked": (6872, 2599, 4317, -9), "mixture": (5900, 2449, 3443, -19)},
    ("mnist", "shared", "poe", 1): {"masked": (6775, 2585, 4250, -10), "mixture": (5813, 2432, 3390, -19)},
    ("mnist", "shared", "moe_plus", 1): {"masked": (5428, 2391, 3378, -74), "mixture": (5420, 2364, 3350, -112)},
    ("mnist", "shared", "moe", 1): {"masked": (5597, 2449, 3557, -11), "mixture": (5485, 2343, 3415, -17)},
    ("mnist", "shared", "sum_pooling", 1): {"masked": (7056, 2478, 4640, -6), "mixture": (6130, 2470, 3660, -16)},
    ("mnist", "shared", "self_attention", 1): {"masked": (7011, 2508, 4555, -7), "mixture": (6127, 2510, 3621, -13)},
    ("mnist", "private", "poe_plus", 1): {"masked": (6549, 2509, 4095, -7), "mixture": (5869, 2465, 3431, -19)},
    ("mnist", "private", "sum_pooling", 1): {"masked": (6337, 2483, 3965, -6), "mixture": (5930, 2468, 3491, -7)},
    ("mnist", "private", "self_attention", 1): {"masked": (6662, 2516, 4247, -6), "mixture": (6716, 2430, 4282, -27)},
}


def systems(experiment: str) -> list[System]:
    """List the systems of an experiment in the order of the paper's table.

    Parameters
    ----------
    experiment
        A key of `VARIANTS`.

    Returns
    -------
    list of System
        Every row under the masked and under the mixture bound.

    Examples
    --------
    >>> len(systems("label"))
    16
    """
    rows = [row for row in (*PAPER, *PAPER_DIGITS) if row[0] == experiment]
    return [System(*row, objective) for row in rows for objective in OBJECTIVES]
