"""The command line: parse, call the API, print.

Nothing heavy is imported at the top: `omixvae --help` must answer at once.
"""

import json
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import click

from omixvae import __version__
from omixvae.command_files import (
    EXAMPLE,
    check_files,
    check_input,
    check_named,
    check_output,
    is_zarr,
    read_input,
    whole,
    writing,
    written_whole,
)
from omixvae.config import Config
from omixvae.errors import InputError, check_all, nearest, raise_together
from omixvae.options import Constraint, Flag, Names
from omixvae.processes import LostProcessError, OneProcess, Processes, join_processes

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["main"]

TRUTH = "cluster"
"""Column of the simulated example that holds the true clusters."""

PICTURES = (".png", ".svg", ".pdf")

STOPPED = 128
"""Exit code after a signal is this plus the signal's number, as shells have it: 130 after Ctrl-C."""


class Cli(click.Group):
    """Turns what goes wrong into one clear message and an exit code: 2 for the user's input, 1 for our bugs."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's own signature)
        """Run a command."""
        processes: Processes = OneProcess()
        try:
            with _sigterm_like_ctrl_c():
                processes = join_processes()
                return super().invoke(ctx)
        except click.UsageError as error:
            _end(processes, error.show)
            ctx.exit(error.exit_code)
        except (InputError, LostProcessError) as error:
            if ctx.params["debug"]:
                raise
            message = f"Error: {error}"
            _end(processes, lambda: click.echo(message, err=True))
            ctx.exit(2 if isinstance(error, InputError) else 1)
        except KeyboardInterrupt as stop:
            if processes.first:
                click.echo("Stopped. Nothing was written.", err=True)
            ctx.exit(STOPPED + (stop.args[0] if stop.args else signal.SIGINT))


def _end(processes: Processes, say: Callable[[], None]) -> None:
    """Say why all processes end, once, and be no more disturbed by a launcher that ends the others with the first."""
    if processes.size > 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    processes.say_once(say)


def in_first_process(command: Callable[..., None]) -> Callable[..., None]:
    """Let the first process do what is no work to share, and the others wait until it is done."""

    @wraps(command)
    def in_first(*args: Any, **options: Any) -> None:  # noqa: ANN401 (those of the command)
        processes = join_processes()
        with processes.together():
            if processes.first:
                command(*args, **options)

    return in_first


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Let temporary files be removed also when a cluster's scheduler ends the job."""

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="omixvae")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: FBT001 (click passes options by position or name)
    """Integrate several omics of the same samples, missing modalities included."""


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add one command line option for each field of the configuration."""
    for _, f in reversed(list(Config.fields())):
        dashed, is_flag = f.name.replace("_", "-"), isinstance(f.metadata["allowed"], Flag)
        flag = f"--{dashed}/--no-{dashed}" if is_flag else f"--{dashed}"
        metavar, text = None if is_flag else "VALUE", _help(f.name, f.metadata["help"])
        command = click.option(flag, f.name, default=None, metavar=metavar, help=text)(command)
    return command


def _help(name: str, text: str) -> str:
    default = Config().to_options()[name]
    shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
    return text if default in (None, [], {}) else f"{text} [default: {shown}]"


def _config(file: Path | None, given: dict[str, Any]) -> Config:
    """Read the options of the command line over those of a file."""
    allowed = {f.name: f.metadata["allowed"] for _, f in Config.fields()}
    options = {k: allowed[k].parse(v) if isinstance(v, str) else v for k, v in given.items() if v is not None}
    return Config.from_file(file, **options) if file else Config.from_options(**options)


config_file = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Options from a file; those given here win.",
)
quietly = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
read_from_disk = click.option(
    "--from-disk", is_flag=True, help="Read values as they are needed: for files larger than the memory."
)


@main.command(epilog="Example: omixvae train cohort.h5mu -o cohort_omixvae.h5mu --model cohort_model")
@click.argument("sources", metavar="IN.h5mu...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="OUT.h5mu", help="File to write, with the results."
)
@click.option("--model", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Folder to save the model in.")
@config_file
@click.option("--in-place", is_flag=True, help="Allow the output to replace the input.")
@read_from_disk
@quietly
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@config_options
def train(
    sources: tuple[str, ...],
    output: Path | None,
    folder: Path | None,
    file: Path | None,
    *,
    in_place: bool,
    from_disk: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 (one for each field of Config, checked there)
) -> None:
    """Train on IN.h5mu and write it, with the results, to OUT.h5mu.

    IN may be example:cite, a simulated CITE-seq set with known clusters. What is not given is decided from the data;
    `omixvae inspect` shows how, and why. With --from-disk, IN may be larger than the memory, or several files with the
    same features; a zarr folder is always read so.
    """
    processes = join_processes()
    with processes.together():
        config = _config(file, options | ({"progress": False} if quiet or as_json else {}))
        from_disk = from_disk or any(is_zarr(Path(source)) for source in sources)
        _check_several(sources, output, folder, from_disk=from_disk)
        check_files(sources, output, folder, in_place=in_place)
        mdata = read_input(*sources, from_disk=from_disk)

    from omixvae import screens  # here, as all below, so that --help needs no torch
    from omixvae.model import OmixVAE

    model = OmixVAE(**config.to_options())  # type: ignore[arg-type]  # options only, no modules
    with _friendly_warnings():
        model.fit(mdata)
    with processes.together():
        if not processes.first:
            return
        if output is not None:
            with _friendly_warnings():
                model.annotate(mdata)
        # The model first: the output takes its name last, so that a run which is stopped leaves none.
        with ExitStack() as files:
            if output is not None:
                copied = Path(sources[0]) if from_disk else None
                files.enter_context(written_whole(mdata, output, copied, config.results.key_added))
            if folder is not None:
                model.save(folder)
        truth = TRUTH if sources == (EXAMPLE,) and output is not None else None
        summary = screens.summarise_training(model, mdata, output, truth=truth)
        if as_json:
            click.echo(json.dumps(summary))
        elif not quiet:
            screens.print_training(summary)


def _check_several(sources: tuple[str, ...], output: Path | None, folder: Path | None, *, from_disk: bool) -> None:
    """Find what cannot be done with so many inputs and outputs."""
    if from_disk and EXAMPLE in sources:
        raise InputError(
            f"{EXAMPLE!r} is made in memory and lies in no file.", "option --from-disk", "Leave the option out."
        )
    if len(sources) == 1:
        if output is None and folder is None:
            context = click.get_current_context()
            raise click.MissingParameter(
                ctx=context, param=next(p for p in context.command.params if p.name == "output")
            )
        return
    if not from_disk:
        raise InputError("Several files are read from disk only.", "the inputs", "Add --from-disk.")
    if output is not None:
        raise InputError(
            f"There are {len(sources)} inputs and one output.",
            f"output {output}",
            "Give --model DIR instead, then run `omixvae annotate` with it for each file.",
        )
    if folder is None:
        raise InputError("Nothing would be kept of the training.", "option --model", "Add --model DIR.")


computing_device = click.option("--device", default="auto", metavar="VALUE", help="Where to compute [default: auto]")


@main.command(epilog="Example: omixvae inspect cohort.h5mu")
@click.argument("source", metavar="IN.h5mu")
@config_file
@read_from_disk
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@config_options
@in_first_process
def inspect(
    source: str,
    file: Path | None,
    *,
    from_disk: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Show what IN.h5mu holds, what is missing, and what training would choose, and why."""
    config = _config(file, options)
    mdata = read_input(source, from_disk=from_disk or is_zarr(Path(source)))

    from omixvae import screens  # here, so that --help needs no torch
    from omixvae.data import from_mudata
    from omixvae.plan import make_plan

    data = from_mudata(mdata, config.data)
    plan = make_plan(config, data)
    report = screens.describe(data, plan)
    if as_json:
        click.echo(json.dumps(report))
    else:
        screens.print_description(source, report)


@main.command(epilog="Example: omixvae annotate new.h5mu --model cohort_model -o new_omixvae.h5mu")
@click.argument("source", metavar="IN.h5mu")
@click.option(
    "--model", "folder", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder of a saved model."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.h5mu", help="File to write."
)
@click.option("--in-place", is_flag=True, help="Allow the output to replace the input.")
@read_from_disk
@computing_device
@quietly
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@in_first_process
def annotate(
    source: str,
    folder: Path,
    output: Path,
    *,
    in_place: bool,
    from_disk: bool,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Apply a trained model to IN.h5mu, and write it with the results to OUT.h5mu."""
    from_disk = from_disk or is_zarr(Path(source))
    check_files((source,), output, None, in_place=in_place)
    mdata = read_input(source, from_disk=from_disk)

    from omixvae import screens  # here, so that --help needs no torch
    from omixvae.model import load

    model = load(folder, device=_config(None, {"device": device}).training.device)
    with _friendly_warnings():
        model.annotate(mdata)
    copied = Path(source) if from_disk else None
    with written_whole(mdata, output, copied, model.config.results.key_added):
        pass
    summary = screens.summarise_results(model, mdata, output)
    if as_json:
        click.echo(json.dumps(summary))
    elif not quiet:
        screens.print_results(summary)


@main.command(epilog="Example: omixvae impute new.h5mu --model cohort_model --modality protein --given rna -o out.zarr")
@click.argument("source", metavar="IN.h5mu")
@click.option(
    "--model", "folder", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder of a saved model."
)
@click.option("--modality", required=True, metavar="NAME", help="Modality to predict.")
@click.option("--given", metavar="NAME,…", help="Modalities to look at [default: all]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT.h5mu|OUT.zarr",
    help="File to write. A zarr folder is written as predictions come, whatever their number.",
)
@read_from_disk
@computing_device
@quietly
@in_first_process
def impute(
    source: str,
    folder: Path,
    modality: str,
    given: str | None,
    output: Path,
    *,
    from_disk: bool,
    device: str,
    quiet: bool,
) -> None:
    """Predict a modality for every observation of IN.h5mu.

    OUT.h5mu holds the predicted modality: X is the mean, and the layer "sd" the standard deviation, in the units of the
    data. OUT.zarr holds the arrays mean and sd, and the names in its attributes. Measured values are predicted too.
    """
    check_files((source,), output, None, in_place=False, endings=(".h5mu", ".zarr"))
    mdata = read_input(source, from_disk=from_disk or is_zarr(Path(source)))

    from omixvae.model import load  # here, as all below, so that --help needs no torch
    from omixvae.results import LARGEST_IMPUTATION, as_mudata

    model = load(folder, device=_config(None, {"device": device}).training.device)
    names = None if given is None else [name.strip() for name in given.split(",")]
    with _friendly_warnings():
        if output.suffix == ".zarr":
            with writing(output):
                model.impute(mdata, modality, names, out=output)
        else:
            n_bytes = 8 * mdata.n_obs * len(model.schema.features.get(modality, ()))
            if n_bytes > LARGEST_IMPUTATION:
                raise InputError(
                    f"Predicted values of {modality!r} would take {n_bytes / 1e9:.1f} GB of memory.",
                    f"output {output}",
                    "End its name in .zarr: then they are written as they come.",
                )
            mean, sd = cast("tuple[pd.DataFrame, pd.DataFrame]", model.impute(mdata, modality, names))
            with written_whole(as_mudata(modality, mean, sd), output):
                pass
    if not quiet:
        click.echo(f"Wrote {output}: {modality} of {mdata.n_obs:,} observations.")


@main.command(epilog="Example: omixvae select cohort.h5mu --grid n_latent=5,10,20 --grid n_clusters=2,4,8 -o table.csv")
@click.argument("source", metavar="IN.h5mu")
@click.option(
    "--grid",
    "grid",
    multiple=True,
    required=True,
    metavar="NAME=VALUE,…",
    help="Option and the values to try; all combinations of several. Of an option that has one value per modality give "
    "--grid once for each value: --grid likelihoods=mirna=log_normal --grid likelihoods=mirna=negative_binomial.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="TABLE.csv", help="Table to write.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), metavar="FILE.png", help="Picture to write.")
@click.option("--n-folds", type=int, metavar="VALUE", help="Parts of the cross-validation [default: 5 if small].")
@click.option("--held-out", type=float, metavar="VALUE", help="Part held out, instead [default: 0.2 if large].")
@click.option("--n-seeds", default=1, show_default=True, metavar="VALUE", help="Times that all is repeated.")
@click.option(
    "--n-samples", type=int, metavar="VALUE", help="Importance samples of each log-likelihood [default: 512]."
)
@config_file
@quietly
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@config_options
@in_first_process
def select(
    source: str,
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
    **options: Any,  # noqa: ANN401 (as in train)
) -> None:
    """Try several values of options on IN.h5mu, and judge each by observations that were held out.

    Every setting is trained several times, always without a part of the observations. The higher the log-likelihood of
    those, the better do the data support the setting; of those within one standard error of the best the simplest is
    chosen.
    """
    values = _grid(grid)
    config = _config(file, options | ({"progress": False} if quiet or as_json else {}))
    _check_outputs_of_select(source, output, picture)
    mdata = read_input(source)

    from omixvae import screens  # here, as all below, so that --help needs no torch
    from omixvae.selection import select as find

    defaults = Config().to_options()
    given = {name: value for name, value in config.to_options().items() if value != defaults[name]}
    samples = {} if n_samples is None else {"n_samples": n_samples}
    with _friendly_warnings():
        found = find(mdata, values, n_folds=n_folds, held_out=held_out, n_seeds=n_seeds, **samples, **given)  # type: ignore[arg-type]
    with ExitStack() as files:
        if output is not None:
            found.table.to_csv(files.enter_context(whole(output)), index=False)
        if picture is not None:
            screens.draw_selection(found, files.enter_context(whole(picture)))
    summary = screens.summarise_selection(found)
    if as_json:
        click.echo(json.dumps(summary))
    elif not quiet:
        screens.print_selection(summary)


def _grid(texts: Sequence[str]) -> dict[str, list[object]]:
    """Read what --grid says: the values of each option."""
    allowed: dict[str, Constraint] = {f.name: f.metadata["allowed"] for _, f in Config.fields()}
    grid: dict[str, list[object]] = {}
    errors = []
    for text in texts:
        dashed, equals, values = text.partition("=")
        name = dashed.strip().replace("-", "_")
        if not equals:
            fix = "Give an option and the values to try: --grid n_latent=5,10,20."
            errors.append(InputError(f"The grid {text!r} holds no '='.", "option --grid", fix))
        elif name not in allowed:
            errors.append(InputError(f"There is no option {name!r}.", "option --grid", nearest(name, allowed)))
        else:
            # A comma inside of a value that names modalities or columns belongs to the value.
            whole = "=" in values or isinstance(allowed[name], Names)
            parts = [values] if whole else [v.strip() for v in values.split(",") if v.strip()]
            grid.setdefault(name, []).extend(allowed[name].parse(part) for part in parts)
    raise_together(errors)
    return grid


def _check_outputs_of_select(source: str, output: Path | None, picture: Path | None) -> None:
    """Find everything that is wrong with the names of the files before any work."""
    checks: list[Callable[[], None]] = [lambda: check_input(source)]
    for path, name, endings in ((output, "--output", (".csv",)), (picture, "--plot", PICTURES)):
        if path is not None:
            checks.append(partial(check_named, path, f"option {name}", endings))
    check_all(checks)


@main.command(epilog="Example: omixvae simulate -o example.h5mu --n-obs 5000")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.h5mu", help="File to write."
)
@click.option("--n-obs", default=2000, show_default=True, help="Number of cells.")
@click.option("--missing", default=0.5, show_default=True, help="Part of the second batch without protein.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same data.")
@in_first_process
def simulate(output: Path, n_obs: int, missing: float, seed: int) -> None:
    """Write a simulated CITE-seq set with known clusters, for trials and tests."""
    check_output(output)

    from omixvae.simulation import simulate as make  # here, so that --help needs no numpy

    mdata = make(n_obs, missing=missing, seed=seed)
    with written_whole(mdata, output):
        pass
    click.echo(f"Wrote {output}: {mdata.n_obs:,} observations of {', '.join(mdata.mod)}.")


@contextmanager
def _friendly_warnings() -> Iterator[None]:
    """Print warnings that are meant for the user as plain lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning) and join_processes().first:
            click.echo(f"Note: {warning.message}", err=True)
