"""The files of the commands: checked before any work, read, and written whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

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
    "written_whole",
]

EXAMPLE = "example:cite"

WRITTEN_BY_MUDATA = "Give a file written by mudata's write_h5mu."


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
    if not in_place and output.exists() and any(Path(s).exists() and output.samefile(s) for s in sources):
        raise InputError(
            "The output would overwrite the input.", f"output {output}", "Choose another name, or add --in-place."
        )
    if folder is not None and folder.resolve() == output.resolve():
        raise InputError(
            "The output and the model have the same name.", f"output {output}", "Give the folder another name."
        )


def check_output(output: Path, endings: Sequence[str] = (".h5mu",)) -> None:
    """Find out before the work whether an output can be written.

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
        raise InputError(
            f"The output {output.name!r} is not named like {kind}.",
            "option --output",
            f"End the name in {' or '.join(endings)}.",
        )
    if output.suffix == ".zarr" and output.exists():
        raise InputError(f"The output {output} is there already.", "option --output", "Choose another name.")
    if output.is_dir():
        raise InputError(f"The output {output} is a folder.", "option --output", "Give the name of a file.")
    check_target(output)


def is_zarr(path: Path) -> bool:
    """Say whether a path is a zarr folder.

    Parameters
    ----------
    path
        That need not be there.

    Returns
    -------
    bool
        By what lies in it, not by its name.
    """
    return path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


def check_input(source: str) -> None:
    """Find out whether an input is there and may be read.

    Parameters
    ----------
    source
        A file, a zarr folder, or the name of the example.

    Raises
    ------
    InputError
        If it is not.
    """
    path = Path(source)
    if source.startswith("example:"):
        if source != EXAMPLE:
            raise InputError(f"There is no {source!r}.", "the input", f"The only example is {EXAMPLE!r}.")
    elif path.is_dir() and not is_zarr(path):
        raise InputError(f"{source!r} is a folder, not a file.", "the input", "Give an h5mu file.")
    elif not path.exists():
        raise InputError(f"There is no file {source!r}.", "the input", f"Check the path, or try {EXAMPLE!r}.")
    elif not os.access(path, os.R_OK):
        raise InputError(
            f"The file {source!r} may not be read.", "the input", "Ask its owner for the permission to read it."
        )


def read_input(*sources: str, from_disk: bool = False) -> "mudata.MuData":
    """Read the input.

    Parameters
    ----------
    *sources
        A file, a zarr folder, or the name of the example; several only from disk.
    from_disk
        Leave the matrices where they are.

    Returns
    -------
    mudata.MuData
        As it was written.

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
    from omixvae.mudata_io import read_mudata  # here, so that --help needs no mudata

    paths = [Path(source) for source in sources]
    for path in paths:
        with _damagewriting(path):
            _check_content(path)
    with _damagewriting(paths[0]):
        if from_disk:
            from omixvae.data import open_mudata  # here, so that --help needs no torch

            return open_mudata(*paths)
        return read_mudata(paths[0])


def _check_content(path: Path) -> None:
    """Find out whether a file is an h5mu at all."""
    import h5py  # here, so that --help needs it not

    if path.is_dir():
        return
    if not h5py.is_hdf5(path):
        empty = path.stat().st_size == 0
        raise InputError(
            f"{path.name!r} is {'empty' if empty else 'no h5mu file'}.",
            f"file {path}",
            f"{WRITTEN_BY_MUDATA} If it was copied, copy it again.",
        )
    with h5py.File(path) as file:
        if "mod" not in file:
            kind = "an h5ad" if "X" in file else "another kind of HDF5"
            raise InputError(
                f"{path.name!r} holds no modalities; it looks like {kind} file.",
                f"file {path}",
                "Put AnnData objects together with mudata.MuData({'rna': ..., 'protein': ...}) and write that.",
            )


@contextmanager
def _damagewriting(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged HDF5 file can fail in any way, each of them the file's
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path.name!r} was cut off: a part of the file is lacking."
            if "truncated" in reason
            else f"{path.name!r} cannot be read as h5mu: {reason.rstrip('.')}.",
            f"file {path}",
            f"The file is damaged or incomplete: copy or write it again. {WRITTEN_BY_MUDATA}",
        ) from error


def check_results(mdata: "mudata.MuData", output: Path, key: str, *, from_disk: bool) -> None:
    """Find out before the work whether a MuData can be written, and results beside what it holds.

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
    from omixvae.results import check_free  # here, so that --help needs no torch
    from omixvae.writable import check_writable

    checks: list[Callable[[], None]] = [partial(check_writable, mdata, key, as_zarr=output.suffix == ".zarr")]
    if not from_disk:  # there it is not known which results are those of an earlier run: they are not read
        checks.append(partial(check_free, mdata, key))
    check_all(checks)


@contextmanager
def written_whole(mdata: "mudata.MuData", output: Path, copied: Path | None = None, key: str = "") -> Iterator[None]:
    """Write the output under a temporary name, let something else be done, then give it its own name.

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

    Yields
    ------
    None
        When all is written but for the name.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with whole(output) as temporary:
        if copied is None:
            from omixvae.mudata_io import write_mudata  # here, so that --help needs no mudata

            write_mudata(mdata, temporary)
        else:
            from omixvae.results_on_disk import write_results  # here, so that --help needs no torch

            if copied.is_dir():
                shutil.copytree(copied, temporary, dirs_exist_ok=True)
            else:
                shutil.copyfile(copied, temporary)
            write_results(mdata, temporary, key)
        yield


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """Give a temporary path that takes its own name when all went well, and say so in words where it cannot.

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
    """Find out before the work whether a file of some other kind can be written.

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
        raise InputError(
            f"The file {path.name!r} has no name that is known here.", where, f"End the name in {' or '.join(endings)}."
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder.", where, "Give the name of a file.")
    check_target(path)
