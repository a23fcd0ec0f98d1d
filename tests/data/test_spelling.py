import pandas as pd

from omixvae.data.spelling import DASHES, positions, without


def test_a_name_that_is_there_twice_is_not_found():
    among = pd.Index(["CD4", "CD3E", "CD4", "MS4A1"])
    assert positions(pd.Index(["MS4A1", "CD4", "CD19", "CD3E"]), among).tolist() == [3, -1, -1, 1]
    assert positions(pd.Index(["CD4"]), pd.Index(["CD4", "CD4"])).tolist() == [-1]


def test_a_change_is_said_as_the_code_that_makes_it():
    names = pd.Index(["chr1:10-20", "HLA.DRA", "a b"])
    for change in (DASHES, without(r"\.[A-Z]+$")):
        done = eval(f"names{change.code}", {"names": names})
        assert list(done) == list(change.make(names))
