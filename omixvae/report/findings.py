"""What to know before all else: the findings in a few sentences, and what not to trust."""

import math
from collections.abc import Iterator

import pandas as pd

from omixvae.data.columns import find_column
from omixvae.report.facts import SURE, Facts
from omixvae.report.page import Point, Points

__all__ = ["distrusted", "findings", "key_numbers", "listed"]

TOLD_NOTHING = 0.05
"""Part of what all modalities tell, below which one is said to tell next to nothing."""

FOLLOWED = 0.3
"""Normalised mutual information from which on clusters are said to follow something that is no biology."""

UNSURE_CLUSTER, MANY_UNSURE = 0.8, 0.1
SMALL_CLUSTER = 10


def key_numbers(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Give the numbers that stand on top of the page.

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
        (str(found.record["plan"]["n_latent"]), "latent dimensions"),
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
    present = facts.found.presence()
    whole, n = int(present.all(axis=1).sum()), len(present)
    if whole == n:
        yield Point("Data", f"All {n:,} observations have all {present.shape[1]} modalities.")
        return
    rarest = present.mean().idxmin()
    yield Point(
        "Data",
        f"{whole:,} of {n:,} observations ({whole / n:.0%}) have all {present.shape[1]} modalities; "
        f"the rarest is {rarest}, which {present[rarest].mean():.0%} have.",
    )


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
        agreement = facts.agreement(_labels(facts, name))
        if agreement.n:
            yield Point(
                f"Clusters and {name}",
                f"Adjusted Rand index {agreement.ari:.2f}, normalised mutual information {agreement.nmi:.2f} "
                f"(0 by chance, 1 for the same groups) in {agreement.n:,} observations.",
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
        f"Alone, {first} gives {told['part'].iloc[0]:.0%} of what all modalities together tell about the shared "
        f"latents, and {last} {told['part'].iloc[-1]:.0%}.",
    )


def _on_imputation(facts: Facts) -> Iterator[Point]:
    for mod, skill in facts.skills().items():
        if isinstance(skill, str):
            continue
        judged = skill[skill["r2"].notna()]
        if len(judged):
            yield Point(
                f"Predicting {mod}",
                f"From the other modalities, {int(judged['imputable'].sum()):,} of {len(judged):,} features are "
                f"predicted better than by their mean; the median R² is {judged['r2'].median():.2f}, "
                f"the best is {judged['r2'].idxmax()} ({judged['r2'].max():.2f}).",
            )


def distrusted(facts: Facts) -> Points:
    """Say what is not to be trusted, as far as the results tell.

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
    empty = int((~facts.found.presence().any(axis=1)).sum())
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
            f"It ended after the {course.most:,} epochs that were allowed, and the bound of held-out observations still "
            f"rose by {course.late_gain:.1f} nats in the last tenth of them. Train longer, with --max-epochs "
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
        yield Point(
            "Small clusters", f"{_named('Cluster', small)} {which} fewer than {SMALL_CLUSTER} observations."
        )
    yield from _followed(facts)


def _followed(facts: Facts) -> Iterator[Point]:
    """Say what the clusters follow that is no biology."""
    batch = facts.options.get("batch_key")
    if batch and find_column(facts.found.mdata, str(batch)) is not None:
        agreement = facts.agreement(_labels(facts, str(batch)))
        if agreement.nmi >= FOLLOWED:
            yield Point(
                "Clusters follow the batch",
                f"The normalised mutual information of clusters and {batch} is {agreement.nmi:.2f}: some clusters may "
                "be batches, unless the batches hold different kinds of observations.",
            )
    present = facts.found.presence()
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
    key = facts.found.key
    for mod, skill in facts.skills().items():
        if f"{key}_imputed_{mod}" not in facts.found.mdata.obsm:
            continue
        if isinstance(skill, str):
            yield Point(f"Imputed values of {mod}", f"{skill} Take them for guesses.")
            continue
        n_worse, n_judged = int((~skill["imputable"]).sum()), int(skill["r2"].notna().sum())
        if n_worse > len(skill) / 4:
            yield Point(
                f"Imputed values of {mod}",
                f"{n_worse:,} of its {len(skill):,} features "
                f"{'are' if n_worse > 1 else 'is'} not shown to be predicted better than by the mean"
                + (f" ({len(skill) - n_judged:,} could not be judged)" if n_judged < len(skill) else "")
                + f"; mdata[{mod!r}].var['{key}_imputable'] says which.",
            )


def _labels(facts: Facts, name: str) -> pd.Series:
    column = find_column(facts.found.mdata, name)
    assert column is not None, "asked for only where there is one"
    return column


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
