"""Every "auto" decided from the data, with the reason for each decision in one line.

`Config` is what the user asked for; `Plan` is what will be done: all concrete, saved beside the weights.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import torch

from omixvae.config import (
    AggregationWord,
    Config,
    DispersionWord,
    KLWord,
    LikelihoodWord,
    ObjectiveWord,
    PriorWord,
    SubsetLawWord,
)
from omixvae.data.masked import MaskedModalities
from omixvae.data.tables import Table
from omixvae.encoders import AGGREGATIONS
from omixvae.errors import InputError, nearest, raise_together
from omixvae.likelihoods import LIKELIHOODS, Likelihood
from omixvae.likelihoods.choice import refusal, suitable
from omixvae.options import per_modality
from omixvae.own_modules import NO_OWN_MODULES, OwnModules, name_of
from omixvae.priors import PRIORS

__all__ = ["ModalityPlan", "Plan", "make_plan"]

T = TypeVar("T")

COHORT_BELOW = 1000
"""Observations below which they are treated as a cohort, not as cells: so few cannot pay for the weights of a hidden
layer, and the decoder is linear."""

COHORT_EPOCHS = 160
"""With fewer, entries of 220 patients were predicted worse; with more, modalities of 92."""

PANEL = 300
"""Features below which counts are those of a panel: its total is that of a few features which some cells carry and
others do not, and no measure of depth."""

EXPECTED_VARIANCE = 0.13
"""Part of a feature's variance that the prior of a linear decoder's loadings expects all latents together to explain.
Small beside the half that they often do: noise that features share looks like signal in a hundred observations."""


CELL_STEPS = 1500
"""Steps that a training on cells takes, if they are not so many that 20 epochs are more. The steps grow small towards
the end, and the encoder begins to learn 10,000 cells by heart after about 1,500: a longer training stops before its
steps are small, with decoders that have not settled."""


MOST_HELD_OUT = 10_000
"""Observations that are held out at most: they are judged at each epoch, and the average of so many is known far better
than one epoch differs from the next."""


@dataclass(frozen=True)
class ModalityPlan:
    """What is done with one modality.

    Parameters
    ----------
    name
        The modality.
    n_features
        Number of its features.
    likelihood
        Word for its likelihood, a key of `LIKELIHOODS`; ``"own"`` for a class of the user's own.
    n_private
        Dimensions of its private latent.
    by_total
        Whether the total of an observation is its size factor (likelihoods of counts).
    noise
        Known standard deviation of the measurement; None where it is learned.
    weight
        Of its reconstruction in the bound.
    own_encoder, own_decoder
        Whether the user brought a module of their own.
    """

    name: str
    n_features: int
    likelihood: LikelihoodWord | Literal["own"]
    n_private: int
    by_total: bool = True
    noise: float | None = None
    weight: float = 1.0
    own_encoder: bool = False
    own_decoder: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done: no "auto" left.

    Parameters
    ----------
    modalities
        One plan each, in the order of the data.
    choose_clusters
        Whether `n_clusters` is only the most that are tried.
    reasons
        Decision to its reason, one line each.
    held_out
        Part of the observations that early stopping watches; 0 when it is off.
    patience
        Epochs without a better held-out bound after which training stops.
    warm_up_epochs
        Epochs in which the weight of the latents' cost rises to one.
    prior_epoch
        Epoch at which the prior starts from the latents; before, it is N(0, I). 0 for those without such a start.
    shrinkage
        Precision of the Gaussian prior on the weights of linear decoders, whose features are in standard units.
    n_obs
        Observations that have any value; 0 in models of versions that did not keep it.
    """

    modalities: tuple[ModalityPlan, ...]
    n_covariates: int
    encode_covariates: bool
    dispersion: DispersionWord
    n_latent: int
    private_dropout: float
    n_clusters: int
    choose_clusters: bool
    aggregation: AggregationWord | Literal["own"]
    n_components: int
    objective: ObjectiveWord | Literal["own"]
    prior: PriorWord | Literal["own"]
    decoder: Literal["mlp", "linear"]
    hidden_size: int
    beta: float
    beta_start: float
    subset_law: SubsetLawWord
    kl: KLWord
    max_epochs: int
    batch_size: int
    learning_rate: float
    held_out: float
    patience: int
    warm_up_epochs: int
    prior_epoch: int
    shrinkage: float
    precision: Literal["float32", "float64", "mixed"]
    seed: int
    reasons: Mapping[str, str]
    n_obs: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and of all that is not a product of matrices."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def to_json(self) -> str:
        """Write the plan as JSON.

        Returns
        -------
        str
            Indented JSON, for `from_json`.
        """
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read the plan back.

        Parameters
        ----------
        text
            What `to_json` gave.

        Returns
        -------
        Plan
            Equal to the one that was written.
        """
        read = json.loads(text)
        read["modalities"] = tuple(ModalityPlan(**m) for m in read["modalities"])
        return cls(**read)


def make_plan(config: Config, data: MaskedModalities, own: OwnModules = NO_OWN_MODULES, n_processes: int = 1) -> Plan:
    """Decide everything that the user left open.

    Parameters
    ----------
    config
        What the user asked for; an explicit value is taken as it is.
    data
        What there is to learn from.
    own
        What the user brings.
    n_processes
        How many train together, each with batches of `batch_size`.

    Returns
    -------
    Plan
        All concrete.

    Raises
    ------
    InputError
        If a likelihood cannot take the values of its modality, an option names a modality that is not there, there
        are too few observations, or too many modalities for the aggregation.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> plan = make_plan(Config(), from_mudata(simulate(n_obs=200)))
    >>> plan.modalities[0].likelihood, plan.decoder
    ('negative_binomial', 'linear')
    """
    model, training = config.model, config.training
    n = int(data.presence.any(axis=1).sum())
    if n < 4:
        raise InputError(
            f"Only {n} observations have any value; nothing can be learned from so few.",
            "the MuData",
            "Give at least 4.",
        )
    reasons: dict[str, str] = {}

    def decide(name: str, asked: object, chosen: float | str, reason: str) -> int | float | str:
        """Take what was asked for, or else what fits the data, and keep the reason."""
        reasons[name] = f"{name} = {chosen}: {reason}" if asked == "auto" else f"{name} = {asked}: as asked"
        return chosen if asked == "auto" else cast("int | float | str", asked)

    cohort = n < COHORT_BELOW
    prior = PRIORS[model.prior] if own.prior is None else own.prior
    likelihoods = _likelihoods(config, data, own, reasons)
    n_features = sum(t.n_features for t in data.tables)
    decoder = decide(
        "decoder",
        model.decoder,
        "linear" if cohort else "mlp",
        f"{n:,} observations are {'fewer than' if cohort else 'at least'} {COHORT_BELOW:,}",
    )
    linear = decoder == "linear"
    n_latent = cast(
        "int",
        decide(
            "n_latent",
            model.n_latent,
            max(2, min(30, n // 4 if linear else _by_size(n, 1.6, -2, 4, 30), n_features - 1)),
            f"for {n:,} observations and a decoder that is {decoder}",
        ),
    )
    n_clusters = cast(
        "int",
        decide(
            "n_clusters",
            model.n_clusters,
            max(2, min(25, round(math.sqrt(n / 3)))),
            prior.about_n_clusters.format(n=n),
        ),
    )
    hidden_size = decide(
        "hidden_size",
        model.hidden_size,
        64 if cohort else 128 if n < 50_000 else 256,
        f"for {n:,} observations",
    )
    shared = f", shared by {n_processes} processes: as many steps as with one, of the same size" * (n_processes > 1)
    batch_size = cast(
        "int",
        decide(
            "batch_size",
            training.batch_size,
            math.ceil(2 ** _by_size(n / 40, 1, 0, 5, 10) / n_processes),
            f"about a fortieth of {n:,} observations, from 32 to 1024" + shared,
        ),
    )
    if training.batch_size != "auto" and n_processes > 1:
        reasons["batch_size"] += f", in each of {n_processes} processes"
    steps_per_epoch = max(1, math.ceil(0.9 * n / (batch_size * n_processes)))
    max_epochs = cast(
        "int",
        decide(
            "max_epochs",
            training.max_epochs,
            COHORT_EPOCHS if cohort else max(20, math.ceil(CELL_STEPS / steps_per_epoch)),
            f"so often each of fewer than {COHORT_BELOW:,} observations is seen"
            if cohort
            else f"about {CELL_STEPS:,} steps of {batch_size * n_processes} observations, at least 20 epochs",
        ),
    )
    learning_rate = decide("learning_rate", training.learning_rate, 4e-3, "Adam's step for networks of this size")
    private = _private(config, data, n_latent, reasons)
    private_dropout = decide(
        "private_dropout",
        model.private_dropout,
        0.0 if cohort else 0.5,
        "not used: no modality has a private latent"
        if not any(private.values())
        else f"private latents are not left out below {COHORT_BELOW:,} observations"
        if cohort
        else "half of the time a modality is predicted without its private latent, as where it is missing",
    )
    by_total = _by_total(config, data, likelihoods, own, reasons)
    noise = per_modality(
        model.noise, (t.name for t in data.tables if _likelihood(likelihoods[t.name], t.name, own).takes_noise)
    )
    weights = per_modality(model.weights, (t.name for t in data.tables))
    shrinkage = decide(
        "shrinkage",
        model.shrinkage,
        round((n_latent + max(private.values())) / EXPECTED_VARIANCE),
        f"the latents are expected to explain {EXPECTED_VARIANCE:.0%} of a feature's variance"
        if linear
        else "not used by this decoder",
    )
    for kind, modules in (("encoder", own.encoders), ("decoder", own.decoders)):
        reasons |= {f"{kind} of {name}": f"{kind} of {name}: your own" for name in modules}
    for option, part in (("aggregation", own.aggregation), ("objective", own.objective), ("prior", own.prior)):
        if part is not None:
            reasons[option] = f"{option} = {name_of(part)}: your own"
    return Plan(
        modalities=tuple(
            ModalityPlan(
                t.name,
                t.n_features,
                likelihoods[t.name],
                private[t.name],
                by_total=by_total[t.name],
                noise=noise.get(t.name),
                weight=float(weights.get(t.name, 1.0)),
                own_encoder=t.name in own.encoders,
                own_decoder=t.name in own.decoders,
            )
            for t in data.tables
        ),
        n_covariates=data.covariates.shape[1],
        encode_covariates=model.encode_covariates,
        dispersion=model.dispersion,
        n_latent=n_latent,
        private_dropout=float(private_dropout),
        n_clusters=n_clusters,
        choose_clusters=model.n_clusters == "auto",
        aggregation=model.aggregation if own.aggregation is None else "own",
        n_components=model.n_components,
        objective=model.objective if own.objective is None else "own",
        prior=model.prior if own.prior is None else "own",
        decoder=cast("Literal['mlp', 'linear']", decoder),
        hidden_size=cast("int", hidden_size),
        beta=float(model.beta),
        beta_start=float(model.beta_start),
        subset_law=model.subset_law,
        kl=model.kl,
        max_epochs=max_epochs,
        batch_size=batch_size,
        learning_rate=float(learning_rate),
        held_out=min(0.1 if n >= 100 else 0.2, MOST_HELD_OUT / n) if training.early_stopping and n >= 20 else 0.0,
        patience=max(10, max_epochs // 5),
        warm_up_epochs=max_epochs // 3,
        prior_epoch=math.floor(max_epochs * prior.starts_after(cohort=cohort) + 1e-9),  # of 3 epochs a third is 1
        shrinkage=float(shrinkage),
        precision="float32" if training.precision == "auto" else training.precision,
        seed=training.seed,
        reasons=reasons,
        n_obs=n,
    )


def _by_size(n: float, slope: float, intercept: float, low: int, high: int) -> int:
    """Grow with the logarithm of the number of observations."""
    return int(min(high, max(low, round(slope * math.log2(max(n, 1)) + intercept))))


def _private(config: Config, data: MaskedModalities, n_latent: int, reasons: dict[str, str]) -> dict[str, int]:
    asked = config.model.n_private
    most = max(2, n_latent // 2)
    none = len(data.tables) == 1
    chosen = {t.name: 0 if none or t.is_label else min(most, math.ceil(t.n_features / 10)) for t in data.tables}
    if isinstance(asked, Mapping):
        chosen |= dict(asked)
        reasons["n_private"] = f"n_private = {chosen}: as asked"
    elif asked == "auto":
        reasons["n_private"] = (
            f"n_private = {chosen}: half of n_latent, no more than a tenth of the features, none for a label"
        )
    else:
        chosen = {t.name: 0 if t.is_label else int(asked) for t in data.tables}
        reasons["n_private"] = f"n_private = {asked}: as asked"
    return chosen


def _by_total(
    config: Config,
    data: MaskedModalities,
    likelihoods: Mapping[str, LikelihoodWord | Literal["own"]],
    own: OwnModules,
    reasons: dict[str, str],
) -> dict[str, bool]:
    asked = _asked(config.model.size_factors, data)
    chosen = {}
    for t in data.tables:
        likelihood = _likelihood(likelihoods[t.name], t.name, own)
        if isinstance(likelihood, Likelihood):  # it was made by the user
            chosen[t.name] = likelihood.by_total
            continue
        chosen[t.name] = (
            likelihood.takes_total and asked.get(t.name, "none" if t.n_features < PANEL else "total") == "total"
        )
        if likelihood.takes_total:
            size = "a panel, whose total depends on what the observation is" if t.n_features < PANEL else "no panel"
            reason = "as asked" if t.name in asked else f"{t.n_features:,} features are {size}"
            reasons[f"size factor of {t.name}"] = (
                f"size factor of {t.name} = {'total' if chosen[t.name] else 'none'}: {reason}"
            )
    return chosen


def _likelihoods(
    config: Config, data: MaskedModalities, own: OwnModules, reasons: dict[str, str]
) -> dict[str, LikelihoodWord | Literal["own"]]:
    asked = _asked(config.model.likelihoods, data)
    errors = [
        *_unknown_modalities(config, own, data.schema.modalities),
        *_too_many_modalities(config, data, own),
        *_no_batches(config, data),
    ]
    chosen: dict[str, LikelihoodWord | Literal["own"]] = {}
    for table in data.tables:
        if table.name in own.likelihoods:
            likelihood, reason = own.likelihoods[table.name], "your own"
            chosen[table.name], word = "own", name_of(likelihood)
        else:
            word, reason = (asked[table.name], "as asked") if table.name in asked else suitable(table)
            chosen[table.name], likelihood = cast("LikelihoodWord", word), LIKELIHOODS[word]
        reasons[f"likelihood of {table.name}"] = f"likelihood of {table.name} = {word}: {reason}"
        refusals = (
            # What was chosen from the values suits them: on disk a second look at all of them would take minutes.
            None if reason != "as asked" and chosen[table.name] != "own" else refusal(table, word, likelihood),
            _no_noise(config, table.name, word, likelihood),
            _no_coverage(table, word, likelihood),
        )
        errors += [error for error in refusals if error]
    raise_together(errors + _noise_of_none(config, [_likelihood(word, name, own) for name, word in chosen.items()]))
    return chosen


def _asked(option: T | Literal["auto"] | Mapping[str, T], data: MaskedModalities) -> dict[str, T]:
    """Give each modality what is asked for it; one word for all is not meant for labels."""
    if option == "auto":
        return {}
    return per_modality(option, (t.name for t in data.tables if not t.is_label))


def _likelihood(word: LikelihoodWord | Literal["own"], name: str, own: OwnModules) -> type[Likelihood] | Likelihood:
    return own.likelihoods[name] if word == "own" else LIKELIHOODS[word]


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
    """Say that the aggregation cannot take so many modalities, if so."""
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
    """Say that there is nothing for the dispersion to differ by, if so."""
    if config.model.dispersion == "feature" or data.covariates.shape[1]:
        return []
    return [
        InputError(
            "The dispersion is to differ between batches, but no batch is given.",
            "option dispersion",
            "Name the column of obs with batch_key, or leave dispersion='feature'.",
        )
    ]


def _noise_of_none(config: Config, likelihoods: Sequence[type[Likelihood] | Likelihood]) -> list[InputError]:
    """Say that no likelihood has a use for the noise that is given for all modalities, if so."""
    if isinstance(config.model.noise, Mapping) or any(likelihood.takes_noise for likelihood in likelihoods):
        return []
    return [
        InputError(
            "A noise is given, but no modality has a likelihood whose noise could be set.",
            "option noise",
            f"Leave it out, or choose one of {_taking_noise()} for a modality.",
        )
    ]


def _taking_noise() -> str:
    return ", ".join(word for word, likelihood in LIKELIHOODS.items() if likelihood.takes_noise)


def _no_noise(config: Config, name: str, word: str, likelihood: type[Likelihood] | Likelihood) -> InputError | None:
    """Say that a likelihood has no use for a known noise, if one was given for its modality."""
    if not isinstance(config.model.noise, Mapping) or name not in config.model.noise or likelihood.takes_noise:
        return None
    return InputError(
        f"A noise is given for modality {name!r}, but its likelihood {word} has none that could be set.",
        "option noise",
        f"Leave it out, or choose one of {_taking_noise()} for this modality.",
    )


def _no_coverage(table: Table, word: str, likelihood: type[Likelihood] | Likelihood) -> InputError | None:
    """Say that a likelihood lacks the coverage of its counts, or has no use for one, if so."""
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
