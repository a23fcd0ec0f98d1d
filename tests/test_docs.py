"""What the pages of the documentation show can be run as it stands, and the site of them builds."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import matplotlib.pyplot as plt
import mudata
import numpy as np
import pytest

import omixvae
from omixvae.cli import main
from omixvae.config import OPTIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
LARGEST_PICTURE = 100_000  # bytes

RECIPES = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", (DOCS / "howto.md").read_text(), re.MULTILINE | re.DOTALL))
"""Title to text of each answer."""


def quick(block):
    """Shorten what takes time, the training and the choice; all else is run as it stands."""
    block = re.sub(r"omixvae\.fit\(mdata, (?!\*\*found)", r"\g<0>max_epochs=2, progress=False, ", block)
    return re.sub(
        r"(omixvae\.select\(mdata, .*)\)$",
        r"\1, n_folds=2, n_samples=4, max_epochs=2, progress=False)",
        block,
        flags=re.M,
    )


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["own_parts.md"])
def test_examples_run(page, tmp_path, monkeypatch):
    blocks = python_blocks((DOCS / page).read_text())
    assert blocks
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give what the how-tos take as given: a MuData, a fitted model, and files."""
    folder = tmp_path_factory.mktemp("howto")
    mdata = omixvae.simulate(n_obs=60, n_genes=40)
    mdata["rna"].layers["counts"] = mdata["rna"].X.copy()
    mdata.obs["cell_type"] = mdata.obs["cluster"].where(np.arange(mdata.n_obs) % 2 == 0)
    mdata.write(folder / "new.h5mu")
    write_tables(mdata, folder)
    model = omixvae.fit(mdata, batch_key="batch", max_epochs=2, progress=False)
    model.save(folder / "cohort_model")
    return mdata, model, folder


def write_tables(mdata, folder):
    mdata["rna"].to_df().to_csv(folder / "mrna.csv")
    protein = mdata["protein"].to_df()
    protein.iloc[0, 0] = np.nan
    protein.to_csv(folder / "protein.csv")
    mdata.obs[["cluster"]].rename(columns={"cluster": "subtype"}).to_csv(folder / "clinic.csv")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # scanpy's own
@pytest.mark.parametrize("title", [title for title, text in RECIPES.items() if python_blocks(text)])
def test_a_recipe_runs(title, trained, tmp_path, monkeypatch):
    mdata, model, folder = trained
    ignored = shutil.ignore_patterns("cohort_model") if "model.save(" in RECIPES[title] else None
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, ignore=ignored)
    monkeypatch.chdir(tmp_path)
    names = {"omixvae": omixvae, "mudata": mudata, "mdata": mdata.copy(), "model": model}
    names["rna"], names["protein"] = (adata.copy() for adata in mdata.mod.values())
    names["rna"].obs["batch"] = mdata.obs["batch"].reindex(names["rna"].obs_names)
    for block in python_blocks(RECIPES[title]):
        exec(compile(quick(block), title, "exec"), names)
    plt.close("all")
    assert names["mdata"].n_obs


@pytest.mark.parametrize("page", PAGES)
def test_other_python_is_python(page):
    for block in re.findall(r"```py\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL):
        compile(block, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_pages_give_them(page):
    text = (DOCS / page).read_text().replace("\\\n", " ")
    for line in re.findall(
        r"^(?:\S*/)?omixvae (.*)$", "\n".join(re.findall(r"```.*?```", text, re.DOTALL)), re.MULTILINE
    ):
        command, words = main, shlex.split(line, comments=True)
        while isinstance(command, click.Group) and not words[0].startswith("-"):
            command = command.commands[words.pop(0)]
        known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target


def test_the_gallery_shows_every_plot():
    page = (DOCS / "gallery.md").read_text()
    assert dir(omixvae.pl) == sorted(omixvae.pl.__all__)
    assert all(f"omixvae.pl.{name}(" in page for name in dir(omixvae.pl))
    shown = {path.name for path in (DOCS / "pictures" / "gallery").iterdir() if path.stat().st_size < LARGEST_PICTURE}
    assert set(re.findall(r"gallery/(\w+\.png)", page)) <= shown


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_describes_all_that_is_public(tmp_path):
    for module in ("sphinx", "myst_nb", "numpydoc", "sphinx_book_theme", "sphinx_copybutton", "sphinx_design"):
        pytest.importorskip(module)
    made = shutil.ignore_patterns("_build", "generated", "repository", "tutorials", "__pycache__")
    shutil.copytree(DOCS, tmp_path / "docs", ignore=made)
    for pattern in ("*.md", "benchmarks/*/*.md", "tutorials/*.ipynb"):
        for path in ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    html = tmp_path / "html"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", tmp_path / "docs", html],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    options, commands = ((html / "api" / f"{name}.html").read_text() for name in ("options", "command_line"))
    help_of_fit = (html / "api" / "generated" / "omixvae.fit.html").read_text()
    assert all(name in page for name in OPTIONS for page in (options, help_of_fit))
    assert all(f"omixvae {name}" in commands for name in main.commands)
    further = ("evaluation.evaluate", "report.write_report", "accessor.Accessor")
    for name in ("fit", "OmixVAE", "inspect", *further, *(f"pl.{name}" for name in omixvae.pl.__all__)):
        assert (html / "api" / "generated" / f"omixvae.{name}.html").exists()
