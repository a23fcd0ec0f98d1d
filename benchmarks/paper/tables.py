"""The paper's tables beside ours, and its claims, from the figures of the runs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.paper.systems import OBJECTIVES, PAPER, PAPER_DIGITS, System

__all__ = ["IN_ALL", "claims_table", "differences_table", "paper_table"]

Figures = Mapping[int, Mapping[str, float]]
"""Seed to the figures of its run."""

Runs = Mapping[System, Figures]
EXPERTS = ("poe", "poe_plus", "moe", "moe_plus")
IN_ALL = {"label": 4.0, "five": 5.0}
"""Thousands of observations whose log-likelihoods the paper adds up."""

UNITS = {
    "linear": "relative gap",
    "label": "log-likelihood, thousands of nats in all",
    "five": "log-likelihood, thousands of nats in all",
}


def paper_table(experiment: str, runs: Runs) -> str:
    """Print ours and the paper's figures side by side.

    Parameters
    ----------
    experiment
        ``"linear"``, ``"label"``, ``"five"`` or ``"mnist"``.
    runs
        System to the figures of its seeds.

    Returns
    -------
    str
        A Markdown table: mean and (standard deviation) over the seeds.
    """
    if experiment == "mnist":
        return _digits_table(runs)
    lines = [
        f"| variant | aggregation | K | seeds | masked: {UNITS[experiment]} | (paper) | MCC | (paper) "
        "| mixture: the same | (paper) | MCC | (paper) |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row, figures in PAPER.items():
        masked, mixture = (runs.get(System(*row, objective), {}) for objective in ("masked", "mixture"))
        if row[0] == experiment and (masked or mixture):
            ours = [_spread(experiment, one, name) for one in (masked, mixture) for name in ("value", "weak_mcc")]
            cells = [cell for pair in zip(ours, map(_shown, figures), strict=True) for cell in pair]
            seeds = "/".join(str(len(one)) for one in (masked, mixture))
            lines.append("| " + " | ".join([row[1], row[2], str(row[3]), seeds, *cells]) + " |")
    return "\n".join(lines)


def _digits_table(runs: Runs) -> str:
    """Print log-likelihoods in nats, and how often what is made from other modalities, and a probe, name the digit."""
    second = "svhn" if any("log_likelihood_svhn" in f for by in runs.values() for f in by.values()) else "colour"
    parts = ("", "_mnist", f"_{second}", "_text")
    lines = [
        f"| variant | aggregation | bound | seeds | mnist+{second}+text | (paper) | mnist | (paper) | {second} "
        "| (paper: svhn) | text | (paper) | coherence | cross coherence | linear probe |",
        "|---" * 15 + "|",
    ]
    for row, paper in PAPER_DIGITS.items():
        for objective in OBJECTIVES:
            if figures := runs.get(System(*row, objective)):
                likelihoods = [_spread("mnist", figures, f"log_likelihood{part}") for part in parts]
                cells = [cell for p in zip(likelihoods, map(_shown, paper[objective]), strict=True) for cell in p]
                shares = [_spread("mnist", figures, name) for name in ("coherence", "cross_coherence", "probe")]
                lines.append("| " + " | ".join([*row[1:3], objective, str(len(figures)), *cells, *shares]) + " |")
    return "\n".join(lines)


def _shown(figure: float) -> str:
    return f"{figure:g}"


def _spread(experiment: str, runs: Figures, name: str) -> str:
    if not runs:
        return ""
    if name == "value":
        name = "gap" if experiment == "linear" else "log_likelihood"
    scale = IN_ALL.get(experiment, 1.0) if name == "log_likelihood" else 1.0
    values = scale * np.array([run[name] for run in runs.values()])
    digits = 4 if name == "gap" else 2 if name.endswith(("mcc", "coherence", "probe")) or experiment == "label" else 1
    return f"{values.mean():.{digits}f} ({values.std():.{digits}f})"


def differences_table(experiment: str, runs: Runs) -> str:
    """Print what the masked bound gains over the mixture bound, and a mixture prior over K = 1, beside the paper's.

    Parameters
    ----------
    experiment
        ``"label"`` or ``"five"``.
    runs
        System to the figures of its seeds.

    Returns
    -------
    str
        A Markdown table: mean and (standard deviation) of the differences between runs on the same data, in thousands
        of nats.
    """
    lines = ["| variant | aggregation | K | difference | ours | paper |", "|---|---|---|---|---|---|"]
    for row in (row for row in PAPER if row[0] == experiment):
        bounds = [System(*row, objective) for objective in OBJECTIVES]
        pairs = {"masked - mixture": bounds}
        alone = (*row[:3], 1)
        if row[3] > 1 and alone in PAPER:
            pairs |= {f"K = {row[3]} - K = 1, {one.objective}": [one, System(*alone, one.objective)] for one in bounds}
        for name, (first, second) in pairs.items():
            ours = IN_ALL[experiment] * _over([(runs.get(first, {}), runs.get(second, {}))], "log_likelihood")
            if len(ours):
                paper = _of_paper(first) - _of_paper(second)
                cells = [row[1], row[2], str(row[3]), name, f"{ours.mean():+.2f} ({ours.std():.2f})", f"{paper:+.1f}"]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _of_paper(system: System) -> float:
    """Give the paper's log-likelihood."""
    return PAPER[system.row][2 * OBJECTIVES.index(system.objective)]


def claims_table(experiment: str, runs: Runs) -> str:
    """Say for each of the paper's claims in how many pairs of runs on the same data it holds, and by how much.

    Parameters
    ----------
    experiment
        ``"linear"``, ``"label"``, ``"five"`` or ``"mnist"``.
    runs
        System to the figures of its seeds.

    Returns
    -------
    str
        A Markdown table.
    """
    lines = ["| claim | holds in | mean difference (nats each, or correlation) |", "|---|---|---|"]
    for claim, differences in _claims(experiment, runs):
        if len(differences):
            held = f"{int((differences > 0).sum())} of {len(differences)}"
            lines.append(f"| {claim} | {held} | {differences.mean():+.4g} |")
    return "\n".join(lines)


def _claims(experiment: str, runs: Runs) -> Iterator[tuple[str, np.ndarray]]:
    value = "log_likelihood"
    by_row = defaultdict(dict)
    for system, figures in runs.items():
        by_row[system.row][system.objective] = figures
    both = [pair for pair in by_row.values() if len(pair) == 2]
    yield "1. log-likelihood: masked over mixture bound", _over([(p["masked"], p["mixture"]) for p in both], value)
    for objective in ("masked", "mixture"):
        mine = {system: figures for system, figures in runs.items() if system.objective == objective}
        learned = [(f, g) for s, f in mine.items() for t, g in mine.items() if _rivals(s, t)]
        yield f"2. log-likelihood: learned aggregation over experts, {objective}", _over(learned, value)
        mixture = [(f, g) for s, f in mine.items() for t, g in mine.items() if _same_but_prior(s, t)]
        yield f"3. log-likelihood: K = 5 over K = 1, {objective}", _over(mixture, value)
        if experiment == "mnist":  # the true latents are not known
            continue
        lowest = [(g, f) for s, f in mine.items() for t, g in mine.items() if _against_moe(s, t)]
        yield f"4. weak MCC: every other aggregation over moe, {objective}", _over(lowest, "weak_mcc")
    for name, sign in (("reconstruction", 1), ("rate", 1), ("cross_rate", -1), ("cross_reconstruction", -1)):
        words = f"5. {name.replace('_', ' ')}: masked {'over' if sign > 0 else 'under'} mixture bound"
        yield words, sign * _over([(p["masked"], p["mixture"]) for p in both], name)


def _rivals(one: System, other: System) -> bool:
    """Whether a learned aggregation and one of experts differ in nothing else."""
    learned = one.aggregation in ("sum_pooling", "self_attention")
    same = (one.variant, one.components) == (other.variant, other.components)
    return learned and same and other.aggregation in EXPERTS


def _same_but_prior(one: System, other: System) -> bool:
    same = (one.variant, one.aggregation) == (other.variant, other.aggregation)
    return same and (one.components, other.components) == (5, 1)


def _against_moe(one: System, other: System) -> bool:
    same = (one.variant, one.components) == (other.variant, other.components)
    return same and one.aggregation == "moe" and other.aggregation != "moe"


def _over(pairs: list[tuple[Figures, Figures]], name: str) -> np.ndarray:
    """Give the differences of a figure between runs of the same seed."""
    return np.array([one[seed][name] - other[seed][name] for one, other in pairs for seed in one if seed in other])
