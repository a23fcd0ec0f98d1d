"""The plan: every "auto" decided from the data, with its reason, and clear refusals."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from builders import build_mdata

from omixvae.config import OPTIONS, Config
from omixvae.data import from_mudata
from omixvae.errors import InputError
from omixvae.likelihoods import LIKELIHOODS
from omixvae.likelihoods.choice import refusal, suitable
from omixvae.plan import Plan, make_plan

N_OBS = 30


def one_modality(values):
    """Put values into a MuData as the modality x."""
    obs = pd.DataFrame({"label": ["a", "b", "c"] * (len(values.toarray() if sp.issparse(values) else values) // 3)})
    obs.index = [f"sample{i}" for i in obs.index]
    mdata = mudata.MuData({"x": anndata.AnnData(values, obs=obs[[]])})
    mdata.obs["label"] = obs["label"]
    return mdata


def values_of(kind):
    """Give values of one kind: a short list, repeated."""
    values = {
        "counts": [3, 0, 1, 12, 0, 5, 2],
        "zeros and ones": [0, 1, 1, 0, 1, 0, 0],
        "centred": [-0.5, 0.25, -1.75, 2.5, 0.0, 1.0, -1.0],
        "fractions": [0.5, 0.125, 1.0, 0.0, 0.75, 0.25, 0.625],
        "logged": [0.0, 0.6931, 1.0986, 2.5, 0.0, 1.7918, 1.0986],
        "intensities": [0.5, 1e5, 20.0, 3000.0, 0.0, 7.5, 100.0],
        "reads of tissues": [0, 40, 2e5, 300, 12, 7000, 1],
        "reads, mostly none": [0, 0, 2e5, 300, 0, 7000, 1],
        "negative whole numbers": [-3, 0, 1, 12, 0, 5, 2],
        "counts with gaps": [3, np.nan, 1, 12, 0, 5, 2],
    }
    values |= {f"sparse {name}": values[name] for name in ("counts", "reads of tissues", "reads, mostly none")}
    matrix = np.resize(np.array(values[kind], np.float32), (N_OBS, 6))
    return sp.csr_matrix(matrix) if kind.startswith("sparse") else matrix


@pytest.mark.parametrize(
    ("kind", "likelihood", "reason"),
    [
        ("counts", "negative_binomial", "all values are whole numbers from 0 to 12"),
        ("sparse counts", "negative_binomial", "all values are whole numbers from 0 to 12"),
        ("counts with gaps", "negative_binomial", "all values are whole numbers from 0 to 12"),
        ("zeros and ones", "bernoulli", "all values are 0 or 1"),
        ("centred", "gaussian", "values are continuous from -1.75 to 2.5"),
        ("fractions", "gaussian", "values are fractions from 0 to 1"),
        ("logged", "gaussian", "values are continuous from 0 to 2.5"),
        ("intensities", "log_normal", "values are not negative and reach 1e+05, more than logged values do"),
        ("reads of tissues", "log_normal", "counts reach 200,000, half are 10 or more, as in whole tissues"),
        ("sparse reads of tissues", "log_normal", "counts reach 200,000, half are 10 or more, as in whole tissues"),
        ("sparse reads, mostly none", "negative_binomial", "all values are whole numbers from 0 to 200,000"),
        ("reads, mostly none", "negative_binomial", "all values are whole numbers from 0 to 200,000"),
        ("negative whole numbers", "gaussian", "values are continuous from -3 to 12"),
    ],
)
def test_the_likelihood_fits_the_kind_of_value(kind, likelihood, reason):
    plan = make_plan(Config(), from_mudata(one_modality(values_of(kind))))
    assert plan.modalities[0].likelihood == likelihood
    assert plan.reasons["likelihood of x"] == f"likelihood of x = {likelihood}: {reason}"


def test_labels_are_a_categorical_modality_without_private_latent():
    config = Config.from_options(labels_key="label")
    plan = make_plan(config, from_mudata(one_modality(values_of("counts")), config.data))
    label = plan.modalities[1]
    assert (label.name, label.n_features, label.likelihood, label.n_private) == ("label", 3, "categorical", 0)
    assert plan.modalities[0].n_private > 0


def test_a_single_modality_has_no_private_latent():
    assert make_plan(Config(), from_mudata(one_modality(values_of("counts")))).modalities[0].n_private == 0


def test_private_latents_are_few_where_features_are_few():
    """So that a small panel has to say through the shared latent what it tells of the cell type."""
    plan = make_plan(Config(), from_mudata(build_mdata(200)))
    for m in plan.modalities:
        assert m.n_private == min(plan.n_latent // 2, -(-m.n_features // 10))


def test_what_is_asked_for_is_done_and_said():
    asked = {
        "n_latent": 3,
        "n_clusters": 4,
        "decoder": "mlp",
        "shrinkage": 7.0,
        "hidden_size": 10,
        "batch_size": 7,
        "max_epochs": 5,
        "learning_rate": 0.1,
        "n_private": {"rna": 4},
        "likelihoods": {"mutation": "gaussian"},
    }
    plan = make_plan(Config.from_options(**asked), from_mudata(build_mdata()))
    for name in asked.keys() - {"n_private", "likelihoods"}:
        assert getattr(plan, name) == asked[name]
        assert plan.reasons[name] == f"{name} = {asked[name]}: as asked"
    assert not plan.choose_clusters
    assert plan.modalities[0].n_private == 4
    assert plan.modalities[2].likelihood == "gaussian"
    assert plan.reasons["likelihood of mutation"] == "likelihood of mutation = gaussian: as asked"


def test_every_decision_has_its_reason_in_one_line():
    plan = make_plan(Config(), from_mudata(build_mdata()))
    decided = {name for name, o in OPTIONS.items() if o.default == "auto"}
    decided -= {"likelihoods", "size_factors", "device", "precision"}
    decided |= {f"likelihood of {m.name}" for m in plan.modalities} | {"size factor of rna"}  # the only counts
    assert decided == set(plan.reasons)
    for name, reason in plan.reasons.items():
        assert reason.startswith(f"{name} = ")
        assert "\n" not in reason


@pytest.mark.parametrize(("n_features", "by_total"), [(299, False), (300, True)])
def test_the_total_of_a_panel_is_no_measure_of_depth(n_features, by_total):
    data = from_mudata(build_mdata(n_features=(n_features, 5, 4)))
    assert make_plan(Config(), data).modalities[0].by_total == by_total
    for word in ("total", "none"):
        plan = make_plan(Config.from_options(size_factors={"rna": word}), data)
        assert plan.modalities[0].by_total == (word == "total")
        assert plan.reasons["size factor of rna"] == f"size factor of rna = {word}: as asked"
    assert "size factor of protein" not in plan.reasons, "these are no counts"


@pytest.mark.parametrize("n_latent", [5, 30])
def test_loadings_are_expected_to_explain_the_same_whatever_the_number_of_latents(n_latent):
    plan = make_plan(Config.from_options(n_latent=n_latent, n_private=10), from_mudata(build_mdata(100)))
    assert (n_latent + 10) / plan.shrinkage == pytest.approx(0.13, rel=0.01)


@pytest.mark.parametrize(("n_obs", "decoder"), [(999, "linear"), (1000, "mlp")])
def test_the_decoder_bends_only_where_there_are_observations_for_it(n_obs, decoder):
    plan = make_plan(Config(), from_mudata(build_mdata(n_obs)))
    assert plan.decoder == decoder
    assert f"{n_obs:,} observations are" in plan.reasons["decoder"]


@pytest.mark.parametrize(("n_obs", "dropout"), [(900, 0.0), (1100, 0.5)])
def test_private_latents_are_dropped_in_the_training_on_cells(n_obs, dropout):
    data = from_mudata(build_mdata(n_obs))
    assert make_plan(Config(), data).private_dropout == dropout
    asked = Config.from_options(private_dropout=0.2)
    assert make_plan(asked, data).private_dropout == 0.2


@pytest.mark.parametrize(
    ("asked", "planned", "dtype"),
    [
        ("auto", "float32", torch.float32),
        ("mixed", "mixed", torch.float32),
        ("float64", "float64", torch.float64),
    ],
)
def test_weights_are_wide_where_products_are_not(asked, planned, dtype):
    plan = make_plan(Config.from_options(precision=asked), from_mudata(build_mdata()))
    assert (plan.precision, plan.dtype) == (planned, dtype)


def test_small_data_get_a_small_latent():
    plan = make_plan(Config(), from_mudata(one_modality(values_of("counts")[:, :3])))
    assert plan.n_latent == 2


def test_the_plan_survives_json():
    config = Config.from_options(n_private={"rna": 1})
    plan = make_plan(config, from_mudata(build_mdata()))
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("kind", "likelihood", "sentence"),
    [
        (
            "centred",
            "negative_binomial",
            "Modality 'x' holds negative values (smallest -1.75), but its likelihood is negative_binomial, which "
            "needs counts: whole numbers, zero or more.\n"
            "Where: mdata['x'], 6 of 6 features, first: '0'\n"
            "Fix: Point to the raw counts with layers={'x': 'counts'}, or choose likelihoods={'x': 'gaussian'}.",
        ),
        (
            "counts",
            "bernoulli",
            "Modality 'x' holds values such as 3, but its likelihood is bernoulli, which needs zeros and ones.\n"
            "Where: mdata['x'], 6 of 6 features, first: '0'\n"
            "Fix: Choose likelihoods={'x': 'negative_binomial'}.",
        ),
        (
            "sparse counts",
            "bernoulli",
            "Modality 'x' holds values such as 3, but its likelihood is bernoulli, which needs zeros and ones.\n"
            "Where: mdata['x'], 6 of 6 features, first: '0'\n"
            "Fix: Choose likelihoods={'x': 'negative_binomial'}.",
        ),
        (
            "centred",
            "log_normal",
            "Modality 'x' holds negative values (smallest -1.75), but its likelihood is log_normal, which needs "
            "numbers not below zero.\n"
            "Where: mdata['x'], 6 of 6 features, first: '0'\n"
            "Fix: Choose likelihoods={'x': 'gaussian'}.",
        ),
    ],
)
def test_a_likelihood_that_cannot_take_the_values_is_refused(kind, likelihood, sentence):
    config = Config.from_options(likelihoods={"x": likelihood})
    with pytest.raises(InputError) as refusal:
        make_plan(config, from_mudata(one_modality(values_of(kind))))
    assert str(refusal.value) == sentence


def test_a_category_must_be_one_of_several():
    config = Config.from_options(likelihoods={"x": "categorical"})
    with pytest.raises(InputError, match="30 observations of modality 'x' do not have exactly one category"):
        make_plan(config, from_mudata(one_modality(np.resize(np.float32([0, 1, 1]), (N_OBS, 6)))))
    one_each = from_mudata(one_modality(np.resize(np.float32([0, 1, 0]), (N_OBS, 3))))
    assert make_plan(config, one_each).modalities[0].likelihood == "categorical"


def test_missing_entries_are_no_reason_to_refuse():
    values = np.where(np.arange(N_OBS * 6).reshape(N_OBS, 6) % 7 == 0, np.nan, values_of("intensities"))
    config = Config.from_options(likelihoods={"x": "log_normal"})
    assert make_plan(config, from_mudata(one_modality(values))).modalities[0].likelihood == "log_normal"


def test_a_modality_that_is_not_there_is_refused_with_the_nearest():
    config = Config.from_options(likelihoods={"protien": "gaussian"}, n_private={"rna_": 1})
    with pytest.raises(InputError) as refusal:
        make_plan(config, from_mudata(build_mdata()))
    assert [str(error).partition(" Known")[0] for error in refusal.value.parts] == [
        "There is no modality 'protien'.\nWhere: option likelihoods\nFix: Did you mean 'protein'?",
        "There is no modality 'rna_'.\nWhere: option n_private\nFix: Did you mean 'rna'?",
    ]


def test_too_few_observations_are_refused():
    with pytest.raises(InputError) as refusal:
        make_plan(Config(), from_mudata(one_modality(values_of("counts")[:3])))
    assert refusal.value.problem == "Only 3 observations have any value; nothing can be learned from so few."


@pytest.mark.parametrize(
    "kind",
    ["counts", "sparse counts", "zeros and ones", "centred", "fractions", "logged", "intensities", "reads of tissues"],
)
def test_what_is_chosen_from_the_values_takes_them(kind):
    """So that nobody has to look at them again."""
    table = from_mudata(one_modality(values_of(kind))).tables[0]
    word, _ = suitable(table)
    assert refusal(table, word, LIKELIHOODS[word]) is None


def test_a_tenth_is_held_out_and_ten_thousand_at_most():
    names = pd.DataFrame(index=[f"cell{i}" for i in range(125_000)])
    values = sp.csr_matrix(np.ones((len(names), 2), np.float32))
    for n, held_out in ((90_000, 0.1), (125_000, 0.08)):
        data = from_mudata(mudata.MuData({"x": anndata.AnnData(values[:n], names[:n])}))
        assert make_plan(Config(), data).held_out == held_out
