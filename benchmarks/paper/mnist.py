"""Three views of a digit, two images and its English name, as in Tables 5 to 14: what is read, trained and measured."""

import math
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import mudata
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.paper import metrics
from benchmarks.paper.runs import EXPERIMENTS, information_figures
from benchmarks.paper.simulations import Simulation, to_mudata
from benchmarks.paper.systems import System
from omixvae import OmixVAE
from omixvae.data.masked import ModalityBatch, Moments
from omixvae.devices import resolve_device
from omixvae.likelihoods import Likelihood
from omixvae.likelihoods.categorical import Categorical, Indicators
from omixvae.likelihoods.continuous import Laplace

__all__ = ["Files", "coloured", "decoder", "encoder", "pairs", "read_images", "read_text", "run", "text_columns"]

N_PAIRS = 60_000
TEST_SHARE = 6
"""Observations to train on for each one to test on, as in MNIST itself."""

GREY, COLOUR = (28, 28), (32, 32, 3)
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALPHABET = string.ascii_lowercase + string.digits + string.punctuation + " \t\n"
N_CHARACTERS = 8
SIZES = {"mnist": 28 * 28, "colour": 3 * 32 * 32, "svhn": 3 * 32 * 32, "text": N_CHARACTERS}
"""What the weights of the reconstructions go by; a text counts its characters, as in the literature."""

N_PRIVATE = 10
"""Dimensions of z and of each w_s where some latents are private: 40 in all, as many as where none is."""

LIKELIHOOD_ROWS = 500
PROBE_ROWS = 10_000
CLASSIFIER_BATCH, CLASSIFIER_EPOCHS = 64, 10
CLASSIFIER_STEPS = (300, 3000)
"""The fewest and the most steps in which a classifier is trained."""


@dataclass(frozen=True)
class Files:
    """Where the images are: each an npz file with arrays ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    Parameters
    ----------
    mnist
        Images 28 x 28, uint8.
    svhn
        Images 32 x 32 x 3, uint8; `coloured` images of MNIST stand in for them when not given.
    """

    mnist: Path
    svhn: Path | None = None

    @property
    def second(self) -> str:
        """Name of the second modality: the stand-in is never called after what it stands for."""
        return "colour" if self.svhn is None else "svhn"


def read_images(path: Path, split: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Read one part of a file of images.

    Parameters
    ----------
    path
        An npz file.
    split
        ``"train"`` or ``"test"``.
    shape
        Of one image.

    Returns
    -------
    images, digits
        Shapes (n, *shape), uint8, and (n,). A label of 10 is the digit 0, as in the files that SVHN comes in.

    Raises
    ------
    click.UsageError
        If the file does not hold such images.
    """
    with np.load(path) as file:
        if lacking := {f"x_{split}", f"y_{split}"} - set(file.files):
            raise click.UsageError(f"{path.name} has no array {' and no '.join(sorted(lacking))}.")
        images, digits = file[f"x_{split}"], file[f"y_{split}"]
    if images.dtype != np.uint8 or images.shape != (len(digits), *shape):
        size = " x ".join(map(str, shape))
        raise click.UsageError(
            f"x_{split} of {path.name} is {images.dtype} of shape {images.shape}; it needs {len(digits):,} images of "
            f"{size} in uint8, one for each label."
        )
    return images, digits.ravel().astype(np.intp) % 10


def pairs(files: Files, seed: int, n_obs: int | None = None) -> tuple[Simulation, Simulation]:
    """Put images and names of the same digit together.

    Parameters
    ----------
    files
        The images.
    seed
        Decides which images, and what goes with what.
    n_obs
        Observations to train on, 60,000 when not given (or as many as there are); a sixth of it to test on.

    Returns
    -------
    train, test
        Modalities ``mnist``, ``colour`` or ``svhn``, and ``text``: pixels from 0 to 1, colour images one colour after
        the other. `segment` is the digit; the latent is not known and has no column.

    Notes
    -----
    Each image of MNIST is used at most once. With it goes another image of the same digit at random: for the stand-in
    another one of MNIST, coloured.
    """
    n_train = N_PAIRS if n_obs is None else n_obs
    sizes = {"train": n_train, "test": math.ceil(n_train / TEST_SHARE)}
    train, test = (
        _pairs(files, split, size, np.random.default_rng([seed, i])) for i, (split, size) in enumerate(sizes.items())
    )
    return train, test


def _pairs(files: Files, split: str, n_obs: int, rng: np.random.Generator) -> Simulation:
    grey, digits = read_images(files.mnist, split, GREY)
    rows = rng.permutation(len(grey))[:n_obs]
    if files.svhn is None:
        second = coloured(grey[_another(digits, rng)[rows]], rng)
    else:
        colour, colour_digits = read_images(files.svhn, split, COLOUR)
        second = colour[_any_of(digits[rows], colour_digits, rng)]
    values = {
        "mnist": _pixels(grey[rows]),
        files.second: _pixels(second.transpose(0, 3, 1, 2)),
        "text": text_columns(digits[rows], rng),
    }
    return Simulation(values, np.ones((len(rows), 3), bool), np.zeros((len(rows), 0)), digits[rows])


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _another(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give for each image another one of the same digit, each of them once."""
    other = np.empty(len(digits), np.intp)
    for digit in np.unique(digits):
        ring = rng.permutation(np.flatnonzero(digits == digit))
        other[ring] = np.roll(ring, 1)
    return other


def _any_of(digits: np.ndarray, among: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give for each digit the position of one like it, each of them once as long as there are enough."""
    chosen = np.empty(len(digits), np.intp)
    for digit in np.unique(digits):
        rows, pool = np.flatnonzero(digits == digit), rng.permutation(np.flatnonzero(among == digit))
        chosen[rows] = np.resize(pool, len(rows))
    return chosen


def coloured(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour images of MNIST, and put a texture behind the digit: a stand-in for photographs of digits.

    Parameters
    ----------
    images
        Shape (n, 28, 28), uint8.
    rng
        Source of the colours and textures.

    Returns
    -------
    numpy.ndarray
        Shape (n, 32, 32, 3), uint8.

    Notes
    -----
    The rule: a margin of two pixels; one dark colour, each channel uniform on (0, 0.4), and one light colour, uniform
    on (0.6, 1); with probability 1/2 the digit is dark on light, else light on dark. To the ground is added a plane
    wave of amplitude 0.15, the same in all channels, its direction and phase uniform and its wavelength uniform on (4,
    16) pixels. Digit and ground are mixed by the grey value of MNIST, and the sum is cut to (0, 1).
    """
    parts = [_coloured(part, rng) for part in np.array_split(images, 1 + len(images) // 1000)]
    return np.concatenate(parts)


def _coloured(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(images)
    strength = np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None] / 255.0
    dark, light = rng.uniform(0, 0.4, (n, 1, 1, 3)), rng.uniform(0.6, 1, (n, 1, 1, 3))
    dark_digit = rng.random((n, 1, 1, 1)) < 0.5
    digit, ground = np.where(dark_digit, dark, light), np.where(dark_digit, light, dark)
    direction, phase = rng.uniform(0, 2 * np.pi, (2, n, 1, 1))
    wavelength = rng.uniform(4, 16, (n, 1, 1))
    y, x = np.mgrid[:32, :32]
    along = (x * np.cos(direction) + y * np.sin(direction)) / wavelength
    ground = ground + 0.15 * np.cos(2 * np.pi * along + phase)[..., None]
    return np.rint(255 * (strength * digit + (1 - strength) * ground).clip(0, 1)).astype(np.uint8)


def text_columns(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Write the English names of digits, 8 characters each.

    Parameters
    ----------
    digits
        Shape (n,).
    rng
        Decides where the name starts.

    Returns
    -------
    numpy.ndarray
        Shape (n, 568), float32: for one character after the other 71 columns, one of which is 1.

    Notes
    -----
    Around the name are spaces. It starts at a random place such that one space at least comes after it, as in the data
    set's definition in the literature; so no model can give a text more than -3.7 nats on average.
    """
    lengths = np.array([len(NAMES[digit]) for digit in digits])
    starts = rng.integers(0, N_CHARACTERS - lengths)
    words = [" " * start + NAMES[digit] for start, digit in zip(starts, digits, strict=True)]
    letters = np.array([[ALPHABET.index(letter) for letter in word.ljust(N_CHARACTERS)] for word in words])
    return np.eye(len(ALPHABET), dtype=np.float32)[letters].reshape(len(digits), -1)


def read_text(columns: np.ndarray) -> list[str]:
    """Read what `text_columns` wrote: the most probable letter at each place.

    Parameters
    ----------
    columns
        Shape (n, 568).

    Returns
    -------
    list of str
        8 characters each.
    """
    letters = np.asarray(columns).reshape(len(columns), N_CHARACTERS, len(ALPHABET)).argmax(-1)
    return ["".join(ALPHABET[letter] for letter in row) for row in letters]


def encoder(name: str) -> nn.Sequential:
    """Make the paper's encoder of a modality, but for the last linear map, which omixvae adds.

    Parameters
    ----------
    name
        The modality.

    Returns
    -------
    torch.nn.Sequential
        From (n, g) to (n, 400) or (n, 128).
    """
    if name == "mnist":
        return nn.Sequential(nn.Linear(SIZES[name], 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU())
    if name == "text":  # one letter wide, so that the letters lie along one axis of an image
        layers = [nn.Conv2d(1, 128, (1, len(ALPHABET))), nn.Conv2d(128, 128, (4, 1), (2, 1), (1, 0))]
        layers.append(nn.Conv2d(128, 128, (4, 1)))
        return nn.Sequential(nn.Unflatten(1, (1, N_CHARACTERS, len(ALPHABET))), *_with_relu(layers), nn.Flatten())
    layers = [nn.Conv2d(3, 32, 4, 2, 1), nn.Conv2d(32, 64, 4, 2, 1), nn.Conv2d(64, 64, 4, 2, 1), nn.Conv2d(64, 128, 4)]
    return nn.Sequential(nn.Unflatten(1, (3, 32, 32)), *_with_relu(layers), nn.Flatten())


def decoder(name: str) -> nn.Sequential:
    """Make the mirror image of `encoder`.

    Parameters
    ----------
    name
        The modality.

    Returns
    -------
    torch.nn.Sequential
        From (n, latents), however many, to (n, g).
    """
    if name == "mnist":
        return nn.Sequential(nn.LazyLinear(400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 784))
    layers: list[nn.Module] = [nn.LazyLinear(128), nn.Unflatten(1, (128, 1, 1))]
    if name == "text":
        layers += [nn.ConvTranspose2d(128, 128, (4, 1)), nn.ConvTranspose2d(128, 128, (4, 1), (2, 1), (1, 0))]
        layers.append(nn.ConvTranspose2d(128, 1, (1, len(ALPHABET))))
    else:
        layers += [nn.ConvTranspose2d(128, 64, 4)]
        layers += [nn.ConvTranspose2d(n, m, 4, 2, 1) for n, m in ((64, 64), (64, 32), (32, 3))]
    return nn.Sequential(*_with_relu(layers)[:-1], nn.Flatten())


def _with_relu(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """Put a ReLU behind each layer that has weights."""
    weighted = [[layer] if isinstance(layer, nn.Unflatten) else [layer, nn.ReLU()] for layer in layers]
    return [layer for group in weighted for layer in group]


class Pixels(Laplace):
    """A Laplace distribution of pixels, with a learned scale for each.

    Notes
    -----
    `Laplace` measures each feature in units of its own deviation. A pixel that is dark in all but a few images would
    have a tiny unit, and one test image in which it is light would cost thousands of nats; all pixels of a modality
    share one unit here, and their scales start at their own deviations. The lower limit of the scales bounds the
    log-likelihood of a pixel, so that its level depends on it: for MNIST at most 3100 nats or so.
    """

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Tensor:
        """Start at the mean and at about the deviation of each pixel."""
        common = moments.variance.mean()
        start = super().initialise(Moments(moments.mean, np.full_like(moments.variance, common)), sample)
        deviation = torch.as_tensor(np.sqrt(moments.variance / max(common, 1e-12))).to(start)
        self.log_scale.copy_(deviation.clamp(0.1, 1.0).log())
        return start


class Letters(Indicators):
    """One letter at each place: `Indicators` in groups of as many columns as the alphabet has letters."""

    def __init__(self, logits: Tensor) -> None:
        grouped = logits.unflatten(-1, (-1, len(ALPHABET)))
        self.log_p = functional.log_softmax(grouped, dim=-1).flatten(-2)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one letter for each place."""
        p = self.mean.reshape(-1, len(ALPHABET))
        drawn = torch.multinomial(p, 1, generator=generator)
        return torch.zeros_like(p).scatter_(1, drawn, 1.0).reshape(self.log_p.shape)


class Text(Categorical):
    """Letters that are independent of each other given the latents, each with probabilities softmax(decoded)."""

    def forward(self, decoded: Tensor, exposure: Tensor) -> Letters:
        """Make the distribution of the letters; the exposure plays no part."""
        return Letters(decoded)


LIKELIHOODS: dict[str, type[Likelihood]] = {"mnist": Pixels, "colour": Pixels, "svhn": Pixels, "text": Text}


Classifier = Callable[[np.ndarray], np.ndarray]
"""From values (n, g) to digits (n,)."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the systems of a seed share: the data, and a classifier of each modality with its accuracy."""

    train: Simulation
    test: Simulation
    classifiers: Mapping[str, Classifier]
    accuracy: Mapping[str, float]


@lru_cache(maxsize=1)
def _prepare(files: Files, seed: int, n_obs: int | None) -> Prepared:
    train, test = pairs(files, seed, n_obs)
    classifiers = {name: _classifier(name, values, train.segment, seed) for name, values in train.values.items()}
    accuracy = {
        name: metrics.coherence(test.values[name], test.segment, classify) for name, classify in classifiers.items()
    }
    return Prepared(train, test, classifiers, accuracy)


def _classifier(name: str, values: np.ndarray, digits: np.ndarray, seed: int) -> Classifier:
    """Train the paper's encoder of a modality, with one more linear map, to tell the digit."""
    x, y = torch.from_numpy(values), torch.from_numpy(digits)
    device = resolve_device("auto")
    steps = int(np.clip(CLASSIFIER_EPOCHS * len(x) / CLASSIFIER_BATCH, *CLASSIFIER_STEPS))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(encoder(name), nn.Linear(400 if name == "mnist" else 128, len(NAMES))).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(steps):
            rows = torch.randint(len(x), (CLASSIFIER_BATCH,))
            loss = functional.cross_entropy(network(x[rows].to(device)), y[rows].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def classify(values: np.ndarray) -> np.ndarray:
        scores = [network(part.to(device)).cpu() for part in torch.from_numpy(np.asarray(values)).split(1000)]
        return torch.cat(scores).argmax(-1).numpy()

    return classify


def run(
    system: System,
    seed: int,
    *,
    files: Files,
    epochs: int | None = None,
    width: float = 1.0,
    n_obs: int | None = None,
    n_samples: int = 128,
) -> dict[str, float]:
    """Train and measure.

    Parameters
    ----------
    system
        What to train.
    seed
        Of the pairs, the start and the training.
    files
        The images.
    epochs
        Passes over the data; those of `EXPERIMENTS` when not given.
    width
        Factor on the sizes of the hidden layers of the aggregation.
    n_obs
        Observations to train on; 60,000 when not given.
    n_samples
        Importance samples for the log-likelihoods.

    Returns
    -------
    dict
        Figures by name, of test data; all likelihoods in nats per observation. ``coherence_t_given_s+u`` is the share
        of the images or texts of t, made from what s and u tell, that the classifier of t takes for the right digit;
        ``cross_coherence`` is the mean over all t and all sets without t, ``coherence`` over those with it. ``probe_s``
        is the accuracy of a logistic regression on what s tells, ``probe`` on what all tell.
    """
    prepared = _prepare(files, seed, n_obs)
    began = time.perf_counter()  # what all systems share is not counted
    options = _options(system, list(prepared.train.values), width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = {
            "encoders": {name: encoder(name) for name in prepared.train.values},
            "decoders": {name: decoder(name) for name in prepared.train.values},
        }
    options |= {"max_epochs": epochs or EXPERIMENTS["mnist"].epochs, "seed": seed}
    model = OmixVAE(**networks, **options).fit(to_mudata(prepared.train))
    figures = _measure(model, prepared, n_samples)
    return figures | {"seconds": time.perf_counter() - began}


def _options(system: System, names: Sequence[str], width: float) -> dict[str, Any]:
    settings = EXPERIMENTS["mnist"]
    private = system.variant == "private"
    return {
        "likelihoods": {name: LIKELIHOODS[name] for name in names},
        "weights": _weights(names),
        "n_latent": N_PRIVATE if private else settings.n_latent,
        "n_private": N_PRIVATE if private else 0,
        "prior": "standard_normal" if system.components == 1 else "gaussian_mixture",
        "n_clusters": system.components,
        "aggregation": system.aggregation,
        "objective": system.objective,
        "subset_law": "independent",
        "hidden_size": round(width * settings.hidden_size),
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "early_stopping": False,
        "progress": False,
    }


def _weights(names: Sequence[str]) -> dict[str, float]:
    """Let all modalities count alike, whatever their size: the largest size over the modality's own."""
    largest = max(SIZES[name] for name in names)
    return {name: largest / SIZES[name] for name in names}


def _measure(model: OmixVAE, prepared: Prepared, n_samples: int) -> dict[str, float]:
    test, names = to_mudata(prepared.test), list(prepared.test.values)
    few = to_mudata(_first(prepared.test, LIKELIHOOD_ROWS))
    figures = {
        key: float(model.log_likelihood(few, of=of, n_samples=n_samples).mean())
        for key, of in {"log_likelihood": names, **{f"log_likelihood_{name}": [name] for name in names}}.items()
    }
    figures |= information_figures(model.information(few), names)
    figures |= _coherence(model, test, prepared)
    figures |= _probes(model, prepared, test)
    return figures | {f"classifier_{name}": accuracy for name, accuracy in prepared.accuracy.items()}


def _first(data: Simulation, n: int) -> Simulation:
    values = {name: rows[:n] for name, rows in data.values.items()}
    return Simulation(values, data.present[:n], data.latent[:n], data.segment[:n])


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]


def _coherence(model: OmixVAE, test: mudata.MuData, prepared: Prepared) -> dict[str, float]:
    """Classify what is decoded from one draw of q(z | x_S), for each set S and each modality."""
    figures: dict[str, float] = {}
    own: list[float] = []
    cross: list[float] = []
    for given in _subsets(list(prepared.test.values)):
        for name, classify in prepared.classifiers.items():
            generated, _ = model.impute(test, name, given=given, n_samples=1)
            share = metrics.coherence(generated.to_numpy(copy=True), prepared.test.segment, classify)
            figures[f"coherence_{name}_given_{'+'.join(given)}"] = share
            (own if name in given else cross).append(share)
    return figures | {"coherence": float(np.mean(own)), "cross_coherence": float(np.mean(cross))}


def _probes(model: OmixVAE, prepared: Prepared, test: mudata.MuData) -> dict[str, float]:
    """Tell the digit from one draw of q(z | x_S), by logistic regression."""
    known = _first(prepared.train, PROBE_ROWS)
    train, names = to_mudata(known), list(known.values)
    figures = {}
    for key, given in {"probe": names, **{f"probe_{name}": [name] for name in names}}.items():
        seen, new = (model.latent(mdata, given=given, n_samples=1)[0] for mdata in (train, test))
        figures[key] = metrics.linear_probe(seen, known.segment, new, prepared.test.segment)
    return figures
