import numpy as np
import pandas as pd
import pytest

import omixvae
from omixvae.data.covariates import encode, known_levels
from omixvae.data.masked import Covariate
from tests.builders import build_mdata

BATCH = Covariate("batch", ("1", "2", "Lane 3"))


def encoded(values, covariate=BATCH):
    mdata = build_mdata(len(values), missing=0.0)
    mdata.obs[covariate.name] = values
    return encode(mdata, covariate)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 2, 1, 2], dtype=object).to_numpy(),
        np.array([1.0, 2.0, 1.0, 2.0]),
        pd.Categorical(["1 ", "2", "1 ", "2"]),
        np.array(["1.0", "2.00", "1.0", "2.00"]),
    ],
    ids=["whole numbers", "floats", "spaces", "texts of floats"],
)
def test_a_level_in_another_spelling_is_the_same_level(values):
    numbers, _ = encoded(values)
    np.testing.assert_array_equal(numbers, np.eye(3, dtype=np.float32)[[0, 1, 0, 1]])


def test_levels_that_were_recognized_and_levels_that_were_not_are_said():
    numbers, notes = encoded(["1.0", "lane_3", "lane_3", "4", None, "2"])
    np.testing.assert_array_equal(numbers.sum(1), [1, 1, 1, 0, 0, 1])
    assert notes == [
        "Levels of 'batch' are spelled otherwise than in the training: '1.0' is taken for '1', 'lane_3' for 'Lane 3'.",
        "Column 'batch' holds 1 level that the model was not trained with, in 1 of 6 observations: '4'. An average is "
        "used for them, so what is special about them stays in the latents.",
        "Column 'batch' is missing for 1 of 6 observations; an average is used for them.",
    ]


def test_levels_as_they_were_are_not_spoken_of():
    assert encoded(["1", "2", "Lane 3"])[1] == []


def test_a_level_that_could_be_two_is_neither():
    levels, notes = known_levels(pd.Series(["a"], name="site"), ("A", "a "))
    assert list(levels) == ["a"]
    assert notes == []


def test_missing_numbers_are_the_average():
    numbers, notes = encoded([20.0, np.nan, 40.0], Covariate("age", (), 30.0, 10.0))
    assert numbers.ravel().tolist() == [-1.0, 0.0, 1.0]
    assert notes == ["Column 'age' is missing for 1 of 3 observations; an average is used for them."]


def test_infinite_numbers_are_refused():
    with pytest.raises(omixvae.InputError) as caught:
        encoded([20.0, np.inf, 40.0], Covariate("age", (), 30.0, 10.0))
    first = build_mdata(3, missing=0.0).obs_names[1]
    assert str(caught.value) == (
        f"Column 'age' holds infinite values.\nWhere: mdata.obs['age'], first: {first!r}\nFix: Correct it."
    )
