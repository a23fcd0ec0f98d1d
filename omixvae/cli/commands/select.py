"""`omixvae select`."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from omixvae.cli import options
from omixvae.cli.files import check_input, check_named, read_input, whole
from omixvae.cli.frame import Command, friendly_warnings, on_rank_zero
from omixvae.config import OPTIONS, Config
from omixvae.constraints import Names
from omixvae.errors import InputError, check_all, nearest, raise_together

__all__ = ["select"]

PICTURES = (".png", ".svg", ".pdf")


@click.command(
    cls=Command,
    further=options.FURTHER,
    examples=[
        "omixvae select cohort.h5mu --grid n_latent=5,10,20 --grid n_clusters=2,4,8 -o table.csv",
        "omixvae select cohort.h5mu --grid likelihoods=mirna=log_normal --grid likelihoods=mirna=negative_binomial",
    ],
)
@options.source_file(nargs=-1, required=True)
@click.option(
    "--grid",
    "grid",
    multiple=True,
    required=True,
    metavar="NAME=VALUE,…",
    help="Option and the values to try; all combinations of several. Once for each value of an option per modality.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="TABLE.csv", help="Table to write.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), metavar="FILE.png", help="Picture to write.")
@click.option("--n-folds", type=int, metavar="N", help="Parts of the cross-validation [default: 5 if small].")
@click.option("--held-out", type=float, metavar="PART", help="Part held out, instead [default: 0.2 if large].")
@click.option("--n-seeds", default=1, show_default=True, metavar="N", help="Times that all is repeated.")
@click.option("--n-samples", type=int, metavar="N", help="Samples of each log-likelihood [default: 512].")
@options.config_file
@options.quietly
@options.as_json
@options.config_options(())
@options.ways_in()
@on_rank_zero
def select(
    sources: tuple[str, ...],
    grid: tuple[str, ...],
    output: Path | None,
    picture: Path | None,
    n_folds: int | None,
    held_out: float | None,
    n_seeds: int,
    n_samples: int | None,
    file: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    ways: dict[str, Any],
    **given: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Try several values of options on IN.h5mu, and judge each by observations held out.

    The higher the log-likelihood of those, the better do the data support the setting; of those within one standard
    error of the best the simplest is chosen. IN may also be h5ad, 10x or tables, with the options of `omixvae convert`.
    """
    values = _grid(grid)
    config = options.read_config(file, given | ({"progress": False} if quiet or as_json else {}))
    _check_outputs(sources, output, picture)
    mdata = read_input(*sources, ways=ways)

    from omixvae.cli.screens import select as screen  # here, so that --help needs no torch
    from omixvae.evaluation import select as find

    defaults = Config().to_options()
    given = {name: value for name, value in config.to_options().items() if value != defaults[name]}
    samples = {} if n_samples is None else {"n_samples": n_samples}
    with friendly_warnings():
        found = find(mdata, values, n_folds=n_folds, held_out=held_out, n_seeds=n_seeds, **samples, **given)  # type: ignore[arg-type]
    with ExitStack() as files:
        if output is not None:
            found.table.to_csv(files.enter_context(whole(output)), index=False)
        if picture is not None:
            screen.draw(found, files.enter_context(whole(picture)))
    summary = screen.summarise(found)
    if as_json:
        click.echo(json.dumps(summary))
    elif not quiet:
        screen.show(summary)


def _grid(texts: Sequence[str]) -> dict[str, list[object]]:
    """Read what --grid says: the values of each option."""
    grid: dict[str, list[object]] = {}
    errors = []
    for text in texts:
        dashed, equals, values = text.partition("=")
        name = dashed.strip().replace("-", "_")
        if not equals:
            fix = "Give an option and the values to try: --grid n_latent=5,10,20."
            errors.append(InputError(f"The grid {text!r} holds no '='.", "option --grid", fix))
        elif name not in OPTIONS:
            errors.append(InputError(f"There is no option {name!r}.", "option --grid", nearest(name, OPTIONS)))
        else:
            # A comma inside of a value that names modalities or columns belongs to the value.
            allowed = OPTIONS[name].allowed
            whole = "=" in values or isinstance(allowed, Names)
            parts = [values] if whole else [v.strip() for v in values.split(",") if v.strip()]
            grid.setdefault(name, []).extend(allowed.parse(part) for part in parts)
    raise_together(errors)
    return grid


def _check_outputs(sources: Sequence[str], output: Path | None, picture: Path | None) -> None:
    """Find everything that is wrong with the names of the files before any work."""
    checks: list[Callable[[], None]] = [partial(check_input, source) for source in sources]
    for path, name, endings in ((output, "--output", (".csv",)), (picture, "--plot", PICTURES)):
        if path is not None:
            checks.append(partial(check_named, path, f"option {name}", endings))
    check_all(checks)
