"""The tutorials run, and what they store is what a reader should see."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_NOTEBOOK = 1_500_000  # bytes; code hosts show larger ones slowly or not at all


def read(path):
    return nbformat.read(path, as_version=4)


def codes(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def cache(request, tmp_path):
    """Make a cache of public data sets that has copies of their upstream files: nothing is downloaded."""

    def make(notebook) -> Path:
        if any("datasets." in cell.source for cell in codes(notebook)):
            (tmp_path / "upstream").symlink_to(request.getfixturevalue("data_folder") / "upstream")
        return tmp_path

    return make


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_in_its_short_form(path, cache):
    done = subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), "--short", path.stem],
        env={**os.environ, "OMIXVAE_DATA_DIR": str(cache(read(path)))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
class TestStoredTutorial:
    def test_every_cell_was_run_in_order_and_none_failed(self, path):
        cells = codes(read(path))
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]

    def test_no_warning_stands_between_the_results(self, path):
        streams = [out for cell in codes(read(path)) for out in cell.outputs if out.output_type == "stream"]
        assert [out.text for out in streams if out.name == "stderr"] == []

    def test_it_has_a_title_a_figure_and_parameters_with_a_short_form(self, path):
        notebook = read(path)
        assert notebook.cells[0].cell_type == "markdown"
        assert notebook.cells[0].source.startswith("# ")
        assert any("image/png" in out.get("data", {}) for cell in codes(notebook) for out in cell.outputs)
        parameters = [cell for cell in codes(notebook) if "parameters" in cell.metadata.get("tags", [])]
        assert len(parameters) == 1
        names = [
            re.findall(r"^(\w+) =", text, re.M) for text in (parameters[0].source, parameters[0].metadata["short"])
        ]
        assert names[0] == names[1]

    def test_it_is_small_and_names_no_folder_of_the_machine_that_ran_it(self, path):
        text = path.read_text()
        assert len(text) < LONGEST_NOTEBOOK
        assert not re.search(r"/(home|Users|tmp|work|root)/", text)
