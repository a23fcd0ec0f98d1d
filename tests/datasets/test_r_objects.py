"""R's objects are read as R has them; files of R packages themselves are read in test_recipes.py."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rdata

from omixvae.datasets.r_objects import assay, frame, matrix, part, read_r
from omixvae.errors import InputError

NULL = "\x01NULL\x01"


def s4(of_class: str, **slots: object) -> SimpleNamespace:
    """Make an S4 object as rdata reads it."""
    return SimpleNamespace(**slots, **{"class": np.array([of_class])})


def dgc(dense: list[list[float]], names: list[object]) -> SimpleNamespace:
    """Write a matrix by columns, as Matrix does."""
    values = np.array(dense)
    places = [np.flatnonzero(column) for column in values.T]
    return s4(
        "dgCMatrix",
        i=np.concatenate(places).astype(np.int32),
        p=np.cumsum([0, *map(len, places)]).astype(np.int32),
        Dim=np.array(values.shape, np.int32),
        Dimnames=names,
        x=np.concatenate([column[place] for column, place in zip(values.T, places, strict=True)]),
    )


def test_lists_and_tables_of_a_file(tmp_path):
    # As objects, because rdata cannot write the strings of pandas 3.
    table = pd.DataFrame([[1.5, 0.0], [2.5, -1.0]], pd.Index(["a", "b"], dtype=object))
    table.columns = pd.Index(["gene1", "gene2"], dtype=object)
    rdata.write_rda(tmp_path / "x.rda", {"study": {"tables": {"rna": table}, "labels": np.array(["x", "y"])}})
    study = read_r(tmp_path / "x.rda")
    found = matrix(part(study, "tables", "rna"))
    np.testing.assert_array_equal(found.values, [[1.5, 0.0], [2.5, -1.0]])
    assert (list(found.rows), list(found.columns)) == (["a", "b"], ["gene1", "gene2"])
    assert list(part(study, "labels")) == ["x", "y"]  # type: ignore[call-overload]


def test_a_file_of_several_objects_is_refused(tmp_path):
    rdata.write_rda(tmp_path / "x.rda", {"a": np.array([1.0]), "b": np.array([2.0])})
    with pytest.raises(InputError, match=r"'x\.rda' holds 2 R objects, but one is expected\."):
        read_r(tmp_path / "x.rda")


def test_sparse_matrices_with_and_without_names():
    dense = [[0.0, 2.0, 0.0], [3.0, 0.0, 4.0]]
    named = matrix(dgc(dense, [np.array(["g", "h"]), None]))
    np.testing.assert_array_equal(named.values.toarray(), dense)
    assert (list(named.rows), list(named.columns)) == (["g", "h"], [])


def test_missing_whole_numbers_are_not_numbers():
    days = np.array([7, -(2**31), 0], np.int32)
    columns = {"days": days, "score": np.array([0.5, np.nan, 1.0]), "sex": np.array(["f", None, "m"], object)}
    table = frame(s4("DFrame", listData=columns, rownames=np.array(["a", "b", "c"]), nrows=np.array([3])))
    assert list(table["days"].isna()) == [False, True, False]
    assert table["days"].sum() == 7
    assert list(table.isna().sum()) == [1, 1, 1]
    assert list(table.index) == ["a", "b", "c"]


def test_a_matrix_without_names_takes_those_of_its_experiment():
    cells = s4("DFrame", listData={}, rownames=np.array(["cell1", "cell2"]), nrows=np.array([2]))
    values = {"counts": np.array([[1.0, 2.0]]), "logcounts": np.array([[0.7, 1.1]])}
    assays = s4("SimpleAssays", data=s4("SimpleList", listData=values))
    experiment = s4("SummarizedExperiment", assays=assays, colData=cells, NAMES=np.array(["gene1"]))
    found = assay(experiment)
    np.testing.assert_array_equal(found.values, [[1.0, 2.0]])
    assert (list(found.rows), list(found.columns)) == (["gene1"], ["cell1", "cell2"])
    np.testing.assert_array_equal(assay(experiment, "logcounts").values, [[0.7, 1.1]])
