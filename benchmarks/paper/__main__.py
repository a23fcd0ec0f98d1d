"""Train the systems of the paper's tables, and print its figures beside ours.

`python -m benchmarks.paper label` writes `benchmarks/paper/label.json`; what is in it already is not run again.
`mnist` takes its images from files: `python -m benchmarks.paper mnist --mnist mnist.npz --svhn svhn.npz`.
"""

import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import torch

from benchmarks.paper import mnist as digits
from benchmarks.paper.runs import PUBLISHED, run
from benchmarks.paper.systems import VARIANTS, System, systems
from benchmarks.paper.tables import IN_ALL, claims_table, differences_table, paper_table
from omixvae.files import whole_file
from omixvae.fitted import versions

FOLDER = Path(__file__).parent
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
QUICK = {"seeds": 1, "epochs": 3, "n_obs": 500}
QUICK_DIGITS = {"n_obs": 200, "n_samples": 8}
N_SAMPLES = 128
"""Importance samples for the log-likelihoods of images; those of the simulations have their own numbers."""


@click.command()
@click.argument("experiment", type=click.Choice(list(VARIANTS)))
@click.option("--aggregation", help="Only these aggregations, separated by commas.")
@click.option("--objective", help="Only these bounds: masked, mixture.")
@click.option("--variant", help="Only these parts of the table.")
@click.option("--seeds", default=3, show_default=True, help="Data sets, each with a start of its own.")
@click.option("--epochs", type=int, help="Passes over the data.")
@click.option("--n-obs", type=click.IntRange(50), help="Observations, if not the paper's number.")
@click.option("--mnist", type=FILE, help="For mnist: npz file with arrays x_train, y_train, x_test, y_test, 28 x 28.")
@click.option("--svhn", type=FILE, help="For mnist: the same, 32 x 32 x 3; coloured MNIST stands in when not given.")
@click.option("--width", default=1.0, show_default=True, help="Factor on the paper's sizes of hidden layers.")
@click.option(
    "--published",
    multiple=True,
    type=click.Choice(PUBLISHED),
    help="Follow the authors' scripts where they depart from their text; for label and five, may be given repeatedly.",
)
@click.option("--jobs", default=1, show_default=True, help="Runs at a time, each on one core.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; what is in it is not run again.")
@click.option("--quick", is_flag=True, help="One seed, few epochs and observations: to see that all of it runs.")
def main(
    experiment: str,
    aggregation: str | None,
    objective: str | None,
    variant: str | None,
    seeds: int,
    epochs: int | None,
    n_obs: int | None,
    mnist: Path | None,
    svhn: Path | None,
    width: float,
    published: tuple[str, ...],
    jobs: int,
    out: Path | None,
    *,
    quick: bool,
) -> None:
    """Run EXPERIMENT of Hirt et al. 2024: linear (Table 2), label (3), five (4) or mnist (Tables 5 to 14)."""
    if quick:
        seeds, epochs, n_obs = QUICK["seeds"], QUICK["epochs"], QUICK["n_obs"]
    out = out or FOLDER / f"{experiment}{'_quick' if quick else ''}.json"
    chosen = [
        system
        for system in systems(experiment)
        if _in(system.aggregation, aggregation) and _in(system.objective, objective) and _in(system.variant, variant)
    ]
    settings = {"epochs": epochs, "width": width, "n_obs": n_obs}
    if published:
        settings["published"] = sorted(set(published))
    call: Callable[..., dict[str, float]] = partial(run, **settings)
    if experiment == "mnist":
        settings |= QUICK_DIGITS if quick else {"n_samples": N_SAMPLES}
        files = _files(mnist, svhn)
        call = partial(digits.run, files=files, **settings)
        settings["second"] = files.second
    done = _read(out, settings)
    todo = [(system, seed) for seed in range(seeds) for system in chosen if (system, seed) not in done]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        futures = {pool.submit(call, system, seed): (system, seed) for system, seed in todo}
        for i, future in enumerate(as_completed(futures), 1):
            done[futures[future]] = future.result()
            _write(out, settings, done)
            click.echo(f"{i}/{len(todo)} {futures[future]} {future.result()['seconds']:.0f} s", err=True)
    runs: dict[System, dict[int, dict[str, float]]] = defaultdict(dict)
    for (system, seed), figures in done.items():
        runs[system][seed] = figures
    tables = [paper_table, *([differences_table] if experiment in IN_ALL else []), claims_table]
    click.echo("\n\n".join(table(experiment, runs) for table in tables))
    seconds = sum(figures["seconds"] for figures in done.values())
    click.echo(f"\n{len(done)} runs, {seconds / 60:.0f} minutes of one core, settings {settings}")


def _files(mnist: Path | None, svhn: Path | None) -> digits.Files:
    """Look at the files before anything is started."""
    if mnist is None:
        raise click.UsageError("The experiment mnist needs the images: give --mnist mnist.npz.")
    for path, shape in ((mnist, digits.GREY), (svhn, digits.COLOUR)):
        if path is not None:
            digits.read_images(path, "test", shape)
    return digits.Files(mnist, svhn)


def _in(word: str, asked: str | None) -> bool:
    return asked is None or word in asked.split(",")


def _read(out: Path, settings: dict[str, object]) -> dict[tuple[System, int], dict[str, float]]:
    """Read the runs that are there, if they were made with the same settings."""
    if not out.exists():
        return {}
    read = json.loads(out.read_text())
    if read["settings"] != settings:
        raise click.UsageError(f"{out} holds runs with other settings, {read['settings']}; give another --out.")
    return {(System(**r["system"]), r["seed"]): r["figures"] for r in read["runs"]}


def _write(out: Path, settings: dict[str, object], done: dict[tuple[System, int], dict[str, float]]) -> None:
    runs = [{"system": asdict(system), "seed": seed, "figures": figures} for (system, seed), figures in done.items()]
    record = {
        "settings": settings,
        "versions": versions(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "written": time.strftime("%Y-%m-%d"),
        "runs": runs,
    }
    with whole_file(out) as file:
        file.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
