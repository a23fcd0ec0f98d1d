"""Is what is chosen what the data support, and is it judged by observations that were never trained on?"""

import json
from pathlib import Path

import anndata
import mudata
import numpy as np
import oracles
import pandas as pd
import pytest
from builders import build_mdata
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.data import from_mudata
from omixvae.data.sampler import folds, held_out_split
from omixvae.likelihoods.continuous import Gaussian, Normal

SMALL = {"n_latent": 2, "n_private": 1, "n_clusters": 2, "max_epochs": 2, "progress": False}
GAUSSIAN = {"prior": "standard_normal", "n_private": 0, "progress": False}


def select_small(mdata, grid, **options):
    """Select among small models, with few samples."""
    given = {name: value for name, value in SMALL.items() if name not in grid}
    return omixvae.select(mdata, grid, **given | {"n_samples": 4} | options)


def factors_mdata(n_obs, n_factors, *, seed=0, sizes=(12, 12), linked=True):
    """Draw two modalities from known factors, which they share if they are linked; give also the model."""
    rng = np.random.default_rng(seed)
    model = oracles.LinearGaussian.random(sizes, n_factors, [0, 0], rng)
    x = model.draw(n_obs, rng).astype(np.float32)
    blocks = np.split(x, [sizes[0]], axis=1)
    if not linked:
        blocks[1] = rng.permutation(blocks[1])
    names = [f"sample{i:03d}" for i in range(n_obs)]
    parts = {
        f"m{s}": anndata.AnnData(
            block, pd.DataFrame(index=names), pd.DataFrame(index=[f"m{s}_{j}" for j in range(block.shape[1])])
        )
        for s, block in enumerate(blocks)
    }
    return mudata.MuData(parts), model, x.astype(np.float64)


@pytest.fixture(scope="module")
def of_three_factors():
    """Give what is found about the number of latents of data with three factors, the truth, and the values."""
    mdata, model, x = factors_mdata(250, 3)
    grid = {"n_latent": [1, 3, 6]}
    return omixvae.select(mdata, grid, held_out=0.3, n_samples=64, max_epochs=120, **GAUSSIAN), model, x


@pytest.mark.slow
def test_the_true_number_of_latents_is_chosen_and_fewer_are_rejected(of_three_factors):
    found, _, _ = of_three_factors
    table = found.table.set_index("n_latent")
    assert table.index[table["chosen"]].tolist() == [3]
    assert table["difference"][1] < -5 * table["se"][1]
    assert found.best == GAUSSIAN | {"max_epochs": 120, "n_latent": 3}
    assert found.reason.startswith("n_latent=3 ")


@pytest.mark.slow
def test_at_the_truth_the_log_likelihood_is_near_that_of_the_true_model(of_three_factors):
    found, model, x = of_three_factors
    everything = np.ones(x.shape[1], bool)
    truth = pd.Series([model.log_prob(row, everything) for row in x], [f"sample{i:03d}" for i in range(len(x))])
    below = truth[found.per_observation.index] - found.per_observation[1]
    # 24 features with 3 loadings, a mean and a deviation each, from 175 observations: about 24 * 5 / (2 * 175) nats of
    # an optimal fit; the prior of the loadings and the importance samples cost some more
    assert 0.3 < below.mean() < 2.5


@pytest.mark.slow
def test_one_standard_error_rule_over_the_table(of_three_factors):
    found, _, _ = of_three_factors
    values, table = found.per_observation, found.table
    top = table["log_likelihood"].idxmax()
    paired = values.sub(values[top], axis=0)
    np.testing.assert_allclose(table["log_likelihood"], values.mean())
    np.testing.assert_allclose(table["se"], paired.std(ddof=1) / np.sqrt(len(values)), atol=1e-12)
    within = table[paired.mean() >= -table["se"]]
    assert table.loc[table["chosen"], "n_latent"].tolist() == [within["n_latent"].min()]


def test_within_one_standard_error_the_simplest_is_taken_and_the_order_of_the_grid_does_not_matter():
    mdata, *_ = factors_mdata(60, 1)
    # sum pooling has no components: settings that differ in nothing else are the same model
    found = select_small(mdata, {"n_components": [7, 3], "n_latent": [2, 1]}, n_folds=2)
    first, second = found.table["n_latent"] == 2, found.table["n_latent"] == 1
    for same in (first, second):
        assert found.table.loc[same, "log_likelihood"].nunique() == 1
    assert found.best["n_components"] == 3


@pytest.mark.slow
def test_figures_are_those_of_the_plain_calls():
    mdata = build_mdata(40)
    options = {
        "decoder": "linear",
        "hidden_size": 8,
        "batch_size": 16,
        "likelihoods": {"rna": "negative_binomial", "protein": "gaussian", "mutation": "bernoulli"},
    }
    found = select_small(mdata, {"n_latent": [2, 3]}, n_folds=3, n_samples=8, **options)
    for row, n_latent in enumerate((2, 3)):
        for rows, held in folds(from_mudata(mdata).presence, 3, np.random.default_rng(0)):
            model = omixvae.OmixVAE(**SMALL | options | {"n_latent": n_latent}).fit(mdata[rows].copy())
            expected = model.log_likelihood(mdata[held].copy(), n_samples=8)
            np.testing.assert_allclose(found.per_observation[row][expected.index], expected, rtol=1e-4)


@pytest.mark.parametrize("modality", ["rna", "protein"])
def test_held_out_observations_leave_no_trace_in_the_training(modality):
    mdata = build_mdata(40)
    rows, held = held_out_split(from_mudata(mdata).presence, 0.25, np.random.default_rng(0))

    def judged(changed):
        other = mdata.copy()
        inside = other[modality].obs_names.get_indexer(mdata.obs_names[changed])
        values = other[modality].X.toarray() if modality == "rna" else other[modality].X
        values[inside[inside >= 0]] *= 100
        other[modality].X = values
        return select_small(other, {"n_latent": [2]}, held_out=0.25).per_observation[0]

    before, after = judged([]), judged(held[:5])
    assert list(before.index) == mdata.obs_names[held].tolist()
    np.testing.assert_array_equal(after.iloc[5:], before.iloc[5:])
    assert not np.allclose(after.iloc[:5], before.iloc[:5])
    assert not np.allclose(judged(rows[:5]), before)


@pytest.mark.parametrize("sparse", [True, False])
def test_a_feature_that_never_varied_is_not_judged(sparse):
    mdata = build_mdata(40, sparse=sparse)
    _, held = held_out_split(from_mudata(mdata).presence, 0.25, np.random.default_rng(0))
    name = next(name for name in mdata.obs_names[held] if name in mdata["rna"].obs_names)

    def judged(value):
        other = mdata.copy()
        counts = other["rna"].X.toarray() if sparse else other["rna"].X
        counts[:, 0] = 0
        counts[other["rna"].obs_names.get_loc(name), 0] = value
        # the same total, whatever the value is
        counts[other["rna"].obs_names.get_loc(name), 1] = 20 - value
        counts[:, 1] = np.where(other["rna"].obs_names == name, counts[:, 1], 0)
        other["rna"].X = type(mdata["rna"].X)(counts) if sparse else counts
        return select_small(other, {"n_latent": [2]}, held_out=0.25).per_observation[0]

    np.testing.assert_allclose(judged(3), judged(9), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("linked", "low", "high"), [(True, 0.3, 0.95), (False, -0.3, 0.1)])
def test_r2_of_prediction_tells_whether_modalities_know_of_each_other(linked, low, high):
    mdata, *_ = factors_mdata(150, 2, linked=linked)
    found = omixvae.select(mdata, {"n_latent": [2]}, held_out=0.3, n_samples=4, max_epochs=100, **GAUSSIAN)
    r2 = found.table[["r2_m0", "r2_m1"]].to_numpy()
    assert ((r2 > low) & (r2 < high)).all()


def test_settings_with_other_likelihoods_are_compared_on_one_scale():
    """The other one differs on its own scale, too; what the first is said to achieve does not depend on it."""
    mdata, *_ = factors_mdata(60, 1)
    mdata["m0"].X = np.exp(mdata["m0"].X)
    grid = {"likelihoods": [{"m0": "log_normal"}, {"m0": "gaussian"}]}
    one, other = (
        select_small(mdata, {"likelihoods": order}, n_folds=2).table["r2_m0"].tolist()
        for order in (grid["likelihoods"], grid["likelihoods"][:1])
    )
    assert one[0] == other[0]
    assert one[1] != one[0]
    assert -1 < one[1] < 1


def test_seeds_are_averaged_and_the_input_stays_as_it_was():
    mdata = build_mdata(30)
    before = mdata.copy()
    one, other, both = (
        select_small(mdata, {"n_clusters": [2]}, n_folds=2, **options)
        for options in ({"seed": 0}, {"seed": 1}, {"n_seeds": 2})
    )
    expected = (one.per_observation + other.per_observation) / 2
    pd.testing.assert_frame_equal(both.per_observation, expected)
    assert list(mdata.obs) == list(before.obs)
    assert (list(mdata.obsm), list(mdata.uns)) == (list(before.obsm), list(before.uns))
    for name in mdata.mod:
        np.testing.assert_array_equal(*(np.asarray(pd.DataFrame(m[name].to_df())) for m in (mdata, before)))


def test_what_cannot_be_trained_is_out_and_the_rest_goes_on():
    class Broken(Gaussian):
        def forward(self, decoded, library):
            return Normal(decoded * np.nan, self.unit)

    mdata = build_mdata(30)
    choices = [{"protein": Broken}, {"protein": "gaussian"}]
    with pytest.warns(UserWarning, match="likelihoods=protein=Broken is out: Training stopped: the reconstruct"):
        found = select_small(mdata, {"likelihoods": choices}, n_folds=2)
    assert found.table["log_likelihood"].isna().tolist() == [True, False]
    assert found.table["chosen"].tolist() == [False, True]
    assert found.best["likelihoods"] == {"protein": "gaussian"}
    omixvae.fit(mdata, **found.best)


def test_log_normal_beats_gaussian_on_log_normal_values_and_a_word_has_no_order():
    mdata, *_ = factors_mdata(60, 1)
    mdata["m0"].X = np.exp(mdata["m0"].X)
    grid = {"likelihoods": [{"m0": "gaussian"}, {"m0": "log_normal"}], "aggregation": ["sum_pooling", "poe"]}
    found = select_small(mdata, grid, n_folds=2)
    assert found.best["likelihoods"] == {"m0": "log_normal"}
    assert found.table["chosen"].idxmax() == found.table["log_likelihood"].idxmax()
    assert found.table["aggregation"].tolist() == ["sum_pooling", "poe"] * 2


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({}, {}, "The grid names no option.\nWhere: the argument grid"),
        ({"n_latent": []}, {}, "The grid gives no value for n_latent.\nWhere: the grid, option n_latent"),
        ({"n_latent": 5}, {}, "The grid gives n_latent no list.\nWhere: the grid, option n_latent"),
        ({"n_latent": "auto"}, {}, "The grid gives n_latent no list.\nWhere: the grid, option n_latent"),
        ({"n_latnet": [5]}, {}, "There is no option 'n_latnet'.\nWhere: the options\nFix: Did you mean 'n_l"),
        ({"n_latent": [5, 0]}, {}, "Option n_latent cannot be 0.\nWhere: option n_latent (--n-latent)"),
        ({"n_latent": [5]}, {"beta": -1}, "Option beta cannot be -1.\nWhere: option beta (--beta)"),
        (
            {"n_latent": [5]},
            {"n_latent": 3},
            "Option n_latent is in the grid and given beside it.\nWhere: the grid, opt",
        ),
        ({"modalities": [["rna"]]}, {}, "Option modalities changes what is to be explained, so log-likelihoods cannot"),
        (
            {"seed": [0, 1]},
            {},
            "Option seed does not change the model.\nWhere: the grid, option seed\nFix: S",
        ),
        ({"likelihoods": [{"rna": "bernoulli"}]}, {}, "Modality 'rna' holds values such as "),
        ({"likelihoods": [{"rnaa": "poisson"}]}, {}, "There is no modality 'rnaa'.\nWhere: option likelihoods"),
        ({"n_latent": [5]}, {"n_folds": 1}, "n_folds is 1: with fewer than 2 parts nothing is left to train on."),
        ({"n_latent": [5]}, {"n_folds": 9}, "12 observations with any value are too few for 9 parts."),
        ({"n_latent": [5]}, {"held_out": 1.0}, "held_out is 1.0.\nWhere: the argument held_out"),
        ({"n_latent": [5]}, {"held_out": 0.1}, "Holding out 0.1 of 12 observations leaves 11 to train on, and 1 to "),
        ({"n_latent": [5]}, {"held_out": 0.5, "n_folds": 2}, "Both folds and a single split are asked for."),
        ({"n_latent": [5]}, {"n_seeds": 0}, "n_seeds is 0.\nWhere: the argument n_seeds\nFix: Give 1 at le"),
        ({"n_latent": [5]}, {"n_samples": 0}, "n_samples is 0.\nWhere: the argument n_samples"),
    ],
)
def test_wrong_input_is_said_in_words_before_any_training(grid, options, message):
    with pytest.raises(omixvae.InputError) as error:
        omixvae.select(build_mdata(12), grid, **options)
    assert str(error.value).startswith(message)


def test_every_wrong_setting_is_named_at_once_and_what_ails_all_only_once():
    with pytest.raises(omixvae.InputError) as error:
        omixvae.select(build_mdata(12), {"n_latent": [0, 5], "prior": ["vampire", "vamp"]}, batch_key="donor")
    assert [part.problem for part in error.value.parts] == [
        "Option n_latent cannot be 0.",
        "Option prior cannot be 'vampire'.",
        "There is no column 'donor', neither in mdata.obs nor in that of a modality.",
    ]


FAST = ("--max-epochs", "2", "--n-private", "1", "--n-clusters", "2", "--n-samples", "4")


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_mdata(24).write_h5mu("in.h5mu")


@pytest.mark.usefixtures("own_folder")
def test_command_line_writes_table_and_picture_and_says_what_was_chosen():
    arguments = [
        "select",
        "in.h5mu",
        "--grid",
        "n-latent=1,3",
        "--n-folds",
        "2",
        "-o",
        "t.csv",
        "--plot",
        "p.png",
        *FAST,
    ]
    done = CliRunner().invoke(main, [*arguments, "--json"], prog_name="omixvae")
    assert (done.exit_code, done.stderr) == (0, "")
    summary, table = json.loads(done.stdout, parse_constant=pytest.fail), pd.read_csv("t.csv")
    assert table["n_latent"].tolist() == [1, 3]
    np.testing.assert_allclose([row["log_likelihood"] for row in summary["settings"]], table["log_likelihood"])
    assert summary["best"]["n_latent"] == table.loc[table["chosen"], "n_latent"].item()
    assert summary["best"]["max_epochs"] == 2
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in Path().iterdir()) == ["in.h5mu", "p.png", "t.csv"]
    again = CliRunner().invoke(main, arguments, prog_name="omixvae")
    assert again.stdout.splitlines()[-1] == summary["reason"]
    assert [line.split("  ")[:2] for line in again.stderr.strip().splitlines()] == [
        [f"fit {i}/4", f"n_latent={d}, part {k}: {nats} nats"]
        for i, (k, d, nats) in enumerate(zip((1, 1, 2, 2), (1, 3, 1, 3), _nats(again.stderr), strict=True), start=1)
    ]
    pd.testing.assert_frame_equal(pd.read_csv("t.csv").drop(columns="seconds"), table.drop(columns="seconds"))


def _nats(log):
    return [line.split(": ")[1].split(" nats")[0] for line in log.strip().splitlines()]


@pytest.mark.usefixtures("own_folder")
def test_command_line_takes_values_for_one_modality_each():
    words = ("negative_binomial", "poisson")
    choices = [part for word in words for part in ("--grid", f"likelihoods=rna={word},protein=gaussian")]
    done = CliRunner().invoke(
        main, ["select", "in.h5mu", *choices, "--grid", "early-stopping=true,false", "--n-folds", "2", "--json", *FAST]
    )
    settings = json.loads(done.stdout)["settings"]
    assert [(row["likelihoods"], row["early_stopping"]) for row in settings] == [
        ({"rna": word, "protein": "gaussian"}, stop) for word in words for stop in (True, False)
    ]


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--grid", "n_latent"),
            "The grid 'n_latent' holds no '='.\n"
            "Where: option --grid\n"
            "Fix: Give an option and the values to try: --grid n_latent=5,10,20.",
        ),
        (
            ("--grid", "n_latent="),
            "The grid gives no value for n_latent.\nWhere: the grid, option n_latent\nFix: Give one at least.",
        ),
        (
            ("--grid", "n_latent=5,many"),
            "Option n_latent cannot be 'many'.\n"
            "Where: option n_latent (--n-latent)\n"
            "Fix: Give a whole number from 1 to 512, or auto.",
        ),
        (
            ("--grid", "n_latent=5", "--n-folds", "1"),
            "n_folds is 1: with fewer than 2 parts nothing is left to train on.\n"
            "Where: the argument n_folds\n"
            "Fix: Give 2 at least; 5 is usual. For a single split give held_out=0.2.",
        ),
        (
            ("--grid", "n_latent=5", "-o", "table.h5mu"),
            "The file 'table.h5mu' has no name that is known here.\nWhere: option --output\nFix: End the name in .csv.",
        ),
        (
            ("--grid", "n_latent=5", "--plot", "nowhere/p.png"),
            "The folder 'nowhere' does not exist.\n"
            "Where: output nowhere/p.png\n"
            "Fix: Make the folder first, or choose another.",
        ),
    ],
)
def test_command_line_says_what_is_wrong(arguments, message):
    done = CliRunner().invoke(main, ["select", "in.h5mu", *arguments], prog_name="omixvae")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"Error: {message}\n")
    assert [path.name for path in Path().iterdir()] == ["in.h5mu"]


@pytest.mark.usefixtures("own_folder")
def test_command_line_knows_an_option_that_was_misspelt():
    done = CliRunner().invoke(main, ["select", "in.h5mu", "--grid", "n_latnet=5"], prog_name="omixvae")
    assert done.exit_code == 2
    assert "There is no option 'n_latnet'.\nWhere: option --grid\nFix: Did you mean 'n_latent'?" in done.stderr
