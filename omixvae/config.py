"""Every option once: its type, what it allows, its default and its help.

`Config` holds what the user asked for, with ``"auto"`` and None left as they are; `omixvae.plan.Plan` holds what is
done about it. The check, the command line option and the documentation of an option all come from its one field here.
"""

import dataclasses
import json
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from omixvae.errors import InputError, nearest, raise_together
from omixvae.options import Constraint, Flag, Name, Names, Number, PerModality, Word, as_names, option

__all__ = ["Config", "DataConfig", "ModelConfig", "ResultsConfig", "TrainingConfig"]

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


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which part of the MuData is read, and as what."""

    modalities: tuple[str, ...] | None = option(
        None, Names((None,)), "Modalities to use; all of the file when not given."
    )
    layers: str | Mapping[str, str] = option(
        {}, PerModality(Name(optional=False)), "Layer to read instead of X, per modality."
    )
    coverage_layers: str | Mapping[str, str] = option(
        {},
        PerModality(Name(optional=False)),
        "Layer with the number that each count is out of (all reads over a site, methylated or not), per modality; for "
        "the likelihood binomial.",
    )
    batch_key: str | None = option(
        None, Name(), "Column of obs with the experimental batch; the decoders see it, so that the latent need not."
    )
    covariate_keys: tuple[str, ...] = option(
        (), Names(), "Further columns of obs that the decoders see; categories or numbers."
    )
    labels_key: str | None = option(
        None, Name(), "Column of obs with known labels, learned as one more modality; missing where unknown."
    )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The model: what is assumed, and how large it is."""

    likelihoods: Literal["auto"] | LikelihoodWord | Mapping[str, LikelihoodWord] = option(
        "auto",
        PerModality(Word(get_args(LikelihoodWord)), words=("auto",)),
        "Distribution of the values; one for all modalities or for each, chosen from the values where not given.",
    )
    size_factors: Literal["auto"] | SizeFactorWord | Mapping[str, SizeFactorWord] = option(
        "auto",
        PerModality(Word(get_args(SizeFactorWord)), words=("auto",)),
        "What expected counts are multiples of, per modality: the observation's total, or none; auto takes none for "
        "panels, whose total depends on what the observation is.",
    )
    dispersion: DispersionWord = option(
        "feature",
        Word(get_args(DispersionWord)),
        "Dispersion of negative binomial counts: one per feature, or one per feature and batch (or other covariate).",
    )
    noise: float | Mapping[str, float] = option(
        {},
        PerModality(Number(float, 1e-6, 1e6)),
        "Known standard deviation of the measurement, per modality (of log(1 + x) for log_normal); learned for each "
        "feature where not given.",
    )
    weights: float | Mapping[str, float] = option(
        {},
        PerModality(Number(float, 0.0, 1e6)),
        "Weight of a modality's reconstruction in the bound, per modality; 1, when not given, is the bound itself.",
    )
    encode_covariates: bool = option(
        False,
        Flag(),
        "Show the batch and the other covariates to the encoders, too, not to the decoders alone.",
    )
    n_latent: int | Literal["auto"] = option("auto", Number(int, 1, 512, ("auto",)), "Dimensions of the shared latent.")
    n_private: int | Literal["auto"] | Mapping[str, int] = option(
        "auto",
        PerModality(Number(int, 0, 512), words=("auto",)),
        "Dimensions of each modality's private latent; 0 switches it off.",
    )
    private_dropout: float | Literal["auto"] = option(
        "auto",
        Number(float, 0.0, 1.0, ("auto",)),
        "Probability, in training, that a modality is predicted from the others without its private latent, as if it "
        "were missing.",
    )
    n_clusters: int | Literal["auto"] = option(
        "auto",
        Number(int, 1, 1000, ("auto",)),
        "Clusters: components of the mixture prior; auto finds the number from the latents. For the prior vamp: "
        "pseudo-observations.",
    )
    aggregation: AggregationWord = option(
        "sum_pooling", Word(get_args(AggregationWord)), "How the encoded modalities are put together."
    )
    n_components: int = option(
        5,
        Number(int, 1, 100),
        "Gaussians in each belief of sum_pooling_mixture and self_attention_mixture.",
    )
    objective: ObjectiveWord = option(
        "masked", Word(get_args(ObjectiveWord)), "The variational bound that is maximised."
    )
    prior: PriorWord = option("gaussian_mixture", Word(get_args(PriorWord)), "Prior of the shared latent.")
    decoder: DecoderWord | Literal["auto"] = option(
        "auto",
        Word(("auto", *get_args(DecoderWord))),
        "Decoder: linear gives loadings, mlp bends; auto asks for the size.",
    )
    shrinkage: float | Literal["auto"] = option(
        "auto",
        Number(float, 0.0, 1e9, ("auto",)),
        "Precision of the Gaussian prior on the loadings of a linear decoder, features in standard units; the more, "
        "the smaller the loadings, and the closer the predictions to the mean.",
    )
    hidden_size: int | Literal["auto"] = option("auto", Number(int, 4, 8192, ("auto",)), "Width of the hidden layers.")
    beta: float = option(
        1.0, Number(float, 0.0, 1000.0), "Weight of the latent's cost in the bound; 1 is the bound itself."
    )
    beta_start: float = option(
        0.0,
        Number(float, 0.0, 1000.0),
        "Weight of the latent's cost in the first epoch, as a multiple of beta; it becomes 1 in the first third of the "
        "epochs. Where noise is small, a start far above 1 finds better latents, sooner.",
    )
    subset_law: SubsetLawWord = option(
        "uniform_size", Word(get_args(SubsetLawWord)), "How the random subset S of the observed modalities is drawn."
    )
    kl: KLWord = option(
        "stl",
        Word(get_args(KLWord)),
        "Cost of the latents: at the sample with sticking the landing (gradients of low variance near the optimum), "
        "plainly at the sample, or in closed form where there is one.",
    )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the model is trained, and on what."""

    max_epochs: int | Literal["auto"] = option(
        "auto", Number(int, 1, 1_000_000, ("auto",)), "Most passes over the data."
    )
    batch_size: int | Literal["auto"] = option(
        "auto",
        Number(int, 1, 1_000_000, ("auto",)),
        "Observations per step, of each process; auto shares those of one process out.",
    )
    learning_rate: float | Literal["auto"] = option(
        "auto", Number(float, 1e-8, 1.0, ("auto",)), "Step size of Adam at the start; it falls to zero along a cosine."
    )
    early_stopping: bool = option(True, Flag(), "Stop when the bound of held-out observations no longer rises.")
    device: str = option(
        "auto", Word(("auto", "cpu", "cuda", "mps")), "Where to compute; auto takes a CUDA GPU if there is one."
    )
    precision: str = option(
        "auto",
        Word(("auto", "float32", "float64", "mixed")),
        "Floating point numbers; auto is float32, and mixed multiplies matrices in bfloat16 while training.",
    )
    seed: int = option(0, Number(int, 0, 2**31 - 1), "Seed of all random numbers; the same seed gives the same result.")
    progress: bool = option(True, Flag(), "Show the progress of the training.")


@dataclass(frozen=True, kw_only=True)
class ResultsConfig:
    """What is written back."""

    impute: Literal["missing", "all", "none"] | tuple[str, ...] = option(
        "missing",
        Names(("missing", "all", "none")),
        "Modalities to impute; missing takes those with something missing.",
    )
    key_added: str = option("omixvae", Name(optional=False), "Name under which all results are written.")


GROUPS = (DataConfig, ModelConfig, TrainingConfig, ResultsConfig)


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

    @staticmethod
    def fields() -> Iterator[tuple[str, "dataclasses.Field[Any]"]]:
        """Go through the options of all groups.

        Yields
        ------
        tuple
            The name of the group (``"data"``, ``"model"``, …) and the field.
        """
        for group in GROUPS:
            for f in fields(group):
                yield group.__name__.removesuffix("Config").lower(), f

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
        omixvae.errors.InputError: There is no option 'n_latnet'. Where: the options. How to mend it: Did you mean ...
        """
        groups: dict[str, dict[str, object]] = {group: {} for group, _ in cls.fields()}
        known = {f.name: (group, f.metadata["allowed"]) for group, f in cls.fields()}
        errors = []
        for name, value in options.items():
            if name not in known:
                errors.append(InputError(f"There is no option {name!r}.", "the options", nearest(name, known)))
                continue
            group, allowed = known[name]
            value = _plain(value, allowed)
            groups[group][name] = value
            if not allowed.accepts(value):
                errors.append(_refusal(name, value, allowed))
        raise_together(errors)
        return cls(
            data=DataConfig(**groups["data"]),  # type: ignore[arg-type]  # each value was checked above
            model=ModelConfig(**groups["model"]),  # type: ignore[arg-type]
            training=TrainingConfig(**groups["training"]),  # type: ignore[arg-type]
            results=ResultsConfig(**groups["results"]),  # type: ignore[arg-type]
        )

    def to_options(self) -> dict[str, object]:
        """Give all options flat, in plain types: what `from_options` and JSON take.

        Returns
        -------
        dict
            Option name to value; mappings as dict, tuples as list.

        Examples
        --------
        >>> Config.from_options(seed=3).to_options()["seed"]
        3
        """
        flat = {f.name: getattr(getattr(self, group), f.name) for group, f in self.fields()}
        return {
            k: dict(v) if isinstance(v, Mapping) else list(v) if isinstance(v, tuple) else v for k, v in flat.items()
        }

    @classmethod
    def from_file(cls, path: str | Path, **options: object) -> "Config":
        """Read options from a YAML or JSON file; those given by name win.

        Parameters
        ----------
        path
            A file with one ``name: value`` per option.
        **options
            Options that replace those of the file.

        Returns
        -------
        Config
            Frozen, every value checked.

        Raises
        ------
        InputError
            If the file cannot be read as options.

        Examples
        --------
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w+", suffix=".yaml") as file:
        ...     _ = file.write("n_latent: 5"), file.flush()
        ...     Config.from_file(file.name).model.n_latent
        5
        """
        return cls.from_options(**cls.read_options(path) | options)

    @classmethod
    def read_options(cls, path: str | Path) -> dict[str, object]:
        """Read the options that a YAML or JSON file gives, and no others.

        Parameters
        ----------
        path
            A file with one ``name: value`` per option.

        Returns
        -------
        dict
            Option name to value, for `from_options`, which checks them.

        Raises
        ------
        InputError
            If the file cannot be read as options.

        Examples
        --------
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w+", suffix=".yaml") as file:
        ...     _ = file.write("learning_rate: 1e-4"), file.flush()
        ...     Config.read_options(file.name)
        {'learning_rate': 0.0001}
        """
        import yaml  # only here, so that the other commands start without it

        if not Path(path).is_file():
            raise InputError(f"There is no file {str(path)!r}.", "option --config", "Check the path.")
        try:
            read = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)
            place = "it is no YAML text" if mark is None else f"line {mark.line + 1} is no YAML"
            raise InputError(
                f"The options cannot be read: {place}.",
                f"file {path}",
                "Give a YAML file with one 'name: value' a line.",
            ) from error
        if not isinstance(read, dict):
            raise InputError(
                "The file holds no options by name.",
                f"file {path}",
                "Give a YAML file with one 'name: value' a line.",
            )
        given = {str(k): v for k, v in read.items()}
        for _, f in cls.fields():
            if f.name in given:
                given[f.name] = _numbers(f.metadata["allowed"], given[f.name])
        return given

    def to_json(self) -> str:
        """Write the options as JSON, for `from_file`.

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


def _numbers(allowed: Constraint, value: object) -> object:
    """Read numbers that YAML 1.1 takes for words, such as 1e-5, which JSON writes too."""
    if isinstance(allowed, PerModality) and isinstance(value, Mapping):
        return {name: _numbers(allowed.value, v) for name, v in value.items()}
    return allowed.parse(value) if isinstance(allowed, Number) and isinstance(value, str) else value


def _plain(value: object, allowed: Constraint) -> object:
    """Take what is meant, in plain types and read-only, so that a Config cannot change under its owner."""
    if isinstance(value, Mapping):
        inner = allowed.value if isinstance(allowed, PerModality) else allowed
        return MappingProxyType({name: _plain(v, inner) for name, v in value.items()})
    if isinstance(allowed, (Number, PerModality)) and isinstance(value, numbers.Number):
        return _number(value)
    if isinstance(allowed, Names) and isinstance(value, Iterable):
        return value if isinstance(value, str) and value in allowed.words else as_names(value)
    return value


def _number(value: numbers.Number) -> object:
    """Take a number of NumPy for what it is: `numpy.arange` gives such."""
    if isinstance(value, (bool, int, float)) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _refusal(name: str, value: object, allowed: Constraint) -> InputError:
    """Say what is wrong with the value of one option."""
    shown = dict(value) if isinstance(value, Mapping) else value
    fix = f"Give {allowed.describe()}."
    one = allowed.value if isinstance(allowed, PerModality) else allowed
    wrong = next((v for v in value.values() if not one.accepts(v)), None) if isinstance(value, Mapping) else value
    if isinstance(one, Word) and isinstance(wrong, str):
        fix = nearest(wrong, one.words)
    return InputError(f"Option {name} cannot be {shown!r}.", f"option {name} (--{name.replace('_', '-')})", fix)
