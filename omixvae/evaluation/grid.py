"""The settings that are compared: every combination of a grid, what is wrong with any, and how observations are cut."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mudata
import numpy as np

from omixvae.config import Config, affecting
from omixvae.data import MaskedModalities, from_mudata
from omixvae.data.doubts import find_doubts, warn_of
from omixvae.data.masked import ModalityTable
from omixvae.data.sampler import folds, held_out_split
from omixvae.errors import InputError, raise_together
from omixvae.model import OmixVAE
from omixvae.own_modules import OwnModules
from omixvae.plan import Plan, make_plan

__all__ = ["Setting", "read_grid", "splits", "word", "words"]

ONE_SPLIT_FROM = 1000
"""Observations from which one split will do: a fifth of them tells settings apart, and folds would take long."""

FOLDS, HELD_OUT = 5, 0.2
"""Parts of the cross-validation of smaller sets; part that is held out of larger ones."""

FEWEST_TRAINED, FEWEST_JUDGED = 4, 2
"""Observations without which nothing can be trained, and without which no standard error can be taken."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One combination of values, what it means for these data, and what is trained.

    Parameters
    ----------
    values
        Of the options of the grid.
    config, own
        What is asked for.
    data
        Read as asked.
    plan
        What is done.
    """

    values: dict[str, object]
    config: Config
    own: OwnModules
    data: MaskedModalities
    plan: Plan


def read_grid(
    mdata: mudata.MuData, grid: Mapping[str, Sequence[object]], options: Mapping[str, object]
) -> list[Setting]:
    """Make each combination concrete, and find everything that is wrong with any of them.

    Parameters
    ----------
    mdata
        The observations.
    grid
        Option to the values to try.
    options
        All other options.

    Returns
    -------
    list of Setting
        In the order of the grid.

    Raises
    ------
    InputError
        If an option is not known or a value not allowed, by all of them together.
    """
    raise_together(_wrong_grid(grid, options))
    found: list[Setting] = []
    errors: dict[str, InputError] = {}
    for combination in itertools.product(*grid.values()):
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in zip(grid, combination, strict=True)}
        try:
            model = OmixVAE(**{**options, **values})  # type: ignore[arg-type]  # modules of one's own among them
            same = (s.data for s in found if s.config.data == model.config.data)
            data = next(same, None) or from_mudata(mdata, model.config.data)
            raise_together(_on_disk(data))
            plan = make_plan(model.config, data, model.own)
            found.append(Setting(values, model.config, model.own, data, plan))
        except InputError as error:
            errors |= {str(part): part for part in error.parts}  # what ails all settings is said once
    raise_together(errors.values())
    read = {id(s.data): s for s in found}.values()
    warn_of({str(d): d for s in read for d in find_doubts(mdata, s.data, s.config.data)}.values())
    return found


def _on_disk(data: MaskedModalities) -> list[InputError]:
    """Find modalities of which no part could be held in memory by itself, as each training here does."""
    return [
        InputError(
            f"Modality {table.name!r} lies on disk, and settings are compared in memory only.",
            f"mdata[{table.name!r}].X",
            "Read the file whole, with mudata.read_h5mu(path), or a part of its observations.",
        )
        for table in data.tables
        if not isinstance(table, ModalityTable)
    ]


def _wrong_grid(grid: Mapping[str, Sequence[object]], options: Mapping[str, object]) -> list[InputError]:
    """Find what is wrong with the grid itself; names and values of options are checked where all others are."""
    if not isinstance(grid, Mapping) or not grid:
        example = "Name an option and the values to try, such as {'n_latent': [5, 10, 20]}."
        return [InputError("The grid names no option.", "the argument grid", example)]
    errors = []
    for name, values in grid.items():
        where = f"the grid, option {name}"
        if isinstance(values, (str, Mapping)) or not isinstance(values, (Sequence, np.ndarray)):
            errors.append(InputError(f"The grid gives {name} no list.", where, "Give a list of values to try."))
        elif not len(values):
            errors.append(InputError(f"The grid gives no value for {name}.", where, "Give one at least."))
        if name in options:
            errors.append(
                InputError(f"Option {name} is in the grid and given beside it.", where, "Leave it out of one of them.")
            )
        if name in affecting("data"):
            errors.append(
                InputError(
                    f"Option {name} changes what is to be explained, so log-likelihoods cannot be compared.",
                    where,
                    f"Run select once for each {name}.",
                )
            )
        if name in affecting("chance", "machine", "results", "screen"):
            fix = "Say n_seeds=3 to repeat all with three seeds." if name == "seed" else "Leave it out of the grid."
            errors.append(InputError(f"Option {name} does not change the model.", where, fix))
    return errors


def splits(
    presence: np.ndarray, n_folds: int | None, held_out: float | None
) -> Callable[[np.random.Generator], list[tuple[np.ndarray, np.ndarray]]]:
    """Decide how the observations are cut, or refuse with the reason.

    Parameters
    ----------
    presence
        Shape (n, m).
    n_folds, held_out
        As for `select`.

    Returns
    -------
    callable
        From random numbers to pairs of observations to train on, and to judge by.

    Raises
    ------
    InputError
        If both are given, or one is out of range, or there are too few observations.
    """
    n = int(presence.any(axis=1).sum())
    if n_folds is not None and held_out is not None:
        raise InputError(
            "Both folds and a single split are asked for.", "the arguments n_folds and held_out", "Give one of them."
        )
    if n_folds is not None and n_folds < 2:
        raise InputError(
            f"n_folds is {n_folds}: with fewer than 2 parts nothing is left to train on.",
            "the argument n_folds",
            "Give 2 at least; 5 is usual. For a single split give held_out=0.2.",
        )
    if held_out is not None and not 0 < held_out < 1:
        raise InputError(
            f"held_out is {held_out}.", "the argument held_out", "Give a part between 0 and 1, such as 0.2."
        )
    if held_out is None and (n_folds is not None or n < ONE_SPLIT_FROM):
        k = n_folds or FOLDS
        if n // k < FEWEST_JUDGED or n - -(-n // k) < FEWEST_TRAINED:
            raise InputError(
                f"{n:,} observations with any value are too few for {k} parts.",
                "the argument n_folds",
                f"Give {FEWEST_JUDGED} observations or more for each part; with 2 parts at least {2 * FEWEST_TRAINED}.",
            )
        return lambda rng: folds(presence, k, rng)
    part = held_out or HELD_OUT
    if int(n * part) < FEWEST_JUDGED or n - int(n * part) < FEWEST_TRAINED:
        raise InputError(
            f"Holding out {part:g} of {n:,} observations leaves {n - int(n * part):,} to train on, and "
            f"{int(n * part):,} to judge by.",
            "the argument held_out",
            f"At least {FEWEST_TRAINED} and {FEWEST_JUDGED} are needed: give another part, or n_folds=2.",
        )
    return lambda rng: [held_out_split(presence, part, rng)]


def word(value: object) -> str:
    """Write a value as on the command line.

    Parameters
    ----------
    value
        A value of an option, or a likelihood of one's own.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> word({"rna": 3, "protein": 2})
    'rna=3,protein=2'
    """
    if isinstance(value, Mapping):
        return ",".join(f"{k}={word(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(map(word, value))
    return value.__name__ if isinstance(value, type) else str(value)


def words(values: Mapping[str, object]) -> str:
    """Write a setting as on the command line.

    Parameters
    ----------
    values
        Option to value.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> words({"n_latent": 5, "prior": "vamp"})
    'n_latent=5, prior=vamp'
    """
    return ", ".join(f"{name}={word(value)}" for name, value in values.items())
