"""The files of the commands: checked before any work, read, and written whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from omixvae.cli.frame import friendly_warnings
from omixvae.errors import InputError, check_all
from omixvae.files import check_folder, check_target, whole_file, whole_folder, writing

if TYPE_CHECKING:
    import mudata

__all__ = [
    "EXAMPLE",
    "check_files",
    "check_input",
    "check_named",
    "check_output",
    "check_results",
    "is_zarr",
    "read_input",
    "whole",
    "write_whole",
]

EXAMPLE = "example:cite"


def check_files(
    sources: Sequence[str],
    output: Path | None,
    folder: Path | None,
    *,
    in_place: bool,
    endings: Sequence[str] | None = None,
) -> None:
    """Find everything that is wrong with the inputs' and the outputs' names before any work.

    Parameters
    ----------
    sources
        Files, zarr folders, or the name of the example.
    output, folder
        File or zarr folder, and folder of the model, to be written; None where there is none.
    in_place
        Whether the output may be the input.
    endings
        Of the output's name; as the first input has it when not given.

    Raises
    ------
    InputError
        All problems together.
    """
    if endings is None:
        endings = (".zarr",) if is_zarr(Path(sources[0])) else (".h5mu",)
    checks: list[Callable[[], None]] = [partial(check_input, source) for source in sources]
    if output is not None:
        checks.append(partial(check_output, output, endings))
    if folder is not None:
        checks.append(partial(check_folder, folder))
    check_all(checks)
    if output is None:
        return
    if not in_place and output.exists() and any(_path(s).exists() and output.samefile(_path(s)) for s in sources):
        fix = "Choose another name, or add --in-place."
        raise InputError("The output would overwrite the input.", f"output {output}", fix)
    if folder is not None and folder.resolve() == output.resolve():
        fix = "Give the folder another name."
        raise InputError("The output and the model have the same name.", f"output {output}", fix)


def check_output(output: Path, endings: Sequence[str] = (".h5mu",)) -> None:
    """Check before the work whether an output can be written.

    Parameters
    ----------
    output
        File or zarr folder.
    endings
        Of its name.

    Raises
    ------
    InputError
        If it cannot, or a zarr folder is there already.
    """
    if output.suffix not in endings:
        kind = "a zarr folder" if endings == (".zarr",) else "an h5mu file"
        fix = f"End the name in {' or '.join(endings)}."
        raise InputError(f"The output {output.name!r} is not named like {kind}.", "option --output", fix)
    if output.suffix == ".zarr" and output.exists():
        raise InputError(f"The output {output} is there already.", "option --output", "Choose another name.")
    if output.is_dir():
        raise InputError(f"The output {output} is a folder.", "option --output", "Give the name of a file.")
    check_target(output)


def is_zarr(path: Path) -> bool:
    """Return whether a path is a zarr folder of a MuData, whose matrices are left where they are.

    Parameters
    ----------
    path
        That need not be there.

    Returns
    -------
    bool
        By what lies in it, not by its name.
    """
    if not path.is_dir():
        return False
    from omixvae.sources import is_mudata_store  # here, so that --help needs no mudata

    return is_mudata_store(path)


def check_input(source: str) -> None:
    """Check whether an input is there and may be read.

    Parameters
    ----------
    source
        A file or a folder, with or without the name of a modality before it, or the name of the example.

    Raises
    ------
    InputError
        If it is not.
    """
    if source.startswith("example:"):
        if source != EXAMPLE:
            raise InputError(f"There is no {source!r}.", "the input", f"The only example is {EXAMPLE!r}.")
        return
    path = _path(source)
    if not path.exists():
        raise InputError(f"There is no file {str(path)!r}.", "the input", f"Check the path, or try {EXAMPLE!r}.")
    if not os.access(path, os.R_OK):
        fix = "Ask its owner for the permission to read it."
        raise InputError(f"The file {str(path)!r} may not be read.", "the input", fix)


def _path(source: str) -> Path:
    """Return the path of an input that may have the name of a modality before it."""
    from omixvae.sources import split_name  # here, so that --help needs no mudata

    return Path(split_name(source)[1])


def read_input(
    *sources: str, from_disk: bool = False, ways: Mapping[str, Any] = MappingProxyType({})
) -> "mudata.MuData":
    """Read the input.

    Parameters
    ----------
    *sources
        What `omixvae.read` takes, or the name of the example. Several MuData only from disk.
    from_disk
        Leave the matrices where they are.
    ways
        How to read it: arguments of `omixvae.read` that were given.

    Returns
    -------
    mudata.MuData
        As it was written, or as it was put together.

    Raises
    ------
    InputError
        If it cannot be read: says why.
    """
    for source in sources:
        check_input(source)
    if sources == (EXAMPLE,):
        from omixvae.simulation import simulate as make

        return make()
    from omixvae.sources import is_mudata_store, read, reading_store  # here, so that --help needs no mudata

    paths = [Path(source) for source in sources]
    others = [path for path in paths if not is_mudata_store(path)]
    if from_disk:
        if others or ways:
            raise InputError(
                f"{str(others[0])!r} is neither h5mu nor a zarr folder of MuData, which alone are read from disk."
                if others
                else f"A file is read from disk as it is, without {' and '.join(f'--{way}' for way in ways)}.",
                "option --from-disk",
                "Make a MuData of it first, with omixvae convert and the same inputs and options.",
            )
        from omixvae.data import open_mudata  # here, so that --help needs no torch

        with reading_store(paths[0]):
            return open_mudata(*paths)
    if len(paths) > 1 and not others:
        raise InputError("Several files are read from disk only.", "the inputs", "Add --from-disk.")
    with friendly_warnings():
        return read(*sources, **ways)


def check_results(mdata: "mudata.MuData", output: Path, key: str, *, from_disk: bool) -> None:
    """Check before the work whether a MuData can be written, and results beside what it holds.

    Parameters
    ----------
    mdata
        The input.
    output
        File or zarr folder to be written.
    key
        The option `key_added`.
    from_disk
        Whether its matrices stay on disk.

    Raises
    ------
    InputError
        All that cannot be written, or would be lost.
    """
    from omixvae.results.annotate import check_free  # here, so that --help needs no torch
    from omixvae.writable import check_room, check_writable

    checks: list[Callable[[], None]] = [
        partial(check_writable, mdata, key, as_zarr=output.suffix == ".zarr"),
        partial(check_room, mdata, output),
    ]
    if not from_disk:  # there it is not known which results are those of an earlier run: they are not read
        checks.append(partial(check_free, mdata, key))
    check_all(checks)


def write_whole(mdata: "mudata.MuData", output: Path, copied: Path | None = None, key: str = "") -> None:
    """Write the output under a temporary name, then give it its own name.

    Parameters
    ----------
    mdata
        What to write.
    output
        The file, or zarr folder.
    copied
        The input, where its matrices are on disk: it is copied, and only the results are written, into the copy.
    key
        Under which they are: the option `key_added`.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with whole(output) as temporary:
        if copied is None:
            from omixvae.mudata_io import write_mudata  # here, so that --help needs no mudata
            from omixvae.writable import check_room

            check_room(mdata, output)
            write_mudata(mdata, temporary)
        else:
            from omixvae.results.on_disk import write_results  # here, so that --help needs no torch

            if copied.is_dir():
                shutil.copytree(copied, temporary, dirs_exist_ok=True)
            else:
                shutil.copyfile(copied, temporary)
            write_results(mdata, temporary, key)


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """Provide a temporary path that takes its own name when all went well, and say so in words where it cannot.

    Parameters
    ----------
    output
        The file, or zarr folder.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with writing(output, Exception), (whole_folder if output.suffix == ".zarr" else whole_file)(output) as temporary:
        yield temporary


def check_named(path: Path, where: str, endings: Sequence[str]) -> None:
    """Check before the work whether a file of some other kind can be written.

    Parameters
    ----------
    path
        The file.
    where
        The option that names it.
    endings
        Of its name.

    Raises
    ------
    InputError
        If it cannot.
    """
    if path.suffix not in endings:
        fix = f"End the name in {' or '.join(endings)}."
        raise InputError(f"The file {path.name!r} has no name that is known here.", where, fix)
    if path.is_dir():
        raise InputError(f"{path} is a folder.", where, "Give the name of a file.")
    check_target(path)
