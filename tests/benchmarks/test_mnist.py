import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.paper import mnist
from benchmarks.paper.__main__ import main
from benchmarks.paper.mnist import ALPHABET, NAMES, Files, coloured, decoder, encoder, pairs, read_text, text_columns
from benchmarks.paper.systems import PAPER_DIGITS, System, systems
from benchmarks.paper.tables import claims_table, paper_table

MODALITIES = ("mnist", "colour", "svhn", "text")


def saved(path, shape, n_train=120, n_test=40, dtype=np.uint8):
    """Write random images, each with its digit as its first pixel."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", n_train), ("test", n_test)):
        digits = rng.permutation(np.arange(n) % 10).astype(np.uint8)
        images = rng.integers(0, 256, (n, *shape)).astype(dtype)
        images.reshape(n, -1)[:, 0] = digits
        arrays |= {f"x_{split}": images, f"y_{split}": digits}
    np.savez(path, **arrays)
    return path


@pytest.fixture
def files(tmp_path):
    return Files(saved(tmp_path / "mnist.npz", (28, 28)))


@pytest.fixture
def both_files(tmp_path, files):
    return Files(files.mnist, saved(tmp_path / "svhn.npz", (32, 32, 3)))


def test_a_text_can_be_read_again_and_starts_at_any_place_that_leaves_a_space_behind_it():
    digits = np.repeat(np.arange(10), 200)
    columns = text_columns(digits, np.random.default_rng(0))
    assert len(set(ALPHABET)) == 71
    assert columns.shape == (2000, 568)
    np.testing.assert_array_equal(columns.reshape(2000, 8, 71).sum(-1), 1)
    words = read_text(columns)
    assert [word.strip() for word in words] == [NAMES[digit] for digit in digits]
    assert {len(word) for word in words} == {8}
    for digit, name in enumerate(NAMES):
        starts = Counter(word.index(name) for word in words[200 * digit : 200 * (digit + 1)])
        assert set(starts) == set(range(8 - len(name)))
        assert min(starts.values()) > 100 / (8 - len(name)), "none is rare"


def test_the_entropy_of_texts_is_what_the_notes_say():
    starts = np.array([8 - len(name) for name in NAMES])
    assert np.log(10) + np.log(starts).mean() == pytest.approx(3.7, abs=0.05)


@pytest.mark.parametrize("name", ["svhn", "colour"])
def test_every_row_is_one_digit_in_all_modalities(name, both_files, monkeypatch):
    # colours would hide the pixel in which the digit is written
    monkeypatch.setattr(
        mnist, "coloured", lambda x, rng: np.pad(np.stack([x] * 3, -1), ((0, 0), (0, 4), (0, 4), (0, 0)))
    )
    for split in pairs(both_files if name == "svhn" else Files(both_files.mnist), 3, 60):
        first, second = (np.rint(255 * split.values[modality][:, 0]) for modality in ("mnist", name))
        np.testing.assert_array_equal(first, split.segment)
        np.testing.assert_array_equal(second, split.segment)
        assert [word.strip() for word in read_text(split.values["text"])] == [NAMES[d] for d in split.segment]
    assert len(np.unique(first)) > 1


def test_pairs_are_drawn_anew_by_each_seed_and_the_same_by_one(files):
    draws = [pairs(files, seed, 60) for seed in (3, 3, 4)]
    for one, again, other in zip(*draws, strict=True):
        for name, values in one.values.items():
            np.testing.assert_array_equal(values, again.values[name])
            assert not np.array_equal(values, other.values[name])
            assert values.dtype == np.float32
            assert 0 <= values.min() < values.max() <= 1
    train, test = draws[0]
    assert [values.shape for values in train.values.values()] == [(60, 784), (60, 3072), (60, 568)]
    assert len(test.segment) == 10
    assert len(np.unique(train.values["mnist"], axis=0)) == 60, "no image of MNIST comes twice"


def test_columns_of_a_colour_image_are_one_channel_after_the_other_row_by_row(both_files):
    _, test = pairs(both_files, 0, 30)
    images, _ = mnist.read_images(both_files.svhn, "test", mnist.COLOUR)
    channels = np.rint(255 * test.values["svhn"].reshape(-1, 3, 32, 32)).astype(np.uint8)
    known = {image.tobytes() for image in images}
    assert all(np.stack(list(image), -1).tobytes() in known for image in channels)


def test_the_second_image_is_another_of_the_same_digit_each_once(files):
    _, digits = mnist.read_images(files.mnist, "train", mnist.GREY)
    other = mnist._another(digits, np.random.default_rng(0))
    np.testing.assert_array_equal(digits[other], digits)
    np.testing.assert_array_equal(np.sort(other), np.arange(len(digits)))
    assert (other != np.arange(len(digits))).all()


def test_images_that_are_fewer_than_the_pairs_come_again():
    chosen = mnist._any_of(np.array([1, 0, 1, 1]), np.array([0, 1, 1]), np.random.default_rng(0))
    assert chosen[1] == 0
    assert sorted(Counter(chosen[[0, 2, 3]]).values()) == [1, 2]


def test_a_label_of_ten_is_zero(tmp_path):
    np.savez(tmp_path / "a.npz", x_test=np.zeros((2, 32, 32, 3), np.uint8), y_test=[10, 3])
    assert mnist.read_images(tmp_path / "a.npz", "test", mnist.COLOUR)[1].tolist() == [0, 3]


def test_colouring_keeps_the_shape_of_the_digit_and_depends_on_the_seed_alone(data_folder):
    images, _ = mnist.read_images(data_folder / "mnist.npz", "test", mnist.GREY)
    images = images[images.max((1, 2)) == 255][:50]
    made, again, other = (coloured(images, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert made.shape == (50, 32, 32, 3)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, again)
    assert not np.array_equal(made, other)
    inside = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    lighter = 0
    for image, grey in zip(made.astype(float) / 255, inside, strict=True):
        digit, ground = image[grey == 255], image[grey == 0]
        np.testing.assert_array_equal(digit, digit[:1].repeat(len(digit), 0))  # one colour
        assert ground.std(0).max() > 0.03, "the ground has a texture"
        difference = (digit.mean(0) - ground.mean(0)) * np.sign(digit.mean() - ground.mean())
        assert difference.min() > 0.05
        assert difference.mean() > 0.2
        lighter += digit.mean() > ground.mean()
    assert 10 < lighter < 40


def test_a_digit_of_the_real_file_is_the_same_in_both_images(data_folder):
    train, _ = pairs(Files(data_folder / "mnist.npz"), 0, 300)
    assert list(train.values) == ["mnist", "colour", "text"]
    images, digits = mnist.read_images(data_folder / "mnist.npz", "train", mnist.GREY)
    rows = np.random.default_rng([0, 0]).permutation(len(images))[:300]
    np.testing.assert_array_equal(train.segment, digits[rows])
    np.testing.assert_allclose(255 * train.values["mnist"], images[rows].reshape(300, -1), atol=1e-4)


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.parametrize("n_latent", [40, 20])
def test_networks_have_the_papers_sizes(name, n_latent):
    columns = 568 if name == "text" else mnist.SIZES[name]
    features = encoder(name)(torch.rand(2, columns))
    assert features.shape == (2, 400 if name == "mnist" else 128)
    assert decoder(name)(torch.randn(2, n_latent)).shape == (2, columns)
    units = [m.out_channels for m in encoder(name) if isinstance(m, torch.nn.Conv2d)]
    assert units == {"mnist": [], "text": [128, 128, 128]}.get(name, [32, 64, 64, 128])


def test_letters_are_grouped_in_places_and_each_place_has_one():
    logits = torch.randn(3, 568)
    p = mnist.Text(568)(logits, torch.ones(3))
    torch.testing.assert_close(p.mean.reshape(3, 8, 71).sum(-1), torch.ones(3, 8))
    drawn = p.sample(torch.Generator().manual_seed(0))
    assert (drawn.reshape(3, 8, 71).sum(-1) == 1).all()
    places = logits.reshape(3, 8, 71).log_softmax(-1)
    chosen = drawn.reshape(3, 8, 71).argmax(-1)
    expected = torch.gather(places, 2, chosen.unsqueeze(-1)).sum((1, 2))
    torch.testing.assert_close(p.log_prob(drawn).sum(-1), expected)


def test_log_probabilities_of_all_texts_of_a_place_sum_to_one():
    p = mnist.Text(142)(torch.randn(1, 142), torch.ones(1))
    texts = [torch.eye(71)[list(letters)].flatten() for letters in itertools.product(range(71), repeat=2)]
    assert p.log_prob(torch.stack(texts)).sum(-1).exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_a_pixel_that_is_nearly_always_dark_costs_little_where_it_is_light():
    moments = mnist.Moments(np.array([0.5, 1e-5, 0.0]), np.array([0.1, 1e-8, 0.0]))
    pixels = mnist.Pixels(3)
    decoded = pixels.initialise(moments, None).unsqueeze(0)
    p = pixels(decoded, torch.ones(1))
    torch.testing.assert_close(p.mean, torch.tensor([[0.5, 1e-5, 0.0]]))
    assert p.variance.sqrt()[0, 0].item() == pytest.approx(np.sqrt(0.1), rel=0.5)
    assert (p.log_prob(torch.ones(1, 3)) > -100).all()
    assert p.log_prob(torch.zeros(1, 3))[0, 1] > 1


def test_weights_make_up_for_the_size():
    assert mnist._weights(["mnist", "colour", "text"]) == {"mnist": 3072 / 784, "colour": 1.0, "text": 384.0}
    assert mnist._weights(["mnist", "text"]) == {"mnist": 1.0, "text": 98.0}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(mnist, "CLASSIFIER_STEPS", (1, 2))
    monkeypatch.setattr(mnist, "LIKELIHOOD_ROWS", 6)
    mnist._prepare.cache_clear()
    yield {"epochs": 1, "n_obs": 60, "n_samples": 2, "width": 0.1}
    mnist._prepare.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["shared", "private"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_run_from_files_to_figures(variant, both_files, tiny):
    system = System("mnist", variant, "sum_pooling", 1, "masked")
    figures = mnist.run(system, 0, files=both_files, **tiny)
    assert all(np.isfinite(value) for value in figures.values())
    for name in ("mnist", "svhn", "text"):
        assert f"log_likelihood_{name}" in figures
        assert 0 <= figures[f"coherence_{name}_given_mnist+text"] <= 1
    assert sum(key.startswith("coherence_") for key in figures) == 3 * 7
    table = paper_table("mnist", {system: {0: figures}})
    assert "| mnist+svhn+text | (paper) |" in table
    widths = {line.count("|") for line in table.splitlines()}
    assert widths == {16}
    assert claims_table("mnist", {system: {0: figures}}).count("\n") == 1, "no pair of bounds to compare"


def test_the_claims_compare_the_bounds_and_the_aggregations():
    names = ("log_likelihood", "reconstruction", "rate", "cross_rate", "cross_reconstruction")
    runs = {
        system: {0: dict.fromkeys(names, float(system.objective == "masked") + (system.aggregation == "sum_pooling"))}
        for system in systems("mnist")
    }
    assert len(runs) == 2 * len(PAPER_DIGITS) == 18
    table = claims_table("mnist", runs)
    assert "| 1. log-likelihood: masked over mixture bound | 9 of 9 | +1 |" in table
    assert "MCC" not in table


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "The experiment mnist needs the images: give --mnist mnist.npz."),
        (["--mnist", "nowhere.npz"], "File 'nowhere.npz' does not exist."),
        (
            ["--mnist", "svhn.npz"],
            "x_test of svhn.npz is uint8 of shape (40, 32, 32, 3); it needs 40 images of 28 x",
        ),
        (["--mnist", "mnist.npz", "--svhn", "mnist.npz"], "40 images of 32 x 32 x 3 in uint8"),
        (["--mnist", "other.npz"], "other.npz has no array x_test and no y_test."),
        (["--mnist", "scaled.npz"], "x_test of scaled.npz is float32"),
    ],
)
def test_files_that_cannot_be_used_are_refused_before_anything_is_started(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved("mnist.npz", (28, 28))
    saved("svhn.npz", (32, 32, 3))
    saved("scaled.npz", (28, 28), dtype=np.float32)
    np.savez("other.npz", x=np.zeros(3))
    refused = CliRunner().invoke(main, ["mnist", *arguments])
    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.split())
