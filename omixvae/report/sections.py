"""The parts of the page on the data, the training, the map and the clusters."""

from functools import partial

import numpy as np
import pandas as pd

from omixvae import pl
from omixvae.pl.colours import Categories, colour_by
from omixvae.report.facts import Facts
from omixvae.report.findings import listed
from omixvae.report.markers import Markers, find_markers
from omixvae.report.page import Block, Pictures, Section, Table, Text
from omixvae.report.pictures import draw

__all__ = ["of_clusters", "of_data", "of_map", "of_training"]

MOST_COMBINATIONS = 15
MARKERS_NAMED, MARKERS_LISTED = 5, 15
LABELS_NAMED = 3
NARROW_ARROW = "\N{NO-BREAK SPACE}↓"


def of_data(facts: Facts) -> Section:
    """Show what was measured of whom.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        A table of modalities, and the combinations that occur.
    """
    found = facts.found
    present, combinations = found.presence, facts.presence_table()
    n = len(present)
    rows = []
    for mod in found.modalities:
        have = int(present[mod].sum())
        features, likelihood = found.mdata.mod[mod].n_vars, str(found.likelihood(mod))
        rows.append((mod, f"{have:,}", f"{1 - have / n:.0%}", f"{features:,}", likelihood.replace("_", " ")))
    modalities = Table(
        "Modalities: how many observations have each, and the distribution that its values were taken to have.",
        ("modality", "observations", "lack it", "features", "likelihood"),
        tuple(rows),
        ("observations", "lack it", "features"),
    )
    table = Table(
        "Combinations of modalities, the most frequent first.",
        ("combination", "observations", "part"),
        tuple((str(name), f"{count:,}", f"{count / n:.1%}") for name, count in combinations.items()),
        ("observations", "part"),
        folded=f"All {len(combinations)} combinations" if len(combinations) > MOST_COMBINATIONS else "",
    )
    described = "; ".join(f"{name}: {count:,}" for name, count in combinations.iloc[:MOST_COMBINATIONS].items())
    drawn = draw(
        partial(pl.presence, found.mdata, key=found.key, most=MOST_COMBINATIONS),
        f"Bars with the number of observations for each combination of modalities. {described}.",
    )
    return Section("data", "Data", (modalities, Pictures((drawn,)), table))


def of_training(facts: Facts) -> Section:
    """Show how the training went.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        What ended it, and its curves.
    """
    course, history = facts.course(), facts.found.history
    seconds = float(history["seconds"].iloc[-1])
    took = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    if course.kept is None:
        words = f"{course.epochs:,} epochs in {took}, with no observations held out."
    else:
        ended = (
            "as many as were allowed"
            if course.epochs >= course.most
            else f"of at most {course.most:,}: it stopped since the held-out bound no longer rose"
        )
        words = (
            f"{course.epochs:,} epochs in {took}, {ended}. {course.held_out:.0%} of the observations were held out; "
            f"the weights of epoch {course.kept:,} were kept, where their bound was best "
            f"({history['held_out_bound'].iloc[course.kept - 1]:,.1f} nats per observation)."
        )
    drawn = draw(
        partial(pl.history, facts.found.mdata, key=facts.found.key),
        f"Curves of the bound over {course.epochs:,} epochs, and of what the latents cost.",
        "Left: the higher, the better; the held-out curve (orange) should level off, and not fall while the other one "
        "rises. Right: how much the latents say (rate), and what single modalities leave open (cross rate).",
    )
    return Section("training", "Training", (Text(words), Pictures((drawn,))))


def of_map(facts: Facts) -> Section:
    """Show the shared latents in two dimensions.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        One map for each colour.
    """
    found = facts.found
    maps = []
    for name in facts.colours():
        values = colour_by(found, name)
        kinds = f": {', '.join(values.names[:20])}" if isinstance(values, Categories) else " from low to high"
        described = f"Map of {found.mdata.n_obs:,} observations coloured by {values.title}{kinds}."
        maps.append(draw(partial(pl.latent, found.mdata, name, key=found.key), described, points=True))
    words = (
        "Each point is an observation; near ones have similar shared latents, from whatever was measured of them. "
        "Distances between far groups, and the sizes of groups, mean nothing on such a map."
    )
    without = [] if found.cluster_column else [Text(_no_clusters(facts), aside=True)]
    return Section("map", "Map", (Text(words), *without, Pictures(tuple(maps))))


def of_clusters(facts: Facts) -> Section:
    """Show the clusters: how large and sure they are, what they hold, and what tells them apart.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        Or one sentence, where there are none.
    """
    found = facts.found
    if found.cluster_column is None:
        return Section("clusters", "Clusters", (Text(_no_clusters(facts)),))
    markers = {mod: find_markers(found, mod) for mod in found.modalities}
    table = facts.clusters_table()
    sizes = draw(
        partial(pl.clusters, found.mdata, key=found.key),
        f"Sizes of the {len(table)} clusters, and how unsure observations are of them.",
        "Right: dot, median; thick line, half of the observations; thin line, nine of ten. The dotted line is where "
        "all clusters are equally probable.",
    )
    blocks: list[Block] = [_cluster_table(facts, table, markers), Pictures((sizes,))]
    for name in facts.groupings():
        plot = partial(pl.clusters, found.mdata, name, key=found.key)
        blocks.append(Pictures((draw(plot, f"Part of each cluster that has each value of {name}.", points=True),)))
    return Section("clusters", "Clusters", (*blocks, *_marker_blocks(markers)))


def _no_clusters(facts: Facts) -> str:
    prior = facts.found.record.plan.prior
    return f"There are no clusters: the prior {prior} has none. Train with --prior gaussian_mixture to find some."


def _cluster_table(facts: Facts, table: pd.DataFrame, markers: dict[str, Markers | str]) -> Table:
    named = [mod for mod, found in markers.items() if isinstance(found, Markers) and len(found.table)]
    clusters = facts.found.clusters.astype(str)
    columns = {name: facts.column(name).astype(object) for name in facts.groupings()}
    held = {name: pd.crosstab(column, clusters, normalize="columns") for name, column in columns.items()}
    rows = [
        (
            str(cluster),
            f"{row.n:,.0f}",
            f"{row.share:.1%}",
            f"{row.entropy:.2f}",
            f"{row.probability:.2f}",
            *(_composition(kinds, str(cluster)) for kinds in held.values()),
            *(_top(markers[mod], str(cluster)) for mod in named),
        )
        for cluster, row in table.iterrows()
    ]
    numbers = ("observations", "part", "mean entropy", "mean probability")
    return Table(
        "Clusters: mean entropy of the assignment (nats; 0 is certain), mean probability of the cluster"
        + (f"; the most frequent values of {listed(list(held))}" if held else "")
        + ("; the features that stand out most (↓: lower than elsewhere)." if named else "."),
        ("cluster", *numbers, *held, *(f"{mod} features" for mod in named)),
        tuple(rows),
        numbers,
    )


def _composition(kinds: pd.DataFrame, cluster: str) -> str:
    if cluster not in kinds:
        return "no value"
    parts = kinds[cluster].sort_values(ascending=False, kind="stable").iloc[:LABELS_NAMED]
    return ", ".join(f"{name} {part:.0%}" for name, part in parts.items() if part >= 0.005)


def _top(markers: Markers | str, cluster: str) -> str:
    if isinstance(markers, str):
        return ""
    top = markers.table[markers.table["cluster"] == cluster].iloc[:MARKERS_NAMED]
    return ", ".join(f"{row.feature}{NARROW_ARROW * bool(row.score < 0)}" for row in top.itertuples()) or "none"


def _marker_blocks(markers: dict[str, Markers | str]) -> list[Block]:
    blocks: list[Block] = [
        Text(
            "Features that stand out: each cluster against all other observations, Wilcoxon's rank-sum test with "
            "correction for ties, adjusted p-value below 0.05 (Benjamini and Hochberg). The clusters were found in "
            "these same values, so the p-values are far too small: take them for an order, not for a proof.",
            aside=True,
        )
    ]
    for mod, found in markers.items():
        if isinstance(found, str):
            blocks.append(Text(found, aside=True))
        elif found.table.empty:
            blocks.append(Text(f"{mod}: no feature tells the clusters apart. Compared: {found.how}", aside=True))
        else:
            blocks.append(_marker_table(mod, found))
    return blocks


def _marker_table(mod: str, markers: Markers) -> Table:
    shown = markers.table.groupby("cluster", observed=True, sort=False).head(MARKERS_LISTED)
    rows = tuple(
        (
            str(row.cluster),
            str(row.feature),
            f"{row.inside:.3g}",
            f"{row.outside:.3g}",
            f"{row.score:.1f}",
            _p_value(row.p_adjusted),
        )
        for row in shown.itertuples()
    )
    numbers = ("mean in the cluster", "mean elsewhere", "z", "adjusted p")
    return Table(
        f"{mod}: up to {MARKERS_LISTED} features of each cluster. Compared: {markers.how}",
        ("cluster", "feature", *numbers),
        rows,
        numbers,
        folded=f"Features of {mod} that tell the clusters apart",
    )


def _p_value(p: float) -> str:
    return "< 1e-300" if p < 1e-300 else f"{p:.1e}" if p < np.float64(1e-3) else f"{p:.3f}"
