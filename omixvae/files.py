"""Files that are written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omixvae.errors import InputError

__all__ = [
    "CHECKPOINT_FILES",
    "MODEL_FILES",
    "check_folder",
    "check_no_model",
    "check_target",
    "whole_file",
    "whole_folder",
    "writing",
]

MODEL_FILES = ("config.json", "plan.json", "schema.json", "history.json", "weights.safetensors")
"""What a saved model consists of."""

CHECKPOINT_FILES = ("config.json", "plan.json", "schema.json", "training.json", "training.safetensors")
"""What a checkpoint of a training consists of. It is no whole model: its weights are not yet to be used."""


def check_target(path: Path) -> None:
    """Check before the work whether its result can be written.

    Parameters
    ----------
    path
        File or folder to be written.

    Raises
    ------
    InputError
        If the folder that it would lie in is not there or cannot be written to.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        fix = "Make the folder first, or choose another."
        raise InputError(f"The folder {str(path.parent)!r} does not exist.", f"output {path}", fix)
    if not os.access(folder, os.W_OK):
        fix = "Choose a folder of your own."
        raise InputError(f"The folder {str(path.parent)!r} cannot be written to.", f"output {path}", fix)


def check_folder(path: Path, files: Sequence[str] = MODEL_FILES, what: str = "saved model") -> None:
    """Check before the work whether a model, or something else, can be saved in a folder.

    Parameters
    ----------
    path
        The folder. One that is there may be replaced only if it holds nothing but earlier ones of these files.
    files
        What it is to consist of.
    what
        What that is called.

    Raises
    ------
    InputError
        If it cannot be written, or holds something else, which would be lost.
    """
    check_target(path)
    if path.exists():
        others = sorted(f.name for f in path.iterdir() if f.name not in files) if path.is_dir() else []
        if others or not path.is_dir():
            raise InputError(
                f"{path} is there already and {f'holds {others[0]!r}' if others else 'is a file'}, "
                f"which is not part of a {what}.",
                f"output {path}",
                "Choose another name, or remove it first.",
            )


def check_no_model(path: Path, how: str) -> None:
    """Check before the work whether a folder holds a model, which may be hours of training.

    Parameters
    ----------
    path
        The folder.
    how
        What to do to replace the model.

    Raises
    ------
    InputError
        If it holds one.
    """
    if (path / MODEL_FILES[-1]).exists():
        raise InputError(f"{path} holds a model already.", f"output {path}", f"Choose another name, or {how}.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Provide a temporary path beside the target, and move it there when all went well.

    Parameters
    ----------
    path
        The target; replaced if it is there. If it is a link, what it points to is replaced.

    Yields
    ------
    pathlib.Path
        Where to write. It is flushed to the disk and renamed at the end, and removed if anything went wrong.
    """
    path = path.resolve()
    # In the same folder, because only within one file system is a rename a single step.
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, files: Sequence[str] = MODEL_FILES, what: str = "saved model") -> Iterator[Path]:
    """Provide a temporary folder beside the target, and move it there when all went well.

    Parameters
    ----------
    path
        The target folder. One that is there is replaced only if it holds nothing but earlier ones of these files.
    files, what
        As for `check_folder`.

    Yields
    ------
    pathlib.Path
        Folder to write into.

    Raises
    ------
    InputError
        If the target is something else than an earlier result.
    """
    check_folder(path, files, what)
    path = path.resolve()
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
                file.chmod(0o666 & ~_umask())  # safetensors makes files that only their owner may read
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
            path.replace(old)
            temporary.replace(path)
            shutil.rmtree(old)
        else:
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(output: Path, errors: type[Exception] = OSError) -> Iterator[None]:
    """Say in words that an output could not be written.

    Parameters
    ----------
    output
        What is being written.
    errors
        Those that are taken for errors of the writer besides those of the system: all (`Exception`) in a block that
        does nothing but write. In one that computes too, others are mistakes of ours.

    Yields
    ------
    None
        Once.

    Raises
    ------
    InputError
        In the place of the error.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, errors) as error:
        fix = "Rename or take out of the input what the message names; if it names nothing of yours, tell us of it."
        if isinstance(error, OSError):
            fix = "Make room on the disk, or choose another folder."
        raise InputError(f"{output.name!r} could not be written: {_reason(error)}.", f"output {output}", fix) from error


def _reason(error: Exception) -> str:
    """Return the first line of an error, and what anndata adds to it: the name of what it was writing."""
    lines = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    return "; ".join(line.splitlines()[0].rstrip(".") for line in lines)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
