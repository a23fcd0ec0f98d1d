"""Options that these data, or other options, do not allow: found before anything is decided."""

from collections.abc import Mapping, Sequence

from omixvae.config import Config
from omixvae.data.masked import MaskedModalities
from omixvae.data.tables import Table
from omixvae.encoders import AGGREGATIONS
from omixvae.errors import InputError, nearest
from omixvae.likelihoods import LIKELIHOODS, Likelihood
from omixvae.likelihoods.choice import refusal
from omixvae.own_modules import OwnModules, name_of

__all__ = ["refuse_likelihood", "refuse_noise", "refuse_options"]


def refuse_options(config: Config, data: MaskedModalities, own: OwnModules) -> list[InputError]:
    """Return what is wrong with the options, whatever the likelihoods are.

    Parameters
    ----------
    config
        What the user asked for.
    data
        What there is to learn from.
    own
        Modules that the user brings.

    Returns
    -------
    list of InputError
        Empty where nothing is.
    """
    return [
        *_unknown_modalities(config, own, data.schema.modalities),
        *_too_many_modalities(config, data, own),
        *_no_batches(config, data),
    ]


def refuse_likelihood(
    config: Config, table: Table, word: str, likelihood: type[Likelihood] | Likelihood, *, fits: bool
) -> list[InputError]:
    """Return why a modality cannot have a likelihood.

    Parameters
    ----------
    config
        What the user asked for.
    table
        The modality.
    word, likelihood
        Its likelihood.
    fits
        Whether it was chosen from the values, and suits them: on disk a second look at all of them would take minutes.

    Returns
    -------
    list of InputError
        Empty where it can.
    """
    found = (
        None if fits else refusal(table, word, likelihood),
        _no_noise(config, table.name, word, likelihood),
        _no_coverage(table, word, likelihood),
    )
    return [error for error in found if error]


def refuse_noise(config: Config, likelihoods: Sequence[type[Likelihood] | Likelihood]) -> list[InputError]:
    """Return that no likelihood has a use for the noise that is given for all modalities, if so.

    Parameters
    ----------
    config
        What the user asked for.
    likelihoods
        Of all modalities.

    Returns
    -------
    list of InputError
        Empty where one has, or none is given.
    """
    if isinstance(config.model.noise, Mapping) or any(likelihood.takes_noise for likelihood in likelihoods):
        return []
    return [
        InputError(
            "A noise is given, but no modality has a likelihood whose noise could be set.",
            "option noise",
            f"Leave it out, or choose one of {_taking_noise()} for a modality.",
        )
    ]


def _unknown_modalities(config: Config, own: OwnModules, known: Sequence[str]) -> list[InputError]:
    """Find the names in options of the model and of the results that no modality has."""
    options = (
        ("encoders", own.encoders),
        ("decoders", own.decoders),
        ("likelihoods", own.likelihoods),
        ("likelihoods", config.model.likelihoods),
        ("size_factors", config.model.size_factors),
        ("noise", config.model.noise),
        ("weights", config.model.weights),
        ("n_private", config.model.n_private),
        ("impute", config.results.impute),
    )
    # One misspelt word of impute reads like one name.
    further = {"impute": ("missing", "all", "none")}
    return [
        InputError(
            f"There is no modality {name!r}.", f"option {option}", nearest(name, (*known, *further.get(option, ())))
        )
        for option, value in options
        if isinstance(value, (Mapping, tuple))
        for name in value
        if name not in known
    ]


def _too_many_modalities(config: Config, data: MaskedModalities, own: OwnModules) -> list[InputError]:
    """Return an error if the aggregation cannot take so many modalities."""
    aggregation = AGGREGATIONS[config.model.aggregation] if own.aggregation is None else own.aggregation
    most, n = aggregation.most_modalities, len(data.tables)
    if most is None or n <= most:
        return []
    name = config.model.aggregation if own.aggregation is None else name_of(aggregation)
    return [
        InputError(
            f"Aggregation {name} takes {most} modalities at most, but there are {n}: it grows "
            "with the number of their subsets.",
            "option aggregation",
            f"Choose aggregation='sum_pooling', or {most} of the modalities with modalities=[...].",
        )
    ]


def _no_batches(config: Config, data: MaskedModalities) -> list[InputError]:
    """Return an error if there is nothing for the dispersion to differ by."""
    if config.model.dispersion == "feature" or data.covariates.shape[1]:
        return []
    return [
        InputError(
            "The dispersion is to differ between batches, but no batch is given.",
            "option dispersion",
            "Name the column of obs with batch_key, or leave dispersion='feature'.",
        )
    ]


def _taking_noise() -> str:
    return ", ".join(word for word, likelihood in LIKELIHOODS.items() if likelihood.takes_noise)


def _no_noise(config: Config, name: str, word: str, likelihood: type[Likelihood] | Likelihood) -> InputError | None:
    """Return an error if a noise is given for a modality whose likelihood has no use for it."""
    if not isinstance(config.model.noise, Mapping) or name not in config.model.noise or likelihood.takes_noise:
        return None
    return InputError(
        f"A noise is given for modality {name!r}, but its likelihood {word} has none that could be set.",
        "option noise",
        f"Leave it out, or choose one of {_taking_noise()} for this modality.",
    )


def _no_coverage(table: Table, word: str, likelihood: type[Likelihood] | Likelihood) -> InputError | None:
    """Return an error if a likelihood lacks the coverage of its counts, or has no use for one."""
    if likelihood.takes_coverage == (table.coverage is not None):
        return None
    if likelihood.takes_coverage:
        return InputError(
            f"The likelihood {word} of modality {table.name!r} needs to know what each count is out of.",
            "option coverage_layers",
            f"Name the layer with all reads over each site: coverage_layers={{{table.name!r}: ...}}.",
        )
    return InputError(
        f"A coverage is given for modality {table.name!r}, but its likelihood {word} has no use for it.",
        "option coverage_layers",
        "Leave it out, or choose the likelihood binomial, with counts as values, for this modality.",
    )
