"""The screen of `omixvae inspect` shows names as they are and options that can be copied."""

import mudata
import pandas as pd
import pytest
from click.testing import CliRunner

from omixvae.cli import main
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
