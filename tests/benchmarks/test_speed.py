"""What the comparison of speeds trains on, and that it times what it says."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import sparse

from benchmarks.speed import sets
from benchmarks.speed.__main__ import main


@pytest.mark.parametrize("name", sets.FEATURES)
def test_synthetic_cells_have_the_size_and_density_they_should(name):
    made = sets.make(name, 300)
    assert {modality: table.n_vars for modality, table in made.mod.items()} == sets.FEATURES[name]
    for modality, density in sets.DENSITY.items():
        if modality in made.mod:
            x = made[modality].X
            assert sparse.issparse(x)
            assert x.nnz / np.prod(x.shape) == pytest.approx(density, rel=0.15)
    assert (sets.make(name, 300)["rna"].X != made["rna"].X).nnz == 0, "the same seed gives the same cells"


@pytest.mark.slow
def test_training_is_timed_in_a_process_of_its_own(tmp_path):
    small = ["--cells", "200", "--epochs", "3", "--hidden-size", "8", "--n-latent", "2"]
    methods = ["--method", "omixvae", "--method", "omixvae, mixed"]
    result = CliRunner().invoke(main, ["cite", *small, *methods, "-o", str(tmp_path / "speed.json")])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "speed.json").read_text())
    assert [row["method"] for row in rows] == ["omixvae", "omixvae, mixed"]
    for row in rows:
        assert row["cells/s"] > 0
        assert row["MB at peak"] >= row["MB of data"] > 0
        assert 0 < row["of bfloat16"]
