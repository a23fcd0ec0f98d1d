"""Descriptions of public data sets: one YAML file each in ``data_registry/``, read and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from omixvae.errors import InputError, nearest, raise_together

__all__ = ["Dataset", "Modality", "UpstreamFile", "find_dataset", "read_dataset", "registered"]

PACKAGE = Path(__file__).parents[1]

ENTRY = {
    **{"name": str, "title": str, "description": str, "kind": str, "n_obs": int, "modalities": dict, "labels": dict},
    **{"repository": str, "licence": str, "citation": str, "notes": str, "recipe": str, "files": list},
}
MODALITY = {"n_obs": int, "n_vars": int, "values": str}
FILE = {"url": str, "bytes": int, "sha256": str}

WORDS = {str: "text", int: "a number", dict: "a mapping", list: "a list"}

SEE = "Compare with the other files of data_registry/."


@dataclass(frozen=True)
class UpstreamFile:
    """A file as its authors published it.

    Parameters
    ----------
    url
        Where it lies, at a fixed commit.
    n_bytes
        Its size.
    sha256
        Its checksum.
    """

    url: str
    n_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Its own name, which recipes know it by."""
        return urlsplit(self.url).path.rsplit("/", 1)[-1]

    @property
    def cache_name(self) -> str:
        """Its name in the cache, with the repository that it comes from: OWNER__REPOSITORY__NAME."""
        owner, repository = urlsplit(self.url).path.split("/")[1:3]
        return f"{owner}__{repository}__{self.name}"


@dataclass(frozen=True)
class Modality:
    """What one modality of a data set holds.

    Parameters
    ----------
    n_obs, n_vars
        Numbers of observations that were measured in it and of features.
    values
        The kind of its values, in words.
    """

    n_obs: int
    n_vars: int
    values: str


@dataclass(frozen=True)
class Dataset:
    """A public data set.

    Parameters
    ----------
    name
        The word that `omixvae.datasets.load` takes.
    title, description
        One line, and a few sentences.
    kind
        Of the experiment, and what is missing.
    n_obs
        Number of observations that have at least one modality.
    modalities
        What each holds.
    labels
        Columns of ``obs``, and what they say.
    repository
        Where the files come from.
    licence
        As the repository states it.
    citation
        The studies to cite.
    notes
        What was done to the values.
    recipe
        Word of the function that makes a MuData of the files.
    files
        What is downloaded.
    """

    name: str
    title: str
    description: str
    kind: str
    n_obs: int
    modalities: Mapping[str, Modality]
    labels: Mapping[str, str]
    repository: str
    licence: str
    citation: str
    notes: str
    recipe: str
    files: tuple[UpstreamFile, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all its upstream files."""
        return sum(file.n_bytes for file in self.files)


def registered() -> dict[str, Dataset]:
    """Read the whole registry.

    Returns
    -------
    dict
        Name → data set, by name.

    Raises
    ------
    InputError
        All that is wrong with any file of it.

    Examples
    --------
    >>> registered()["nutrimouse"].modalities["lipid"].n_vars
    21
    """
    return {path.stem: read_dataset(path) for path in sorted(_folder().glob("*.yaml"))}


def find_dataset(name: str) -> Dataset:
    """Look a data set up.

    Parameters
    ----------
    name
        Its name.

    Returns
    -------
    Dataset
        Its description.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> find_dataset("nutrimouse").licence
    'GPL (>= 2)'
    """
    known = sorted(path.stem for path in _folder().glob("*.yaml"))
    if name not in known:
        raise InputError(f"There is no public data set {name!r}.", "the name of the data set", nearest(name, known))
    return read_dataset(_folder() / f"{name}.yaml")


def read_dataset(path: Path) -> Dataset:
    """Read and check one file of the registry.

    Parameters
    ----------
    path
        ``NAME.yaml``.

    Returns
    -------
    Dataset
        What it says.

    Raises
    ------
    InputError
        All that is wrong with it: fields that lack or are unknown, and addresses and checksums that are none.
    """
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        problem = f"{path.name} is not valid YAML: {' '.join(str(error).split())}."
        raise InputError(problem, f"file {path}", SEE) from error
    raise_together(_wrong_fields(entry, ENTRY, f"file {path}"))
    files, modalities = entry["files"], entry["modalities"]
    errors = [e for name, of in modalities.items() for e in _wrong_fields(of, MODALITY, f"{path}, {name}")]
    errors += [e for i, file in enumerate(files) for e in _wrong_fields(file, FILE, f"{path}, files[{i}]")]
    raise_together(errors)
    raise_together(_wrong_values(entry, path))
    upstream = tuple(UpstreamFile(file["url"], file["bytes"], file["sha256"]) for file in files)
    described = {name: Modality(**fields) for name, fields in modalities.items()}
    return Dataset(**{**entry, "modalities": described, "files": upstream})


def _folder() -> Path:
    """Find the registry: inside an installed package, and beside it in a checkout."""
    inside = PACKAGE / "data_registry"
    return inside if inside.is_dir() else PACKAGE.parent / "data_registry"


def _wrong_fields(entry: object, fields: Mapping[str, type], where: str) -> list[InputError]:
    if not isinstance(entry, dict):
        return [InputError("Here should be fields and their values.", where, SEE)]
    problems = [f"The field {name!r} is not known." for name in entry if name not in fields]
    problems += [
        f"The field {name!r} is missing." if name not in entry else f"The field {name!r} must be {WORDS[kind]}."
        for name, kind in fields.items()
        if not isinstance(entry.get(name), kind)
    ]
    return [InputError(problem, where, SEE) for problem in problems]


def _wrong_values(entry: Mapping[str, object], path: Path) -> list[InputError]:
    where, problems = f"file {path}", []
    if entry["name"] != path.stem:
        problems.append(f"The name {entry['name']!r} is not that of the file.")
    if not entry["files"] or not entry["modalities"]:
        problems.append("There must be at least one file and one modality.")
    for file in entry["files"]:  # type: ignore[attr-defined]  # a list, as was checked before
        if not re.fullmatch(r"https?://[^/]+/[^/]+/[^/]+/raw/[0-9a-f]{40}/.+", file["url"]):
            problems.append(f"{file['url']} is not the address of a file at a commit.")
        if not re.fullmatch(r"[0-9a-f]{64}", file["sha256"]):
            problems.append(f"{file['sha256']!r} is not a sha256.")
    fix = f"Give addresses like https://github.com/OWNER/REPOSITORY/raw/COMMIT/PATH, and {SEE}"
    return [InputError(problem, where, fix) for problem in problems]
