"""What to know before all else: the findings in a few sentences, and what not to trust."""

import math
from collections.abc import Iterator

import pandas as pd

from omixvae.data.columns import find_column
from omixvae.report.facts import SURE, Facts
from omixvae.report.page import Point, Points

__all__ = ["distrusted", "findings", "key_numbers", "listed", "part_of"]

TOLD_NOTHING = 0.05
"""Part of what all modalities tell, below which one is said to tell next to nothing."""

FOLLOWED = 0.3
"""Normalised mutual information from which on clusters are said to follow something that is no biology."""

UNSURE_CLUSTER, MANY_UNSURE, MANY_UNPREDICTED = 0.8, 0.1, 0.25
SMALL_CLUSTER = 10


def key_numbers(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return the numbers that stand on top of the page.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    tuple
        Pairs of a number and what it counts.
    """
    found = facts.found
    numbers = [
        (f"{found.mdata.n_obs:,}", "observations"),
        (f"{len(found.modalities)}", "modalities"),
        (f"{sum(found.mdata.mod[mod].n_vars for mod in found.modalities):,}", "features"),
        (str(found.record.plan.n_latent), "latent dimensions"),
    ]
    return (*numbers, *([(str(facts.found.clusters.nunique()), "clusters")] if found.cluster_column else []))


def findings(facts: Facts) -> Points:
    """Say in a few sentences what was found.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Points
        One for each subject.
    """
    return Points((*_on_data(facts), *_on_clusters(facts), *_on_information(facts), *_on_imputation(facts)))


def _on_data(facts: Facts) -> Iterator[Point]:
    present = facts.found.presence
    whole, n = int(present.all(axis=1).sum()), len(present)
    if whole == n:
        yield Point("Data", f"All {n:,} observations have {_all(present)}.")
        return
    rarest = present.mean().idxmin()
    yield Point(
        "Data",
        f"{whole:,} of {n:,} observations ({whole / n:.0%}) have {_all(present)}; "
        f"the rarest is {rarest}, which {present[rarest].mean():.0%} have.",
    )


def _all(present: pd.DataFrame) -> str:
    return {1: "the one modality", 2: "both modalities"}.get(present.shape[1], f"all {present.shape[1]} modalities")


def _on_clusters(facts: Facts) -> Iterator[Point]:
    found = facts.found
    if found.cluster_column is None:
        return
    table = facts.clusters_table()
    if len(table) == 1:
        yield Point("Clusters", "No groups stand apart: all observations are in one cluster.")
        return
    yield Point(
        "Clusters",
        f"{len(table)} clusters of {table['n'].min():,} to {table['n'].max():,} observations. "
        f"For {facts.sure():.0%} of the observations the cluster has a probability of {SURE:.0%} or more.",
    )
    for name in facts.groupings():
        agreement = facts.agreement(facts.column(name))
        if agreement.n:
            yield Point(
                f"Clusters and {name}",
                f"Adjusted Rand index {round(agreement.ari, 2) + 0.0:.2f}, normalised mutual information "
                f"{agreement.nmi:.2f} (0 by chance, 1 for the same groups) in {agreement.n:,} observations.",
            )


def _on_information(facts: Facts) -> Iterator[Point]:
    told = facts.told()
    if len(told) < 2 or not told["n"].any():
        return
    first, last = told.index[0], told.index[-1]
    if math.isnan(told["all"].iloc[0]):
        yield Point(
            "Modalities",
            f"Alone, {first} tells most about the shared latents ({told['rate'].iloc[0]:.1f} nats) and {last} least "
            f"({told['rate'].iloc[-1]:.1f} nats). No observation has all modalities.",
        )
        return
    yield Point(
        "Modalities",
        f"Alone, {first} gives {part_of(told['part'].iloc[0])} what all modalities together tell about the shared "
        f"latents, and {last} {told['part'].iloc[-1]:.0%} of it.",
    )


def _on_imputation(facts: Facts) -> Iterator[Point]:
    parts = []
    for mod, skill in facts.skills().items():
        if isinstance(skill, str) or not skill["r2"].notna().any():
            continue
        judged = skill[skill["r2"].notna()]
        parts.append(
            f"of {mod} {int(judged['imputable'].sum()):,} of {len(judged):,} features (median R² "
            f"{judged['r2'].median():.2f}; best: {judged['r2'].idxmax()}, {judged['r2'].max():.2f})"
        )
    if parts:
        yield Point(
            "Predictions",
            f"From the other modalities, held-out values are predicted better than by their mean {'; '.join(parts)}.",
        )


def distrusted(facts: Facts) -> Points:
    """Return what is not to be trusted, as far as the results tell.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Points
        None where nothing stands out.
    """
    found = [
        *_doubts_of_data(facts),
        *_doubts_of_training(facts),
        *_doubts_of_clusters(facts),
        *_doubts_of_modalities(facts),
        *_doubts_of_imputation(facts),
    ]
    return Points(tuple(found), warning=True)


def _doubts_of_data(facts: Facts) -> Iterator[Point]:
    empty = int((~facts.found.presence.any(axis=1)).sum())
    if empty:
        yield Point(
            "Observations without data",
            f"{empty:,} have no value in any modality: what is said of them is the average of all others.",
        )


def _doubts_of_training(facts: Facts) -> Iterator[Point]:
    course = facts.course()
    if course.kept is None:
        yield Point(
            "Training",
            "No observations were held out, so nothing shows whether the model has learned its data by heart, nor how "
            "well it predicts.",
        )
    elif course.unfinished:
        yield Point(
            "Training",
            f"It ended after the {course.most:,} epochs that were allowed, and the bound of held-out observations "
            f"still rose by {course.late_gain:.1f} nats in the last tenth of them. Train longer, with --max-epochs "
            f"{2 * course.most}.",
        )


def _doubts_of_clusters(facts: Facts) -> Iterator[Point]:
    if facts.found.cluster_column is None:
        return
    table = facts.clusters_table()
    if len(table) == 1:
        return
    unsure = list(table.index[table["probability"] < UNSURE_CLUSTER])
    if unsure:
        yield Point(
            "Unsure clusters",
            f"In {_named('cluster', unsure)} the average observation belongs to it with a probability below "
            f"{UNSURE_CLUSTER:.0%}.",
        )
    if 1 - facts.sure() > MANY_UNSURE:
        yield Point(
            "Observations between clusters",
            f"{1 - facts.sure():.0%} of the observations belong to no cluster with a probability of {SURE:.0%}; "
            "look at the probabilities rather than at the names of their clusters.",
        )
    small = list(table.index[table["n"] < SMALL_CLUSTER])
    if small:
        which = "has" if len(small) == 1 else "have"
        yield Point("Small clusters", f"{_named('Cluster', small)} {which} fewer than {SMALL_CLUSTER} observations.")
    yield from _followed(facts)


def _followed(facts: Facts) -> Iterator[Point]:
    """Yield what the clusters follow that is no biology."""
    batch = facts.found.record.config.data.batch_key
    if batch and find_column(facts.found.mdata, str(batch)) is not None:
        agreement = facts.agreement(facts.column(str(batch)))
        if agreement.nmi >= FOLLOWED:
            yield Point(
                "Clusters follow the batch",
                f"The normalised mutual information of clusters and {batch} is {agreement.nmi:.2f}: some clusters may "
                "be batches, unless the batches hold different kinds of observations.",
            )
    present = facts.found.presence
    patterns = present.astype(int).astype(str).agg("".join, axis=1)
    agreement = facts.agreement(patterns)
    if patterns.nunique() > 1 and agreement.nmi >= FOLLOWED:
        yield Point(
            "Clusters follow what was measured",
            f"The normalised mutual information of clusters and combinations of modalities is {agreement.nmi:.2f}: "
            "some clusters may only say which modalities an observation has.",
        )


def _doubts_of_modalities(facts: Facts) -> Iterator[Point]:
    told = facts.told()
    weak = told.index[(told["part"] < TOLD_NOTHING) & (told["n"] > 0)]
    for mod in weak:
        yield Point(
            f"{mod} tells next to nothing",
            f"Alone it gives {told.loc[mod, 'part']:.0%} of what all modalities tell: in observations that have only "
            f"{mod}, latents and clusters are guesses.",
        )


def _doubts_of_imputation(facts: Facts) -> Iterator[Point]:
    key, guesses, unknown = facts.found.key, [], []
    for mod, skill in facts.skills().items():
        if facts.found.keys.imputed(mod) not in facts.found.mdata.obsm:
            continue
        if isinstance(skill, str):
            unknown.append(mod)
        elif (n := int((~skill["imputable"]).sum())) > MANY_UNPREDICTED * len(skill):
            guesses.append(f"{n:,} of {len(skill):,} features of {mod}")
    if guesses:
        yield Point(
            "Imputed values",
            f"{listed(guesses)} are not shown to be predicted better than by their mean; "
            f"mdata[MOD].var['{key}_imputable'] says which.",
        )
    if unknown:
        yield Point(
            f"Imputed values of {listed(unknown)}",
            "Nothing is known of how good they are: too few observations were held out. Take them for guesses.",
        )


def _named(word: str, names: list[object]) -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {listed([str(name) for name in names])}"


def listed(names: list[str]) -> str:
    """Write names as a sentence has them.

    Parameters
    ----------
    names
        At least one.

    Returns
    -------
    str
        With commas, and "and" before the last.

    Examples
    --------
    >>> listed(["0", "2", "5"])
    '0, 2 and 5'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def part_of(part: float) -> str:
    """Write a part of a whole that is estimated from other observations, so that it can come out above all of it.

    Parameters
    ----------
    part
        From 0, seldom above 1.

    Returns
    -------
    str
        What comes before "what all tell".

    Examples
    --------
    >>> part_of(0.314), part_of(1.02)
    ('31% of', 'about all of')
    """
    return "about all of" if part >= 0.995 else f"{part:.0%} of"
