"""Hide values, let each method predict them, and compare.

python -m benchmarks.peers --data FOLDER brca coread --seeds 5 [--methods omixvae,ridge] [-o peers.json]

Peers get an environment of their own, made when it is first needed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import mudata
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from benchmarks.peers.scores import coverage_scores, prediction_scores
from benchmarks.peers.sets import SETS, DataSet, Hidden, hide_entries, hide_modalities, on_scale, values_of
from benchmarks.tables import data_option
from omixvae.files import whole_file

ROOT = Path(__file__).parents[2]
TASKS: dict[str, Callable[[mudata.MuData, DataSet, int], Hidden]] = {
    "modalities": hide_modalities,
    "entries": hide_entries,
}


@dataclass(frozen=True)
class Method:
    """Where a method's function is, and the environment that it needs."""

    module: str
    function: str = "run"
    environment: str | None = None


METHODS = {
    "omixvae": Method("ours"),
    "mean": Method("baselines", "mean"),
    "kNN": Method("baselines", "knn"),
    "ridge": Method("baselines", "ridge"),
    "MOFA+": Method("mofa", environment="mofa"),
}


@click.command()
@click.argument("names", nargs=-1, metavar="[SET]...", type=click.Choice(list(SETS)))
@data_option
@click.option("--methods", default=",".join(METHODS), show_default=True, help="Separated by commas.")
@click.option("--tasks", default=",".join(TASKS), show_default=True, help="What is hidden.")
@click.option("--seeds", default=5, show_default=True, help="Each hides other values.")
@click.option(
    "--environments",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / ".cache" / "peers",
    help="Folder for the peers' environments.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="JSON file; what is in it is not run again.")
def main(
    names: tuple[str, ...], data: Path, methods: str, tasks: str, seeds: int, environments: Path, out: Path | None
) -> None:
    """Compare omixvae with baselines and peers on each SET; all cohorts when none is named."""
    done: dict[str, dict[str, float]] = json.loads(out.read_text()) if out is not None and out.exists() else {}
    for name in names or [name for name, data_set in SETS.items() if not data_set.cells]:
        mdata = mudata.read_h5mu(data / SETS[name].file)
        for task in tasks.split(","):
            for seed in range(seeds):
                hidden = None
                for method in methods.split(","):
                    if f"{name}|{task}|{method}|{seed}" in done:
                        continue
                    hidden = hidden or TASKS[task](mdata, SETS[name], seed)
                    figures = _run(METHODS[method], hidden, SETS[name], mdata, seed, environments)
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
    python = sys.executable if method.environment is None else _environment(method.environment, environments)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "seen.h5mu", Path(folder) / "outcome.npz"
        hidden.seen.write(source)
        arguments = json.dumps({"seed": seed, "batch": data_set.batch})
        subprocess.run(
            [python, "-m", "benchmarks.peers.worker", method.module, method.function, source, out, arguments],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        with np.load(out) as given:
            return _scores(dict(given), hidden, data_set, mdata, seed)


def _environment(name: str, folder: Path) -> str:
    """Make the environment of a peer if it is not there, and give its Python."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        needs = Path(__file__).parent / "requirements" / f"{name}.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", needs], check=True)
    return str(python)


def _scores(
    given: Mapping[str, np.ndarray], hidden: Hidden, data_set: DataSet, mdata: mudata.MuData, seed: int
) -> dict[str, float]:
    rows = mdata.obs_names.get_indexer(hidden.seen.obs_names)
    figures = {"seconds": float(given["seconds"]), "megabytes": float(given["megabytes"])}
    for name, entries in hidden.entries.items():
        if not entries.any():
            continue
        values = values_of(mdata, name)
        truth = on_scale(values, values)[rows]
        seen = np.where(entries[rows], np.nan, truth)
        found = prediction_scores(truth, given[f"value:{name}"], entries[rows], seen)
        if f"limits:{name}" in given:
            found |= coverage_scores(truth, given[f"limits:{name}"], entries[rows])
        figures |= {f"{name}:{score}": value for score, value in found.items()}
    for column in data_set.labels:
        labels = hidden.seen.obs[column]
        known = labels.notna().to_numpy()
        truth = labels[known].astype(str)
        groups = {"own": given["clusters"]} if "clusters" in given else {}
        if "latent" in given:
            groups["k-means"] = KMeans(truth.nunique(), n_init=10, random_state=seed).fit_predict(given["latent"])
        for kind, group in groups.items():
            figures[f"{column}:{kind} ARI"] = float(adjusted_rand_score(truth, group[known]))
            figures[f"{column}:{kind} NMI"] = float(normalized_mutual_info_score(truth, group[known]))
    return figures


def _table(done: Mapping[str, Mapping[str, float]]) -> str:
    """Give a table for each score: a row for each set, task and modality; a column for each method."""
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
        lines = [
            f"**{score}**",
            "",
            "| set | hidden | of | " + " | ".join(methods) + " |",
            "|---" * (3 + len(methods)) + "|",
        ]
        for where, row in rows.items():
            columns = [f"{np.mean(row[m]):.3f} ({np.std(row[m]):.3f})" if m in row else "" for m in methods]
            lines.append("| " + " | ".join([*where, *columns]) + " |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
