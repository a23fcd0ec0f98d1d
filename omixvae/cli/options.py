"""The options that several commands share; those of the configuration come from its one declaration."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from omixvae.cli.frame import Option
from omixvae.config import OPTIONS, Config
from omixvae.constraints import Constraint, Flag, Name, Names, Number, PerModality, Word
from omixvae.errors import InputError

__all__ = [
    "COLUMNS",
    "COMMON",
    "FURTHER",
    "PATH",
    "WAYS",
    "allow_missing_features",
    "as_json",
    "computing_device",
    "config_file",
    "config_options",
    "given_options",
    "in_place",
    "model_folder",
    "output_file",
    "overwriting",
    "quietly",
    "read_config",
    "read_from_disk",
    "source_file",
    "ways_in",
]

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

PATH = click.Path(path_type=Path)

COMMON = tuple(name for name, o in OPTIONS.items() if o.common)
"""Options that the help of a command shows, so that it fits a screen; `omixvae options` explains all of them."""

COLUMNS = tuple(name for name in COMMON if OPTIONS[name].group == "data" or name == "likelihoods")
"""Those that say what is read, and as what."""

FURTHER = "Further options, such as --hidden-size, may be given too: omixvae options explains all."


def config_options(shown: Collection[str]) -> Decorator:
    """Add one command line option for each field of the configuration.

    Parameters
    ----------
    shown
        Names of those that the help shows.

    Returns
    -------
    callable
        Decorator of a command, which takes all of them as keyword arguments; None for what was not given.
    """

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for o in reversed(OPTIONS.values()):
            command = click.option(
                f"{o.flag}/--no-{o.flag.removeprefix('--')}" if isinstance(o.allowed, Flag) else o.flag,
                o.name,
                cls=Option,
                section="Options of the run",
                hidden=o.name not in shown,
                default=None,
                metavar=_metavar(o.allowed),
                help=_short_help(o.help, o.allowed),
                shell_complete=partial(_complete, o.allowed),
            )(command)
        return command

    return add


FEW_WORDS = 4
"""So many words stand where the value stands; more are listed in the help."""


def _short_help(text: str, allowed: Constraint) -> str:
    """Take the first clause, and the words of an option that has many."""
    clause = re.split(r"[;.] |\.$", text)[0]
    one = allowed.value if isinstance(allowed, PerModality) else allowed
    words = one.words if isinstance(one, Word) and len(one.words) > FEW_WORDS else ()
    return f"{clause}: {', '.join(words)}." if words else f"{clause}."


def _metavar(allowed: Constraint) -> str | None:
    """Show what an option takes: its words, or what kind of value."""
    match allowed:
        case Flag():
            return None
        case PerModality(value):
            return f"{_kind(value)}|MOD={_kind(value)},…"
        case Word(words):
            return f"[{'|'.join(words)}]" if len(words) <= FEW_WORDS else "WORD"
        case Names(words):
            return "|".join([*(word for word in words if word), "NAME,…"])
        case Number(words=words):
            return "|".join([*words, _kind(allowed)])
        case Name():
            return _kind(allowed)


def _kind(allowed: Word | Number | Name) -> str:
    if isinstance(allowed, Number):
        return "N" if allowed.kind is int else "X"
    return "WORD" if isinstance(allowed, Word) else "NAME"


def _complete(allowed: Constraint, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the words of an option to the shell; after `rna=` those of the value."""
    before, equals, begun = incomplete.rpartition("=")
    words: Iterable[str | None] = ()
    if isinstance(allowed, PerModality):
        words = allowed.value.words if equals and isinstance(allowed.value, Word) else allowed.words
    elif not isinstance(allowed, Flag):
        words = getattr(allowed, "words", ())
    return [CompletionItem(before + equals + word) for word in words if word and word.startswith(begun)]


def read_config(file: Path | None, given: Mapping[str, Any]) -> Config:
    """Read the options of the command line over those of a file.

    Parameters
    ----------
    file
        YAML or JSON.
    given
        Text of each option; None where it was not given.

    Returns
    -------
    Config
        Checked.

    Raises
    ------
    InputError
        If an option is not known or its value is not allowed.
    """
    return Config.from_options(**given_options(file, given))


def given_options(file: Path | None, given: Mapping[str, Any]) -> dict[str, object]:
    """Read the options that are given, on the command line or in a file, and no others.

    Parameters
    ----------
    file, given
        As for `read_config`.

    Returns
    -------
    dict
        Option name to value.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    options = {k: OPTIONS[k].allowed.parse(v) if isinstance(v, str) else v for k, v in given.items() if v is not None}
    return (_options_of_file(file) if file else {}) | options


def _options_of_file(path: Path) -> dict[str, object]:
    """Read the options that a YAML or JSON file gives, and no others; they are checked with those given by name."""
    import yaml  # only here, so that the other commands start without it

    fix = "Give a YAML file with one 'name: value' a line."
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}.", "option --config", "Check the path.")
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = "it is not valid YAML text" if mark is None else f"line {mark.line + 1} is not valid YAML"
        raise InputError(f"The options cannot be read: {place}.", f"file {path}", fix) from error
    if not isinstance(read, dict):
        raise InputError("The file holds no options by name.", f"file {path}", fix)
    given = {str(name): value for name, value in read.items()}
    return {k: _numbers(OPTIONS[k].allowed, v) if k in OPTIONS else v for k, v in given.items()}


def _numbers(allowed: Constraint, value: object) -> object:
    """Read numbers that YAML 1.1 takes for words, such as 1e-5, which JSON writes too."""
    if isinstance(allowed, PerModality) and isinstance(value, Mapping):
        return {name: _numbers(allowed.value, v) for name, v in value.items()}
    return allowed.parse(value) if isinstance(allowed, Number) and isinstance(value, str) else value


def source_file(**attributes: Any) -> Decorator:  # noqa: ANN401 (those of click's argument)
    """Take the input: a file, a zarr folder, or the name of the example.

    Parameters
    ----------
    **attributes
        As of `click.argument`.

    Returns
    -------
    callable
        Decorator of a command.
    """
    several = "nargs" in attributes
    name, metavar = ("sources", "IN.h5mu...") if several else ("source", "IN.h5mu")
    return click.argument(name, metavar=metavar, type=click.Path(), **attributes)


WAYS: dict[str, dict[str, Any]] = {
    "modality": {
        **{"multiple": True, "metavar": "NAME=obsm:KEY"},
        "help": "A modality that is a table in obsm of an h5ad, once for each "
        "[default: protein=obsm:protein_expression].",
    },
    "obs": {"metavar": "TABLE.csv", "help": "A table of the samples; the column that names them is found."},
    "samples": {
        "metavar": "rows|columns",
        "help": "Where the samples are in tables [default: found out from names that the tables share].",
    },
    "sep": {"metavar": "CHARACTER", "help": "What separates fields in tables, or tab [default: found out]."},
    "na": {"metavar": "VALUE,…", "help": "Values that stand for what was not measured, such as -999,NA."},
}
"""Option of the command line to what it is; arguments of `omixvae.read` with the same names."""


def ways_in(*, shown: bool = False, without: Collection[str] = ()) -> Decorator:
    """Take how to read inputs that are no h5mu file.

    Parameters
    ----------
    shown
        Whether the help shows these options.
    without
        Those that a command does not have.

    Returns
    -------
    callable
        Decorator of a command, which takes what was given as the keyword argument `ways`, as for `omixvae.read`.
    """
    names = [name for name in WAYS if name not in without]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_ways(*args: Any, **options: Any) -> None:  # noqa: ANN401 (those of the command)
            given = {name: value for name in names if (value := options.pop(name))}
            command(*args, ways=_ways(given), **options)

        added: Callable[..., None] = with_ways
        section = "How to read other files"
        for name in reversed(names):
            added = click.option(f"--{name}", cls=Option, section=section, hidden=not shown, **WAYS[name])(added)
        return added

    return add


def _ways(given: dict[str, Any]) -> dict[str, Any]:
    """Read the text of these options."""
    if "modality" in given:
        pairs = [pair.partition("=") for pair in given["modality"]]
        given["modality"] = {name.strip(): place.strip() for name, _, place in pairs}
    if "na" in given:
        given["na"] = tuple(value.strip() for value in given["na"].split(","))
    return given


def output_file(metavar: str, text: str, *, required: bool = True) -> Decorator:
    """Take the name of the file to write.

    Parameters
    ----------
    metavar
        How the help names it.
    text
        What is written.
    required
        Whether the command needs it.

    Returns
    -------
    callable
        Decorator of a command.
    """
    return click.option("-o", "--output", type=PATH, required=required, metavar=metavar, help=text)


def model_folder(text: str, *, required: bool = True) -> Decorator:
    """Take the folder of a model.

    Parameters
    ----------
    text
        What happens with it.
    required
        Whether the command needs it.

    Returns
    -------
    callable
        Decorator of a command.
    """
    return click.option("--model", "folder", type=PATH, required=required, metavar="DIR", help=text)


config_file = click.option(
    "--config", "file", type=PATH, metavar="FILE.yaml", help="Options from a file; those given here win."
)
in_place = click.option("--in-place", is_flag=True, help="Allow the output to replace the input.")
read_from_disk = click.option("--from-disk", is_flag=True, help="For files larger than the memory.")
computing_device = click.option(
    "--device", default="auto", metavar="[auto|cpu|cuda|mps]", help="Where to compute [default: auto]"
)
overwriting = click.option("--overwrite", is_flag=True, help="Allow DIR of --model to be replaced if it holds a model.")
allow_missing_features = click.option(
    "--allow-missing-features", is_flag=True, help="Go on where IN has few of the features that the model knows."
)
quietly = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON, for other programs.")
