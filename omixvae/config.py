"""Every option once: its type, its limits, its default, what it affects and its help.

`Config` holds what the user asked for, with ``"auto"`` and None left as they are; `omixvae.plan.Plan` holds what is
done about it. The check, the command line option and the documentation of an option all come from its one field here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from omixvae.errors import InputError, nearest, raise_together
from omixvae.options import Affects, check_group, declared, option

__all__ = ["GROUPS", "OPTIONS", "Config", "DataConfig", "ModelConfig", "ResultsConfig", "TrainingConfig", "affecting"]

LikelihoodWord = Literal[
    "gaussian",
    "student_t",
    "laplace",
    "log_normal",
    "poisson",
    "negative_binomial",
    "zero_inflated_negative_binomial",
    "protein_mixture",
    "bernoulli",
    "beta",
    "binomial",
    "categorical",
]
SizeFactorWord = Literal["total", "none"]
DispersionWord = Literal["feature", "batch"]
AggregationWord = Literal[
    "sum_pooling",
    "self_attention",
    "sum_pooling_mixture",
    "self_attention_mixture",
    "poe",
    "poe_plus",
    "moe",
    "moe_plus",
    "mopoe",
]
ObjectiveWord = Literal["masked", "mixture", "total_correlation"]
PriorWord = Literal["gaussian_mixture", "standard_normal", "vamp"]
DecoderWord = Literal["mlp", "linear"]
KLWord = Literal["stl", "sample", "closed_form"]
SubsetLawWord = Literal["uniform_size", "independent"]
DeviceWord = Literal["cpu", "cuda", "mps"]
PrecisionWord = Literal["float32", "float64", "mixed"]
ImputeWord = Literal["missing", "all", "none"]
Auto = Literal["auto"]
"""To be decided from the data."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which part of the MuData is read, and as what."""

    modalities: tuple[str, ...] | None = option(
        None, "Modalities to use; all of the file when not given.", affects="data", common=True
    )
    layers: str | Mapping[str, str] = option(
        {}, "Layer to read instead of X, per modality.", affects="data", common=True
    )
    coverage_layers: str | Mapping[str, str] = option(
        {},
        "Layer with the number that each count is out of (all reads over a site, methylated or not), per modality; for "
        "the likelihood binomial.",
    )
    batch_key: str | None = option(
        None,
        "Column of obs with the experimental batch; the decoders see it, so that the latent need not.",
        common=True,
    )
    covariate_keys: tuple[str, ...] = option(
        (), "Further columns of obs that the decoders see; categories or numbers.", common=True
    )
    labels_key: str | None = option(
        None,
        "Column of obs with known labels, learned as one more modality; missing where unknown.",
        affects="data",
        common=True,
    )

    def __post_init__(self) -> None:
        check_group(self)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The model: what is assumed, and how large it is."""

    likelihoods: Auto | LikelihoodWord | Mapping[str, LikelihoodWord] = option(
        "auto",
        "Distribution of the values; one for all modalities or for each, chosen from the values where not given.",
        common=True,
    )
    size_factors: Auto | SizeFactorWord | Mapping[str, SizeFactorWord] = option(
        "auto",
        "What expected counts are multiples of, per modality: the observation's total, or none; auto takes none for "
        "panels, whose total depends on what the observation is.",
    )
    dispersion: DispersionWord = option(
        "feature",
        "Dispersion of negative binomial counts: one per feature, or one per feature and batch (or other covariate).",
    )
    noise: float | Mapping[str, float] = option(
        {},
        "Known standard deviation of the measurement, per modality (of log(1 + x) for log_normal); learned for each "
        "feature where not given.",
        limits=(1e-6, 1e6),
    )
    weights: Auto | float | Mapping[str, float] = option(
        "auto",
        "Weight of a modality's reconstruction in the bound, per modality; auto lets a panel be heard beside thousands "
        "of features, and ends with the bound itself; 1 is the bound, and holds for modalities that are not named.",
        limits=(0, 1e6),
    )
    encode_covariates: bool = option(
        False, "Show the batch and the other covariates to the encoders, too, not to the decoders alone."
    )
    n_latent: int | Auto = option("auto", "Dimensions of the shared latent.", limits=(1, 512), common=True)
    n_private: int | Auto | Mapping[str, int] = option(
        "auto", "Dimensions of each modality's private latent; 0 switches it off.", limits=(0, 512)
    )
    private_dropout: float | Auto = option(
        "auto",
        "Probability, in training, that a modality is predicted from the others without its private latent, as if it "
        "were missing.",
        limits=(0, 1),
    )
    n_clusters: int | Auto = option(
        "auto",
        "Clusters: components of the mixture prior; auto finds the number from the latents. For the prior vamp: "
        "pseudo-observations.",
        limits=(1, 1000),
        common=True,
    )
    aggregation: AggregationWord = option("sum_pooling", "How the encoded modalities are put together.")
    n_components: int = option(
        5, "Gaussians in each belief of sum_pooling_mixture and self_attention_mixture.", limits=(1, 100)
    )
    objective: ObjectiveWord = option("masked", "The variational bound that is maximised.")
    prior: PriorWord = option("gaussian_mixture", "Prior of the shared latent.")
    decoder: Auto | DecoderWord = option(
        "auto", "Decoder: linear gives loadings, mlp bends; auto asks for the size.", common=True
    )
    shrinkage: float | Auto = option(
        "auto",
        "Precision of the Gaussian prior on the loadings of a linear decoder, features in standard units; the more, "
        "the smaller the loadings, and the closer the predictions to the mean.",
        limits=(0, 1e9),
    )
    hidden_size: int | Auto = option("auto", "Width of the hidden layers.", limits=(4, 8192))
    beta: float = option(1.0, "Weight of the latent's cost in the bound; 1 is the bound itself.", limits=(0, 1000))
    beta_start: float = option(
        0.0,
        "Weight of the latent's cost in the first epoch, as a multiple of beta; it becomes 1 in the first third of the "
        "epochs. Where noise is small, a start far above 1 finds better latents, sooner.",
        limits=(0, 1000),
    )
    subset_law: SubsetLawWord = option("uniform_size", "How the random subset S of the observed modalities is drawn.")
    kl: KLWord = option(
        "stl",
        "Cost of the latents: at the sample with sticking the landing (gradients of low variance near the optimum), "
        "plainly at the sample, or in closed form where there is one.",
    )

    def __post_init__(self) -> None:
        check_group(self)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the model is trained, and on what."""

    max_epochs: int | Auto = option("auto", "Most passes over the data.", limits=(1, 1_000_000), common=True)
    batch_size: int | Auto = option(
        "auto",
        "Observations per step, of each process; auto shares those of one process out.",
        limits=(1, 1_000_000),
    )
    learning_rate: float | Auto = option(
        "auto", "Step size of Adam at the start; it falls to zero along a cosine.", limits=(1e-8, 1)
    )
    early_stopping: bool = option(True, "Stop when the bound of held-out observations no longer rises.")
    device: Auto | DeviceWord = option(
        "auto", "Where to compute; auto takes a CUDA GPU if there is one.", affects="machine", common=True
    )
    precision: Auto | PrecisionWord = option(
        "auto", "Floating point numbers; auto is float32, and mixed multiplies matrices in bfloat16 while training."
    )
    seed: int = option(
        0,
        "Seed of all random numbers; the same seed gives the same result.",
        affects="chance",
        limits=(0, 2**31 - 1),
        common=True,
    )
    progress: bool = option(True, "Show the progress of the training.", affects="screen")

    def __post_init__(self) -> None:
        check_group(self)


@dataclass(frozen=True, kw_only=True)
class ResultsConfig:
    """What is written back."""

    impute: ImputeWord | tuple[str, ...] = option(
        "missing",
        "Modalities to impute; missing takes those with something missing.",
        affects="results",
        common=True,
    )
    key_added: str = option("omixvae", "Name under which all results are written.", affects="results", common=True)

    def __post_init__(self) -> None:
        check_group(self)


@dataclass(frozen=True)
class Config:
    """All options of a run, as the user gave them.

    Parameters
    ----------
    data, model, training, results
        The four groups. Most callers use `from_options`, which is flat.

    Examples
    --------
    >>> config = Config.from_options(n_latent=8, batch_key="donor")
    >>> config.model.n_latent, config.data.batch_key
    (8, 'donor')
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    results: ResultsConfig = ResultsConfig()

    def __reduce__(self) -> tuple[Callable[[], "Config"], tuple[()]]:
        """Pickle and copy by the options: read-only mappings cannot be pickled."""
        return partial(Config.from_options, **self.to_options()), ()

    @classmethod
    def from_options(cls, **options: object) -> "Config":
        """Sort flat options into their groups and check each.

        Parameters
        ----------
        **options
            Options by name, as in `omixvae.fit`. One name stands for a list of one.

        Returns
        -------
        Config
            Frozen, every value checked.

        Raises
        ------
        InputError
            If a name is not known or a value is not allowed; all of them together.

        Examples
        --------
        >>> Config.from_options(n_latnet=8)
        Traceback (most recent call last):
        ...
        omixvae.errors.InputError: There is no option 'n_latnet'....
        """
        errors = [
            InputError(f"There is no option {name!r}.", "the options", nearest(name, OPTIONS))
            for name in options
            if name not in OPTIONS
        ]
        groups: dict[str, Any] = {}
        for name, group in GROUPS.items():
            try:
                groups[name] = group(**{o.name: options[o.name] for o in declared(group) if o.name in options})
            except InputError as error:
                errors += error.parts
        raise_together(errors)
        return cls(**groups)

    def to_options(self) -> dict[str, object]:
        """Return all options flat, in plain types: what `from_options` and JSON take.

        Returns
        -------
        dict
            Option name to value; mappings as dict, tuples as list.

        Examples
        --------
        >>> Config.from_options(seed=3).to_options()["seed"]
        3
        """
        flat = {o.name: getattr(getattr(self, o.group), o.name) for o in OPTIONS.values()}
        return {
            k: dict(v) if isinstance(v, Mapping) else list(v) if isinstance(v, tuple) else v for k, v in flat.items()
        }

    def to_json(self) -> str:
        """Write the options as JSON, which ``omixvae train --config`` reads.

        Returns
        -------
        str
            Indented JSON.

        Examples
        --------
        >>> '"seed": 0' in Config().to_json()
        True
        """
        return json.dumps(self.to_options(), indent=1)


GROUPS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "results": ResultsConfig,
}

OPTIONS = {o.name: o for group in GROUPS.values() for o in declared(group)}
"""Option name to its declaration, in the order of the groups: read by all that show, check or compare options."""


def affecting(*what: Affects) -> tuple[str, ...]:
    """Return the names of the options that affect nothing but this.

    Parameters
    ----------
    *what
        Kinds of effects.

    Returns
    -------
    tuple of str
        In the order of the options.

    Examples
    --------
    >>> affecting("screen", "machine")
    ('device', 'progress')
    """
    return tuple(name for name, o in OPTIONS.items() if o.affects in what)
