"""Files of the repository that lie outside docs/ become pages, and links between them lead to the pages.

The pages of docs/ are read on code hosts, too, where the links must be those of the repository.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

COPIED = {
    "CONTRIBUTING.md": "repository/contributing.md",
    "CHANGELOG.md": "repository/changelog.md",
    "benchmarks/peers/RESULTS.md": "repository/peers.md",
    "benchmarks/speed/RESULTS.md": "repository/speed.md",
    "benchmarks/paper/RESULTS.md": "repository/paper.md",
}
"""File of the repository to its place in docs/."""

ORDER = ("citeseq_missing_protein", "rna_atac", "cancer_cohort", "own_modality", "tighter_bound", "large_data")
"""Tutorials from the first to be read to the last; others follow."""

TUTORIALS = """# Tutorials

Each tells one story, from the file to the answer, with all its code and what it shows. The notebooks are in the folder
`tutorials` of the repository; `python tutorials/execute.py NAME` runs one again.
"""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")


def relink(text: str, source: str, page: str) -> str:
    """Let the links of a file lead to pages of the site; what has no page is named, not linked.

    Parameters
    ----------
    text
        Markdown.
    source
        Where it lies in the repository, such as ``"docs/method.md"``.
    page
        Where it lies in docs/.
    """

    def replace(match: re.Match[str]) -> str:
        words, target, place = match[1], match[2], match[3] or ""
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))
        found = COPIED.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if found is None:
            return words if words.startswith("`") else f"{words} (`{path}`)"
        return f"[{words}]({os.path.relpath(found, os.path.dirname(page) or '.')}{place})"

    return LINK.sub(replace, text)


def read_notebook(path: Path) -> dict[str, list[dict[str, str]]]:
    """Read a notebook and let the links in its text lead to pages of the site; its code is left alone."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    place = f"tutorials/{path.name}"
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = relink(cell["source"], place, place)
    return notebook


def tutorials_page(notebooks: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    """List the tutorials, each with its title and its first paragraph."""
    cards, names = [], "\n".join(notebooks)
    for name, notebook in notebooks.items():
        title, *paragraphs = notebook["cells"][0]["source"].strip().split("\n\n")
        # A card is a link as a whole, and holds no others.
        story = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraphs[0].split()) if paragraphs else "")
        cards.append(f":::{{grid-item-card}} {title.strip('# ')}\n:link: {name}\n:link-type: doc\n{story}\n:::\n")
    grid = "::::{grid} 1 1 2 2\n:gutter: 3\n\n" + "\n".join(cards) + "\n::::\n"
    return f"{TUTORIALS}\n{grid if cards else ''}\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def copies(repository: Path) -> Iterator[tuple[str, str]]:
    """Give the place in docs/ and the text of each file that becomes a page."""
    for source, page in COPIED.items():
        yield page, relink((repository / source).read_text(encoding="utf-8"), source, page)
    paths = {path.stem: path for path in sorted((repository / "tutorials").glob("*.ipynb"))}
    names = [name for name in ORDER if name in paths] + [name for name in paths if name not in ORDER]
    notebooks = {name: read_notebook(paths[name]) for name in names}
    for name, notebook in notebooks.items():
        yield f"tutorials/{name}.ipynb", json.dumps(notebook, indent=1)
    yield "tutorials/index.md", tutorials_page(notebooks)


def write_copies(app: Sphinx, _: Config) -> None:
    """Write the copies that are not there as they should be, and remove notebooks that are no longer there."""
    pages = dict(copies(Path(app.srcdir).parent))
    for old in Path(app.srcdir, "tutorials").glob("*.ipynb"):
        if f"tutorials/{old.name}" not in pages:
            old.unlink()
    for page, text in pages.items():
        path = Path(app.srcdir, page)
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def relink_page(app: Sphinx, name: str, content: list[str]) -> None:
    """Mend the links of a page of docs/ that lead out of it."""
    page = os.path.relpath(app.env.doc2path(name), app.srcdir)
    if page.endswith(".md") and page not in COPIED.values() and "](../" in content[0]:
        content[0] = relink(content[0], f"docs/{page}", page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy before Sphinx looks for its sources; fix links as it reads them."""
    app.connect("config-inited", write_copies)
    app.connect("source-read", relink_page)
    return {"parallel_read_safe": True}
