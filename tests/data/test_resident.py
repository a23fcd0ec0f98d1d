"""Rows that stay on a device are those that SciPy gives."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from builders import build_mdata

from omixvae.data import from_mudata
from omixvae.data.resident import ResidentRows

CPU = torch.device("cpu")


@pytest.mark.parametrize("rows", [[2, 0], [], [4, 4, 1], [3]])
def test_rows_are_those_of_a_slice(rows):
    matrix = sp.random(5, 7, density=0.4, format="lil", dtype=np.float32, random_state=0)
    matrix[3] = 0
    matrix = sp.csr_matrix(matrix)
    rows = np.array(rows, np.int64)
    taken = ResidentRows(matrix, CPU).take(rows, np.arange(len(rows)) + 10)
    part = matrix[rows]
    assert taken.values.tolist() == part.data.tolist()
    assert taken.column.tolist() == part.indices.tolist()
    assert taken.row.tolist() == np.repeat(np.arange(len(rows)) + 10, np.diff(part.indptr)).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_a_resident_table_are_those_of_one_in_memory(dtype):
    mdata = build_mdata(40)
    mdata["rna"].X = sp.csr_matrix(mdata["rna"].X)
    table = from_mudata(mdata).table("rna")
    resident = replace(table, resident=ResidentRows(table.values, CPU))
    index = np.random.default_rng(0).permutation(40)[:17]
    here, there = (t.at(index, CPU, dtype) for t in (table, resident))
    for a, b in zip(
        (here.values, here.present, *here.stored), (there.values, there.present, *there.stored), strict=True
    ):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    assert resident.take(index).resident is None, "rows of a part have other numbers"


def test_on_a_processor_nothing_is_copied():
    data = from_mudata(build_mdata(40))
    assert data.on(CPU).tables == data.tables
