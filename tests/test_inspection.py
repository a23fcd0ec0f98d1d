"""The screen of `omixvae inspect` shows names as they are and options that can be copied."""

import json

import mudata
import pandas as pd
import pytest
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.likelihoods.counts import Poisson
from omixvae.priors import StandardNormal
from tests.builders import build_mdata


@pytest.fixture
def screen(tmp_path):
    """Show a MuData whose names are markup of the terminal, and which has more batches than rows are shown."""
    built = build_mdata(60)
    mdata = mudata.MuData({"[red]": built["rna"], "b[1]": built["protein"]})
    batches = pd.Series([f"[b{i % 10}]" for i in range(mdata.n_obs)], mdata.obs_names)
    mdata.obs["donor_id"] = mdata.obs["batch_of_the_sequencing_run"] = batches
    mdata.write_h5mu(tmp_path / "[in].h5mu")

    def show(*options):
        done = CliRunner().invoke(main, ["inspect", str(tmp_path / "[in].h5mu"), *options], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return show


def test_names_that_are_markup_are_shown_as_they_are(screen):
    shown = screen("--batch-key", "donor_id")
    assert shown.splitlines()[0].endswith("[in].h5mu: 54 observations")  # 54 of 60 have one of the two modalities
    assert [shown.count(name) > 2 for name in ("[red]", "b[1]")] == [True, True]
    assert "[b0]" in shown
    assert "and 2 more" in shown.splitlines()


def test_options_are_never_broken_over_lines(screen):
    assert "--batch-key donor_id" in " ".join(screen().split())
    assert not [line for line in screen().splitlines() if line.endswith("-")]


def test_columns_that_are_used_are_listed_with_what_they_are_used_as(tmp_path):
    mdata = build_mdata(60)
    mdata.obs["group"] = mdata.obs["group"].astype(object).where(mdata.obs["age"] > 40)
    mdata.write_h5mu(tmp_path / "in.h5mu")
    options = ["--batch-key", "batch", "--covariate-keys", "age", "--labels-key", "group"]
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "in.h5mu"), *options, "--json"], catch_exceptions=False)
    n = mdata.obs["group"].value_counts()
    assert json.loads(done.output)["columns"] == [
        {"name": "batch", "used_as": "batch", "known": 60, "levels": {"first": 30, "second": 30}},
        {"name": "age", "used_as": "covariate", "known": 60, "smallest": 20.0, "largest": 79.0},
        {"name": "group", "used_as": "labels", "known": int(n.sum()), "levels": {x: int(n[x]) for x in "abc"}},
    ]
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "in.h5mu"), *options], catch_exceptions=False)
    assert [
        line.strip("│ ").split("│")[-1].strip() for line in done.output.splitlines() if "│ covariate │" in line
    ] == ["a number, 20 to 79"]
    assert f"3 levels: a ({n['a']}), b ({n['b']}), c ({n['c']})" in done.output


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "TCRγδ"), ("cp1252", "TCR??"), ("ascii", "TCR??")])
def test_letters_that_a_terminal_lacks_are_replaced(tmp_path, monkeypatch, encoding, shown):
    monkeypatch.chdir(tmp_path)
    mdata = build_mdata(30)
    mdata["rna"].X = mdata["rna"].X.toarray()
    mdata["rna"].X[:, 0] = 5  # never varies, so that it is named
    mdata["rna"].var_names = ["TCRγδ", *mdata["rna"].var_names[1:]]
    mudata.MuData(dict(mdata.mod)).write_h5mu("in.h5mu")
    runner = CliRunner(charset=encoding)
    done = runner.invoke(main, ["inspect", "in.h5mu"], catch_exceptions=False)
    assert done.exit_code == 0
    assert shown in done.output
    error = runner.invoke(main, ["inspect", "αβ.h5mu"], catch_exceptions=False)
    assert error.exit_code == 2
    assert error.stderr.startswith("Error: There is no file")
    described = runner.invoke(main, ["inspect", "in.h5mu", "--json"], catch_exceptions=False).output
    assert "TCRγδ" in str(json.loads(described)["cautions"])


def test_python_gives_what_the_command_prints(tmp_path):
    mdata = build_mdata(60)
    mdata.write_h5mu(tmp_path / "in.h5mu")
    found = omixvae.inspect(mdata, covariate_keys="age", n_latent=5)
    assert found.choices["n_latent"] == "n_latent = 5: as asked"
    options = ["inspect", str(tmp_path / "in.h5mu"), "--covariate-keys", "age", "--n-latent", "5"]
    assert found.to_dict() == json.loads(CliRunner().invoke(main, [*options, "--json"]).output)
    screen = CliRunner().invoke(main, options).output.splitlines()
    assert [line.rstrip() for line in repr(found).splitlines()[1:]] == [line.rstrip() for line in screen[1:]]


def test_python_tells_problems_of_the_data_and_raises_those_of_options():
    found = omixvae.inspect(build_mdata(60), batch_key="bath")
    assert [problem["where"] for problem in found.problems] == ["option batch_key"]
    assert found.choices == {}
    assert "Nothing stops training" not in repr(found)
    with pytest.raises(omixvae.InputError, match="n_latent"):
        omixvae.inspect(build_mdata(60), n_latent=-3)


def test_parts_of_ones_own_are_looked_over_too():
    found = omixvae.inspect(build_mdata(60), likelihoods={"rna": Poisson}, prior=StandardNormal)
    assert found.problems == []
    assert found.choices["likelihood of rna"] == "likelihood of rna = Poisson: your own"
    assert found.choices["prior"] == "prior = StandardNormal: your own"
