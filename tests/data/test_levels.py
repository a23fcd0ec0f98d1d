"""Columns of obs that are no categories are refused or pointed at, each with the way out that fits its option."""

import numpy as np
import pandas as pd
import pytest

import omixvae
from omixvae.config import DataConfig
from omixvae.data import from_mudata
from omixvae.data.levels import check_levels, doubtful_columns
from tests.builders import build_mdata


def with_column(values, n=60, modality=None):
    mdata = build_mdata(n, missing=0.0)
    obs = mdata.obs if modality is None else mdata[modality].obs
    obs["x"] = np.asarray(values) if not isinstance(values, pd.Categorical) else values
    return mdata


def said(found):
    return [(d.problem, d.where, d.fix) for d in found]


DOSES = [f"{i / 8:.3f}" for i in range(60)]
COUNT = "Column 'x' has 60 levels ('0.000', '0.125', '0.250', …) for 60 observations"
PLACE = "mdata.obs['x']"


@pytest.mark.parametrize(
    ("option", "fix"),
    [
        ("covariate_keys", f"Convert the column: {PLACE} = {PLACE}.astype(float)."),
        (
            "batch_key",
            f"A batch is what was measured together. If these are numbers, convert the column ({PLACE} = "
            f"{PLACE}.astype(float)) and give it as a covariate: --covariate-keys x (covariate_keys=['x']).",
        ),
        (
            "labels_key",
            f"A label names a group of observations. If these are numbers, convert the column ({PLACE} = "
            f"{PLACE}.astype(float)) and give it as a covariate: --covariate-keys x (covariate_keys=['x']).",
        ),
    ],
)
@pytest.mark.parametrize("stored", [list, pd.Categorical])
def test_numbers_as_text_with_a_level_for_each_observation_are_refused(option, fix, stored):
    config = DataConfig(**{option: ("x",) if option == "covariate_keys" else "x"})
    found = check_levels(with_column(stored(DOSES)), config)
    assert said(found) == [(f"{COUNT}, and they look like numbers.", f"option {option}, {PLACE}", fix)]


def test_the_way_out_leads_out():
    mdata = with_column(pd.Categorical(DOSES))
    with pytest.raises(omixvae.InputError, match="and they look like numbers"):
        from_mudata(mdata, DataConfig(covariate_keys=("x",)))
    mdata.obs["x"] = mdata.obs["x"].astype(float)
    data = from_mudata(mdata, DataConfig(covariate_keys=("x",)))
    assert data.covariates.shape == (60, 1)


def test_numbers_as_batch_and_names_as_any():
    assert said(check_levels(with_column(np.arange(60) * 1.5), DataConfig(batch_key="x"))) == [
        (
            "Column 'x' has 60 levels ('0.0', '1.5', '3.0', …) for 60 observations, and they look like numbers.",
            f"option batch_key, {PLACE}",
            "A batch is what was measured together. If these are numbers, give it as a covariate: --covariate-keys x "
            "(covariate_keys=['x']).",
        )
    ]
    names = [f"patient {i // 2 if i < 20 else i}" for i in range(60)]  # ten twice, forty once
    assert said(check_levels(with_column(names, modality="rna"), DataConfig(covariate_keys=("x",)))) == [
        (
            "Column 'x' has 50 levels ('patient 0', 'patient 1', 'patient 2', …) for 60 observations.",
            "option covariate_keys, mdata['rna'].obs['x']",
            "It names the observations. Choose a column with levels that several observations share, or leave the "
            "option out.",
        )
    ]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("covariate_keys", np.arange(60) * 1.5),  # a number is welcome here
        ("covariate_keys", np.arange(60)),
        ("batch_key", np.arange(60) // 2),  # pairs
        ("labels_key", np.where(np.arange(60) < 9, np.arange(60).astype(str), None)),  # nine examples
    ],
)
def test_what_is_not_refused(option, values):
    config = DataConfig(**{option: ("x",) if option == "covariate_keys" else "x"})
    assert list(check_levels(with_column(values), config)) == []


def test_all_problems_of_the_columns_are_told_together():
    mdata = with_column(DOSES)
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, DataConfig(batch_key="x", covariate_keys=("agee",)))
    assert [part.where for part in caught.value.parts] == ["option covariate_keys", f"option batch_key, {PLACE}"]


def doubts(values, option, **where):
    config = DataConfig(**{option: ("x",) if option == "covariate_keys" else "x"})
    return said(doubtful_columns(with_column(values, **where), config))


def test_many_numbers_among_labels():
    assert doubts(20 + np.arange(60) // 2, "labels_key") == [
        (
            "Column 'x' has 30 levels ('20', '21', '22', …) for 60 observations, and they look like numbers.",
            f"option labels_key, {PLACE}",
            "A label names a group of observations. If these are numbers, give it as a covariate: --covariate-keys x "
            "(covariate_keys=['x']).",
        )
    ]


def test_numbered_batches_and_few_doses_are_categories():
    plates = np.repeat(np.arange(21), 3)[:60].astype(str)
    plates[-3:] = "20"
    assert doubts(plates, "batch_key") == []
    assert doubts(np.resize(["0.5", "1.0", "2.0"], 60), "covariate_keys") == []


def test_levels_of_few_observations():
    values = ["a"] * 50 + ["b"] * 2 + ["c"] + ["d"] * 7
    assert doubts(values, "batch_key") == [
        (
            "2 of the 4 levels of column 'x' have fewer than 3 observations, the first is 'b' (2).",
            f"option batch_key, {PLACE}",
            "Next to nothing can be learned of so few: put levels together, or leave these observations out.",
        )
    ]
    assert [problem for problem, _, _ in doubts(["a"] * 58 + ["b"] * 2, "covariate_keys")] == [
        "1 of the 2 levels of column 'x' has fewer than 3 observations, the first is 'b' (2)."
    ]


@pytest.mark.parametrize(
    "word",
    [
        "Unknown",
        "unknown",
        "NA",
        "n/a",
        "nan",
        "None",
        "unassigned",
        "Not Reported",
        "[Not Available]",
        "--",
        "?",
        "",
        " ",
    ],
)
def test_words_for_what_is_not_known_among_labels(word):
    mdata = with_column(["B", "T", word] * 20)
    config = DataConfig(labels_key="x")
    code = f"{PLACE} = {PLACE}.mask({PLACE}.isin([{word!r}]))"
    assert said(doubtful_columns(mdata, config)) == [
        (
            f"Column 'x' has {word!r} for 20 of 60 observations, taken for a label like any other.",
            f"option labels_key, {PLACE}",
            f"If it stands for what is not known, make it missing, so that labels are predicted there: {code}.",
        )
    ]
    exec(code, {"mdata": mdata})
    assert from_mudata(mdata, config).schema.features["x"] == ("B", "T")
    assert said(doubtful_columns(mdata, config)) == []


def test_several_words_and_a_number():
    mdata = with_column(pd.Categorical([1, 2, 3, -999] * 15))
    assert doubts(["B", "?", "Unlabeled"] * 20, "labels_key")[0] == (
        "Column 'x' has '?' for 20 and 'Unlabeled' for 20 of 60 observations, taken for a label like any other.",
        f"option labels_key, {PLACE}",
        "If they stand for what is not known, make them missing, so that labels are predicted there: "
        f"{PLACE} = {PLACE}.mask({PLACE}.isin(['?', 'Unlabeled'])).",
    )
    ((problem, _, fix),) = said(doubtful_columns(mdata, DataConfig(labels_key="x")))
    assert problem == "Column 'x' has -999 for 15 of 60 observations, taken for a label like any other."
    exec(fix.split("there: ")[1].removesuffix("."), {"mdata": mdata})
    assert mdata.obs["x"].isna().sum() == 15


@pytest.mark.parametrize(("option", "taken"), [("batch_key", "batch"), ("covariate_keys", "level")])
def test_words_for_what_is_not_known_among_batches_and_covariates(option, taken):
    assert doubts(["u1", "u2", "Missing"] * 20, option) == [
        (
            f"Column 'x' has 'Missing' for 20 of 60 observations, taken for a {taken} like any other.",
            f"option {option}, {PLACE}",
            "If it stands for what is not known, fill in what is known, and leave out the other observations, or the "
            "option.",
        )
    ]


@pytest.mark.parametrize("word", ["ambiguous", "other", "Unclassified", "nantes", "-1", "0", "1.0", "99"])
def test_words_that_may_be_a_class(word):
    assert doubts(["B", "T", word] * 20, "labels_key") == []


def test_a_covariate_whose_number_stands_for_missing():
    ages = np.where(np.arange(60) % 4, 30 + np.arange(60), -999)
    assert doubts(ages, "covariate_keys") == [
        (
            "-999 occurs 15 times in column 'x', far from all other numbers (31 to 89).",
            f"option covariate_keys, {PLACE}",
            "If it stands for what is not known, fill in what is known, and leave out the other observations, or the "
            "option.",
        )
    ]
    assert doubts(30 + np.arange(60), "covariate_keys") == []
