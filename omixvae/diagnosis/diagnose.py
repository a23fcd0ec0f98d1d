"""Look at a MuData as training would, but go on after each problem."""

from collections.abc import Iterator
from dataclasses import dataclass

import mudata

from omixvae.config import Config
from omixvae.data import MaskedModalities, from_mudata
from omixvae.data.doubts import find_doubts
from omixvae.diagnosis.batches import look_at_batches
from omixvae.diagnosis.names import look_at_names
from omixvae.diagnosis.values import look_at_layers, look_at_values
from omixvae.errors import InputError
from omixvae.own_modules import NO_OWN_MODULES, OwnModules
from omixvae.plan import Plan, make_plan

__all__ = ["Diagnosis", "diagnose"]

FEW = 30
"""Below so many observations a fit says little of others."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Parameters
    ----------
    data
        The MuData as masked modalities; None where it cannot be read.
    plan
        What training would do; None where it would not start.
    problems
        What stops training.
    cautions
        What does not stop it, yet is worth a look.
    """

    data: MaskedModalities | None
    plan: Plan | None
    problems: tuple[InputError, ...]
    cautions: tuple[InputError, ...]


def diagnose(mdata: mudata.MuData, config: Config, own: OwnModules = NO_OWN_MODULES) -> Diagnosis:
    """Find all that is wrong with a MuData, or might be.

    Parameters
    ----------
    mdata
        The input; it is not changed. Values on disk are looked at once.
    config, own
        How it would be trained on, and which parts are the user's own.

    Returns
    -------
    Diagnosis
        Problems are those that `omixvae.fit` would raise.

    Examples
    --------
    >>> import omixvae
    >>> found = diagnose(omixvae.simulate(n_obs=60), Config())
    >>> found.problems, found.cautions[0].problem
    ((), "Column 'batch' of obs has 2 values and may say what was measured together.")
    """
    data: MaskedModalities | None = None
    plan: Plan | None = None
    problems: tuple[InputError, ...] = ()
    try:
        data = from_mudata(mdata, config.data)
        plan = make_plan(config, data, own)
    except InputError as error:
        problems = error.parts
    if not isinstance(mdata, mudata.MuData):
        return Diagnosis(None, None, problems, ())
    cautions = [*look_at_names(mdata, config.data), *look_at_batches(mdata, config.data)]
    if data is not None:
        cautions += [*find_doubts(mdata, data, config.data, thorough=True), *_size(data)]
        cautions += [*look_at_layers(mdata, data, config.data), *look_at_values(data, config.data)]
    return Diagnosis(data, plan, problems, tuple(cautions))


def _size(data: MaskedModalities) -> Iterator[InputError]:
    modalities = [table.name for table in data.tables if not table.is_label]
    if len(modalities) == 1:
        yield InputError(
            f"There is one modality, {modalities[0]!r}: nothing to integrate.",
            "mdata.mod",
            "Put other assays of the same samples beside it: mudata.MuData({'rna': ..., 'protein': ...}).",
        )
    if data.n_obs < FEW:
        yield InputError(
            f"There are {data.n_obs:,} observations.",
            "mdata.n_obs",
            f"With fewer than {FEW}, take latents for a summary of these, and do not count on clusters.",
        )
