"""What the page "Bring data in" shows runs as it stands, on files of these names."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from omixvae.cli import main
from omixvae.mudata_io import writing_elements
from tests.sources.files import clinic, cohort, counted, write_10x_h5, write_h5mu, write_mtx
from tests.sources.test_read import own_folder

__all__ = ["own_folder"]

PAGE = (Path(__file__).parents[2] / "docs" / "bring_data_in.md").read_text(encoding="utf-8")


@pytest.fixture
def files(own_folder):
    """Write all files that the page names."""
    cells, patients = counted(), cohort()
    write_10x_h5(cells, Path("filtered_feature_bc_matrix.h5"))
    write_mtx(cells, Path("filtered_feature_bc_matrix"))
    write_h5mu(cells, Path("cells.h5mu"))
    with writing_elements():
        for name, part in (("rna", "rna"), ("rna_counts", "rna"), ("protein", "protein"), ("adt", "protein")):
            cells[part].write_h5ad(f"{name}.h5ad")
        whole = cells["rna"].copy()
        whole.obsm["protein_expression"] = whole.obsm["antibodies"] = cells["protein"].to_df()
        whole.write_h5ad("cells.h5ad")
    for end, sep in (("csv", ","), ("tsv.gz", "\t"), ("txt", " ")):
        patients["rna"].T.to_csv(f"mrna.{end}", sep=sep)
        patients["protein"].T.to_csv(f"protein.{end}", sep=sep)
    clinic(patients).to_csv("clinic.csv")


@pytest.mark.slow
@pytest.mark.usefixtures("files")
@pytest.mark.filterwarnings("default")  # the page says that assumptions are said
def test_the_python_of_the_page_runs():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        block = block.replace('"protein.h5ad"})  #', '"protein.h5ad"}, max_epochs=2, progress=False)  #')
        exec(compile(block, "bring_data_in.md", "exec"), names)
    assert "X_omixvae" in names["model"].mdata.obsm
    assert list(names["mdata"].mod) == ["mrna", "protein"]


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_the_commands_of_the_page_run():
    lines = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "train":
            words += ["--max-epochs", "2", "--overwrite"]
        result = CliRunner().invoke(main, words, prog_name="omixvae")
        assert result.exit_code == 0, f"{line}: {result.stderr}"
    assert sum(" convert " in line for line in lines) >= 7
