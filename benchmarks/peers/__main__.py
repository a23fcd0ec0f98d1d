"""Hide values, let each method predict them, and compare.

python -m benchmarks.peers --data FOLDER brca coread --seeds 5 [--methods omixvae,ridge] [-o peers.json]
python -m benchmarks.peers --data FOLDER pbmc --tasks donor,types --seeds 3
python -m benchmarks.peers --data FOLDER robust --seeds 3 -o robust.json

Tasks: whole (nothing is hidden), modalities (one from each of some observations), entries, donor (half of the cells are
a batch of their own, without what is scored), types (some cell types lack what is scored), halves (half of the complete
cells lose a modality). With `robust`: the clusters of every labelled set, and of random parts of it with fewer
observations or features, of which each seed draws others. Peers get an environment of their own, made when it is first
needed.
"""

import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import mudata
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from benchmarks.clusters import agreement, best_leiden
from benchmarks.environments import ROOT, environments_option, python_of
from benchmarks.peers.scores import FOLDS, batch_mixing, coverage_scores, prediction_scores, presence_auc
from benchmarks.peers.sets import (
    ROBUST,
    SETS,
    DataSet,
    Hidden,
    draw,
    hide_donor,
    hide_entries,
    hide_halves,
    hide_modalities,
    hide_nothing,
    hide_types,
    on_scale,
    untied,
    values_of,
)
from benchmarks.tables import data_option
from omixvae.files import whole_file

TASKS: dict[str, Callable[[mudata.MuData, DataSet, int], Hidden]] = {
    "whole": hide_nothing,
    "modalities": hide_modalities,
    "entries": hide_entries,
    "donor": hide_donor,
    "types": hide_types,
    "halves": hide_halves,
}
ALL = ROBUST | SETS
PREDICTION = tuple(task for task in TASKS if task != "whole")
NO_RNA_HIDDEN = ("whole", "donor", "types")
NO_ENTRIES_HIDDEN = tuple(task for task in TASKS if task != "entries")


@dataclass(frozen=True)
class Method:
    """Where a method's function is, the environment that it needs, and what it can be asked.

    Parameters
    ----------
    module, function
        `benchmarks.peers.MODULE`, and what is called in it.
    environment
        Name of the file with its requirements; our own environment when not given.
    tasks
        What may be hidden from it; all when empty.
    takes
        The sets of modalities that it was made for; any when empty.
    """

    module: str
    function: str = "run"
    environment: str | None = None
    tasks: tuple[str, ...] = ()
    takes: tuple[frozenset[str], ...] = ()

    def applies(self, mdata: mudata.MuData, task: str) -> bool:
        """Say whether the method is asked; it is left out where not."""
        return (not self.tasks or task in self.tasks) and (not self.takes or set(mdata.mod) in self.takes)


CITE, MULTIOME = frozenset({"rna", "protein"}), frozenset({"rna", "atac"})
METHODS = {
    "omixvae": Method("ours"),
    "mean": Method("baselines", "mean", tasks=PREDICTION),
    "kNN": Method("baselines", "knn", tasks=PREDICTION),
    "ridge": Method("baselines", "ridge", tasks=PREDICTION),
    "50 PCs": Method("baselines", "components"),
    "MOFA+": Method("mofa", environment="mofa"),
    "totalVI": Method("totalvi", environment="scvi", tasks=NO_RNA_HIDDEN, takes=(CITE,)),
    "MultiVI": Method("multivi", environment="scvi", tasks=NO_ENTRIES_HIDDEN, takes=(MULTIOME,)),
    "MIDAS": Method("midas", environment="midas", tasks=NO_ENTRIES_HIDDEN, takes=(CITE, MULTIOME)),
}


@click.command()
@click.argument("names", nargs=-1, metavar="[SET]...", type=click.Choice(["robust", *ALL]))
@data_option
@click.option("--methods", default=",".join(METHODS), show_default=True, help="Separated by commas.")
@click.option("--tasks", help="What is hidden: whole, modalities, … [default: all that the set takes]")
@click.option("--seeds", default=5, show_default=True, help="Each hides other values.")
@environments_option
@click.option("-o", "--out", type=click.Path(path_type=Path), help="JSON file; what is in it is not run again.")
def main(
    names: tuple[str, ...],
    data: Path,
    methods: str,
    tasks: str | None,
    seeds: int,
    environments: Path,
    out: Path | None,
) -> None:
    """Compare omixvae with baselines and peers on each SET; all that are not single cells when none is named.

    A method that was not made for a set, or cannot lack what is hidden, is left out.
    """
    done: dict[str, dict[str, float]] = json.loads(out.read_text()) if out is not None and out.exists() else {}
    named = [(name, ALL[name]) for name in names if name != "robust"]
    named += ROBUST.items() if "robust" in names else []
    for name, data_set in named or [(name, cohort) for name, cohort in SETS.items() if not cohort.cells]:
        whole = mudata.read_h5mu(data / data_set.file)
        for task in data_set.tasks if tasks is None else tasks.split(","):
            if task not in data_set.tasks:
                raise click.UsageError(f"{name} does not take {task}: it takes {', '.join(data_set.tasks)}.")
            for seed in range(seeds):
                mdata = hidden = None
                for method in methods.split(","):
                    if f"{name}|{task}|{method}|{seed}" in done or not METHODS[method].applies(whole, task):
                        continue
                    mdata = draw(whole, data_set, seed) if mdata is None else mdata
                    hidden = hidden or TASKS[task](mdata, data_set, seed)
                    figures = _run(METHODS[method], hidden, data_set, mdata, seed, environments)
                    done[f"{name}|{task}|{method}|{seed}"] = figures
                    click.echo(f"{name} {task} {method} {seed}: {figures['seconds']:.0f} s", err=True)
                    if out is not None:
                        with whole_file(out) as file:
                            file.write_text(json.dumps(done, indent=1))
    click.echo(_table(done))


def _run(
    method: Method, hidden: Hidden, data_set: DataSet, mdata: mudata.MuData, seed: int, environments: Path
) -> dict[str, float]:
    """Call the method in a process of its own, and score what it gave."""
    python = python_of(method.environment, environments)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "seen.h5mu", Path(folder) / "outcome.npz"
        hidden.seen.write(source)
        wanted = [name for name, entries in hidden.entries.items() if entries.any()]
        arguments = json.dumps({"seed": seed, "batch": hidden.batch, "wanted": wanted})
        subprocess.run(
            [python, "-m", "benchmarks.peers.worker", method.module, method.function, source, out, arguments],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        with np.load(out) as given:
            return _scores(dict(given), hidden, data_set, mdata, seed)


def _scores(
    given: Mapping[str, np.ndarray], hidden: Hidden, data_set: DataSet, mdata: mudata.MuData, seed: int
) -> dict[str, float]:
    rows = mdata.obs_names.get_indexer(hidden.seen.obs_names)
    figures = {"seconds": float(given["seconds"]), "megabytes": float(given["megabytes"])}
    if not np.isfinite(given.get("latent", 0.0)).all():
        return figures  # the method ran, and found no numbers: MOFA+ on a cohort of 87 cells
    for name in [name for name in mdata.mod if f"value:{name}" in given]:
        entries = hidden.entries[name][rows]
        values = values_of(mdata, name)
        truth = on_scale(values, values)[rows]
        found = prediction_scores(truth, given[f"value:{name}"], entries, np.where(entries, np.nan, truth))
        if f"limits:{name}" in given:
            moved = untied(values, values, np.random.default_rng(seed))[rows]
            found |= coverage_scores(moved, given[f"limits:{name}"], entries)
        figures |= {f"{name}:{score}": value for score, value in found.items()}
    for column in data_set.labels:
        labels = hidden.seen.obs[column]
        found = {"own": agreement(pd.Series(given["clusters"], labels.index), labels)} if "clusters" in given else {}
        if "latent" in given:
            means = KMeans(labels.nunique(), n_init=10, random_state=seed).fit_predict(given["latent"])
            found["k-means"] = agreement(pd.Series(means, labels.index), labels)
            found["best Leiden"] = best_leiden(given["latent"], labels)
        for kind, scores in found.items():
            figures |= {f"{column}, {kind}:{score}": float(scores[score]) for score in ("ARI", "NMI")}
        if "clusters" in given:
            figures[f"{column}, own:clusters"] = float(len(np.unique(given["clusters"])))
    if "latent" in given:
        figures |= _latent_scores(given["latent"], given.get("draw"), hidden, data_set, mdata, seed)
    return figures


def _latent_scores(
    latent: np.ndarray, draw: np.ndarray | None, hidden: Hidden, data_set: DataSet, mdata: mudata.MuData, seed: int
) -> dict[str, float]:
    """Score what the latent should not tell: the batch, and which modalities chance took away."""
    seen, figures = hidden.seen.obs_names, {}
    if data_set.batch is not None:
        # the batches that were measured: those that a task makes are alike by construction
        figures[f"{data_set.batch}:mixing"] = batch_mixing(latent, mdata.obs.loc[seen, data_set.batch].to_numpy())
    complete = np.all([seen.isin(table.obs_names) for table in mdata.mod.values()], axis=0)
    for name in mdata.mod if hidden.at_random else ():
        present = seen.isin(hidden.seen[name].obs_names)[complete]
        if min(present.sum(), (~present).sum()) >= FOLDS:
            figures[f"{name}:presence AUC"] = presence_auc(latent[complete], present, seed)
            if draw is not None:
                figures[f"{name}, a draw:presence AUC"] = presence_auc(draw[complete], present, seed)
    return figures


def _table(done: Mapping[str, Mapping[str, float]]) -> str:
    """Give a table for each score: a row for each set, task and what is scored; a column for each method."""
    cells: dict[str, dict[tuple[str, ...], dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for key, figures in done.items():
        name, task, method, _ = key.split("|")
        for figure, value in figures.items():
            what, _, score = figure.rpartition(":")
            cells[score][name, task, what][method].append(value)
    tables = []
    for score, rows in cells.items():
        methods = [method for method in METHODS if any(method in row for row in rows.values())]
        of = any(what for *_, what in rows)
        lines = [["set", "hidden", *(["of"] if of else []), *methods]]
        spread = np.min if score == "ARI" else np.std
        lines += [
            [*where[: 3 if of else 2], *(_cell(row.get(m, []), spread) for m in methods)] for where, row in rows.items()
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        body = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        note = " (in brackets the worst of the seeds)" if score == "ARI" else ""
        tables.append("\n".join([f"**{score}**{note}", "", *body]))
    return "\n\n".join(tables)


def _cell(values: list[float], spread: Callable[[list[float]], float]) -> str:
    """Give mean and spread over seeds, seconds and megabytes without needless digits."""
    if not values:
        return ""
    digits = 3 if abs(np.mean(values)) < 10 else 1
    brackets = f" ({spread(values):.{digits}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{brackets}"


if __name__ == "__main__":
    main()
