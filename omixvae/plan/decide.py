"""Every "auto" decided from the data, with the reason for each decision in one line: a table of small rules."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, TypeAlias, TypeVar, cast

from omixvae.config import Config, LikelihoodWord
from omixvae.data.masked import MaskedModalities
from omixvae.errors import InputError, raise_together
from omixvae.likelihoods import LIKELIHOODS, Likelihood
from omixvae.likelihoods.choice import suitable
from omixvae.options import per_modality
from omixvae.own_modules import NO_OWN_MODULES, OwnModules, name_of
from omixvae.plan.balance import balance
from omixvae.plan.plan import ModalityPlan, Plan
from omixvae.plan.refuse import refuse_likelihood, refuse_noise, refuse_options
from omixvae.priors import PRIORS, Prior

__all__ = ["make_plan"]

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


@dataclass(frozen=True, eq=False)
class Case:
    """What the rules decide from.

    Parameters
    ----------
    config, data, own, n_processes
        As given to `make_plan`.
    n
        Observations that have any value.
    chosen
        What is decided so far: a rule may look at the rules before it.
    """

    config: Config
    data: MaskedModalities
    own: OwnModules
    n_processes: int
    n: int
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def cohort(self) -> bool:
        """Whether there are so few observations that they are patients rather than cells."""
        return self.n < COHORT_BELOW

    @property
    def prior(self) -> type[Prior] | Prior:
        """What the prior is, or is made from."""
        return PRIORS[self.config.model.prior] if self.own.prior is None else self.own.prior

    @property
    def linear(self) -> bool:
        """Whether the decoder is linear."""
        return bool(self.chosen["decoder"] == "linear")


Rule: TypeAlias = Callable[[Case], tuple[Any, dict[str, str]]]
"""What is decided, and the reasons for it by the name that they have in the plan."""


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
    n = int(data.presence.any(axis=1).sum())
    if n < 4:
        raise InputError(
            f"Only {n} observations have any value; nothing can be learned from so few.",
            "the MuData",
            "Give at least 4.",
        )
    case = Case(config, data, own, n_processes, n)
    reasons: dict[str, str] = {}
    for name, rule in RULES.items():
        case.chosen[name], why = rule(case)
        reasons |= why
    for kind, modules in (("encoder", own.encoders), ("decoder", own.decoders)):
        reasons |= {f"{kind} of {name}": f"{kind} of {name}: your own" for name in modules}
    for option, part in (("aggregation", own.aggregation), ("objective", own.objective), ("prior", own.prior)):
        if part is not None:
            reasons[option] = f"{option} = {name_of(part)}: your own"
    if config.model.weights == "auto":
        return balance(_plan(case, reasons), data, own)
    reasons["weights"] = f"weights = {config.model.weights}: as asked"
    return _plan(case, reasons)


def _plan(case: Case, reasons: dict[str, str]) -> Plan:
    """Put what was asked and what was chosen together."""
    model, training, chosen, own, n = case.config.model, case.config.training, case.chosen, case.own, case.n
    max_epochs = chosen["max_epochs"]
    return Plan(
        modalities=_modalities(case),
        n_covariates=case.data.covariates.shape[1],
        encode_covariates=model.encode_covariates,
        dispersion=model.dispersion,
        n_latent=chosen["n_latent"],
        private_dropout=float(chosen["private_dropout"]),
        n_clusters=chosen["n_clusters"],
        choose_clusters=model.n_clusters == "auto",
        aggregation=model.aggregation if own.aggregation is None else "own",
        n_components=model.n_components,
        objective=model.objective if own.objective is None else "own",
        prior=model.prior if own.prior is None else "own",
        decoder=chosen["decoder"],
        hidden_size=chosen["hidden_size"],
        beta=float(model.beta),
        beta_start=float(model.beta_start),
        subset_law=model.subset_law,
        kl=model.kl,
        max_epochs=max_epochs,
        batch_size=chosen["batch_size"],
        learning_rate=float(chosen["learning_rate"]),
        held_out=min(0.1 if n >= 100 else 0.2, MOST_HELD_OUT / n) if training.early_stopping and n >= 20 else 0.0,
        patience=max(10, max_epochs // 5),
        warm_up_epochs=max_epochs // 3,
        # of 3 epochs a third is 1
        prior_epoch=math.floor(max_epochs * case.prior.starts_after(cohort=case.cohort) + 1e-9),
        shrinkage=float(chosen["shrinkage"]),
        precision="float32" if training.precision == "auto" else training.precision,
        seed=training.seed,
        reasons=reasons,
        n_obs=n,
    )


def _modalities(case: Case) -> tuple[ModalityPlan, ...]:
    tables, own, model, likelihoods = case.data.tables, case.own, case.config.model, case.chosen["likelihoods"]
    noisy = (t.name for t in tables if _likelihood(likelihoods[t.name], t.name, own).takes_noise)
    noise, weights = per_modality(model.noise, noisy), {}
    if model.weights != "auto":
        weights = per_modality(model.weights, (t.name for t in tables))
    return tuple(
        ModalityPlan(
            t.name,
            t.n_features,
            likelihoods[t.name],
            case.chosen["n_private"][t.name],
            by_total=case.chosen["size_factors"][t.name],
            noise=noise.get(t.name),
            weight=float(weights.get(t.name, 1.0)),
            own_encoder=t.name in own.encoders,
            own_decoder=t.name in own.decoders,
        )
        for t in tables
    )


def _likelihoods(case: Case) -> tuple[dict[str, LikelihoodWord | Literal["own"]], dict[str, str]]:
    config, own, reasons = case.config, case.own, {}
    asked = _asked(config.model.likelihoods, case.data)
    errors = refuse_options(config, case.data, own)
    chosen: dict[str, LikelihoodWord | Literal["own"]] = {}
    for table in case.data.tables:
        if table.name in own.likelihoods:
            likelihood, reason = own.likelihoods[table.name], "your own"
            chosen[table.name], word = "own", name_of(likelihood)
        else:
            word, reason = (asked[table.name], "as asked") if table.name in asked else suitable(table)
            chosen[table.name], likelihood = cast("LikelihoodWord", word), LIKELIHOODS[word]
        reasons[f"likelihood of {table.name}"] = f"likelihood of {table.name} = {word}: {reason}"
        fits = reason != "as asked" and chosen[table.name] != "own"
        errors += refuse_likelihood(config, table, word, likelihood, fits=fits)
    raise_together(errors + refuse_noise(config, [_likelihood(word, name, own) for name, word in chosen.items()]))
    return chosen, reasons


def _decoder(case: Case) -> tuple[str, str]:
    size = "fewer than" if case.cohort else "at least"
    return "linear" if case.cohort else "mlp", f"{case.n:,} observations are {size} {COHORT_BELOW:,}"


def _n_latent(case: Case) -> tuple[int, str]:
    n_features = sum(t.n_features for t in case.data.tables)
    return (
        max(2, min(30, case.n // 4 if case.linear else _by_size(case.n, 1.6, -2, 4, 30), n_features - 1)),
        f"for {case.n:,} observations and a decoder that is {case.chosen['decoder']}",
    )


def _n_clusters(case: Case) -> tuple[int, str]:
    return max(2, min(25, round(math.sqrt(case.n / 3)))), case.prior.about_n_clusters.format(n=case.n)


def _hidden_size(case: Case) -> tuple[int, str]:
    return 64 if case.cohort else 128 if case.n < 50_000 else 256, f"for {case.n:,} observations"


def _batch_size(case: Case) -> tuple[int, dict[str, str]]:
    n, n_processes = case.n, case.n_processes
    shared = f", shared by {n_processes} processes: as many steps as with one, of the same size" * (n_processes > 1)
    size = math.ceil(2 ** _by_size(n / 40, 1, 0, 5, 10) / n_processes)
    reason = f"about a fortieth of {n:,} observations, from 32 to 1024" + shared
    chosen, reasons = _unless_asked("training.batch_size", lambda _: (size, reason))(case)
    if case.config.training.batch_size != "auto" and n_processes > 1:
        reasons["batch_size"] += f", in each of {n_processes} processes"
    return chosen, reasons


def _max_epochs(case: Case) -> tuple[int, str]:
    if case.cohort:
        return COHORT_EPOCHS, f"so often each of fewer than {COHORT_BELOW:,} observations is seen"
    batch = case.chosen["batch_size"] * case.n_processes
    steps_per_epoch = max(1, math.ceil(0.9 * case.n / batch))
    return (
        max(20, math.ceil(CELL_STEPS / steps_per_epoch)),
        f"about {CELL_STEPS:,} steps of {batch} observations, at least 20 epochs",
    )


def _learning_rate(case: Case) -> tuple[float, str]:
    return 4e-3, "Adam's step for networks of this size"


def _n_private(case: Case) -> tuple[dict[str, int], dict[str, str]]:
    asked, tables = case.config.model.n_private, case.data.tables
    most = max(2, case.chosen["n_latent"] // 2)
    none = len(tables) == 1
    chosen = {t.name: 0 if none or t.is_label else min(most, math.ceil(t.n_features / 10)) for t in tables}
    if isinstance(asked, Mapping):
        chosen |= dict(asked)
        reason = f"{chosen}: as asked"
    elif asked == "auto":
        reason = f"{chosen}: half of n_latent, no more than a tenth of the features, none for a label"
    else:
        chosen = {t.name: 0 if t.is_label else int(asked) for t in tables}
        reason = f"{asked}: as asked"
    return chosen, {"n_private": f"n_private = {reason}"}


def _private_dropout(case: Case) -> tuple[float, str]:
    return (
        0.0 if case.cohort else 0.5,
        "not used: no modality has a private latent"
        if not any(case.chosen["n_private"].values())
        else f"private latents are not left out below {COHORT_BELOW:,} observations"
        if case.cohort
        else "half of the time a modality is predicted without its private latent, as where it is missing",
    )


def _size_factors(case: Case) -> tuple[dict[str, bool], dict[str, str]]:
    """Decide whether the total of an observation is its size factor."""
    asked = _asked(case.config.model.size_factors, case.data)
    chosen, reasons = {}, {}
    for t in case.data.tables:
        likelihood = _likelihood(case.chosen["likelihoods"][t.name], t.name, case.own)
        if isinstance(likelihood, Likelihood):  # it was made by the user
            chosen[t.name] = likelihood.by_total
            continue
        by_total = asked.get(t.name, "none" if t.n_features < PANEL else "total") == "total"
        chosen[t.name] = likelihood.takes_total and by_total
        if likelihood.takes_total:
            size = "a panel, whose total depends on what the observation is" if t.n_features < PANEL else "no panel"
            reason = "as asked" if t.name in asked else f"{t.n_features:,} features are {size}"
            reasons[f"size factor of {t.name}"] = (
                f"size factor of {t.name} = {'total' if chosen[t.name] else 'none'}: {reason}"
            )
    return chosen, reasons


def _shrinkage(case: Case) -> tuple[int, str]:
    return (
        round((case.chosen["n_latent"] + max(case.chosen["n_private"].values())) / EXPECTED_VARIANCE),
        f"the latents are expected to explain {EXPECTED_VARIANCE:.0%} of a feature's variance"
        if case.linear
        else "not used by this decoder",
    )


def _unless_asked(option: str, choose: Callable[[Case], tuple[float | str, str]]) -> Rule:
    """Take what was asked for, or else what a rule chooses for the data, and keep the reason."""
    name = option.partition(".")[2]

    def rule(case: Case) -> tuple[Any, dict[str, str]]:
        asked = attrgetter(option)(case.config)
        if asked != "auto":
            return asked, {name: f"{name} = {asked}: as asked"}
        chosen, reason = choose(case)
        return chosen, {name: f"{name} = {chosen}: {reason}"}

    return rule


RULES: dict[str, Rule] = {
    "likelihoods": _likelihoods,
    "decoder": _unless_asked("model.decoder", _decoder),
    "n_latent": _unless_asked("model.n_latent", _n_latent),
    "n_clusters": _unless_asked("model.n_clusters", _n_clusters),
    "hidden_size": _unless_asked("model.hidden_size", _hidden_size),
    "batch_size": _batch_size,
    "max_epochs": _unless_asked("training.max_epochs", _max_epochs),
    "learning_rate": _unless_asked("training.learning_rate", _learning_rate),
    "n_private": _n_private,
    "private_dropout": _unless_asked("model.private_dropout", _private_dropout),
    "size_factors": _size_factors,
    "shrinkage": _unless_asked("model.shrinkage", _shrinkage),
}
"""Every decision, in an order in which each finds made what it looks at."""


def _by_size(n: float, slope: float, intercept: float, low: int, high: int) -> int:
    """Grow with the logarithm of the number of observations."""
    return int(min(high, max(low, round(slope * math.log2(max(n, 1)) + intercept))))


def _asked(option: T | Literal["auto"] | Mapping[str, T], data: MaskedModalities) -> dict[str, T]:
    """Return what is asked for each modality; one word for all is not meant for labels."""
    if option == "auto":
        return {}
    return per_modality(option, (t.name for t in data.tables if not t.is_label))


def _likelihood(word: LikelihoodWord | Literal["own"], name: str, own: OwnModules) -> type[Likelihood] | Likelihood:
    return own.likelihoods[name] if word == "own" else LIKELIHOODS[word]
