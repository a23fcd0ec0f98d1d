"""What `omixvae train` does when it is stopped, and with a training that was stopped before."""

import json
import shlex
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omixvae.cli.frame import Interrupted
from omixvae.cli.options import PATH, WAYS, given_options
from omixvae.config import OPTIONS, Config, affecting
from omixvae.errors import InputError, raise_together
from omixvae.files import CHECKPOINT_FILES, MODEL_FILES, check_folder

if TYPE_CHECKING:
    from omixvae.model import OmixVAE

__all__ = ["checkpoint_folder", "keeping_model", "read_resumed_config", "resume_folder", "saying_how_to_go_on"]

resume_folder = click.option(
    "--resume",
    type=PATH,
    metavar="DIR",
    help="Go on with a training that was stopped, from its checkpoint.",
)


def checkpoint_folder(output: Path | None, folder: Path | None, resume: Path | None) -> Path:
    """Return where a training that is stopped leaves its checkpoint, and find out whether it can.

    Parameters
    ----------
    output, folder, resume
        File to write, folder of the model, and checkpoint to go on from.

    Returns
    -------
    pathlib.Path
        The checkpoint to go on from; else a folder beside the output, or beside the model where there is none.

    Raises
    ------
    InputError
        If it cannot be written, or there is one that would be lost.
    """
    if resume is not None:
        check_folder(resume, CHECKPOINT_FILES, "checkpoint")
        return resume
    beside = output.with_suffix("") if output is not None else folder
    assert beside is not None, "a training has an output or a model"
    path = beside.with_name(f"{beside.name}.checkpoint")
    check_folder(path, CHECKPOINT_FILES + MODEL_FILES, "checkpoint")
    if path.exists() and any(path.iterdir()):
        quoted = shlex.quote(str(path))
        is_model = (path / MODEL_FILES[-1]).exists()
        what, how = (
            ("is done", f"`omixvae annotate --model {quoted}`") if is_model else ("was stopped", f"--resume {quoted}")
        )
        raise InputError(
            f"{path} holds a training that {what}, and no results were written.",
            f"output {output or folder}",
            f"Go on with it by {how}, or remove that folder to train from the start.",
        )
    return path


def read_resumed_config(resume: Path, file: Path | None, given: Mapping[str, Any]) -> Config:
    """Take the options of a training that was stopped.

    Parameters
    ----------
    resume
        Its checkpoint.
    file, given
        Options that are given again, in a file and on the command line.

    Returns
    -------
    Config
        That of the training; only the progress is shown as it is asked for now.

    Raises
    ------
    InputError
        If there is no checkpoint, it cannot be read, or an option is given that is another than at the start.
    """
    if not all((resume / name).is_file() for name in CHECKPOINT_FILES):
        raise InputError(
            f"There is no checkpoint {str(resume)!r}.",
            "option --resume",
            "Give the folder that a stopped training said; a trained model is applied by `omixvae annotate`.",
        )
    try:
        begun = Config.from_options(**json.loads((resume / CHECKPOINT_FILES[0]).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"The options of the checkpoint cannot be read: {str(error).splitlines()[0]}.",
            f"checkpoint {resume}",
            "A part of it is damaged, or of another version of omixvae: copy it again, or train from the start.",
        ) from error
    before, asked = begun.to_options(), given_options(file, given)
    free = affecting("screen")
    wanted = Config.from_options(**before | {name: OPTIONS[name].default for name in free} | asked)
    now = wanted.to_options()
    raise_together(
        [
            InputError(
                f"Option {name} is {now[name]!r}, but the training was begun with {before[name]!r}.",
                f"option {name} ({OPTIONS[name].flag})",
                "Leave it out: all options are those of the checkpoint. Or train from the start, without --resume.",
            )
            for name in now
            if name not in free and now[name] != before[name]
        ]
    )
    return wanted


@contextmanager
def saying_how_to_go_on(sources: Sequence[str]) -> Iterator[None]:
    """Say the command that goes on with a training which is stopped in a block.

    Parameters
    ----------
    sources
        The inputs.

    Yields
    ------
    None
        Once.

    Raises
    ------
    Interrupted
        With the number of the signal, and how to go on.
    """
    from omixvae.training.stopping import TrainingInterrupted  # here, so that --help needs no torch

    try:
        yield
    except TrainingInterrupted as stop:
        given = ("output", "folder", "overwrite", "from_disk", "in_place", "quiet", "as_json", *WAYS)
        command = _command("train", sources, given)
        again = f"{command} --resume {shlex.quote(stop.folder)}"
        raise Interrupted(stop.args[0], f"Stopped {stop.reached}. Go on with: {again}") from None


@contextmanager
def keeping_model(model: "OmixVAE", folder: Path, sources: Sequence[str], *, only_now: bool) -> Iterator[None]:
    """Save the model of a training before what comes after it, which may be stopped, fail, or be killed.

    Parameters
    ----------
    model
        The model.
    folder
        Where to save it.
    sources
        The inputs.
    only_now
        Whether to remove it when all went well.

    Yields
    ------
    None
        When it is saved.

    Raises
    ------
    Interrupted
        With the number of the signal, and how to go on.
    InputError
        The one that was raised, with how to go on; that is also added to any other error.
    """
    model.save(folder, overwrite=True)  # whether it may be was found out before the training
    command = _command("annotate", sources, ("output", "from_disk", "in_place", "quiet", "as_json", *WAYS))
    more = f"The training is done, its model is in {folder}. Go on with: {command} --model {shlex.quote(str(folder))}"
    try:
        yield
    except InputError as error:
        raise InputError(error.problem, error.where, f"{error.fix} {more}") from error
    except KeyboardInterrupt as stop:
        raise Interrupted(stop.args[0] if stop.args else signal.SIGINT, f"Stopped. {more}") from None
    except Exception as error:
        error.add_note(more)
        raise
    if only_now:
        shutil.rmtree(folder)


def _command(name: str, sources: Sequence[str], options: Sequence[str]) -> str:
    """Write a command line with what was given of some options."""
    context = click.get_current_context()
    words = ["omixvae", name, *sources]
    for option in options:
        value = context.params[option]
        if value:
            spelt = next(p for p in context.command.params if p.name == option).opts[0]
            several = value if isinstance(value, tuple) else (value,)
            words += [spelt] if value is True else [word for one in several for word in (spelt, str(one))]
    return shlex.join(words)
