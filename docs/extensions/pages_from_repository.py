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


def relink_notebook(path: Path) -> str:
    """Let the links in the text of a notebook lead to pages of the site; its code is left alone."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    place = f"tutorials/{path.name}"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = relink("".join(cell["source"]), place, place)
    return json.dumps(notebook, indent=1)


def copies(repository: Path) -> Iterator[tuple[str, str]]:
    """Give the place in docs/ and the text of each file that becomes a page."""
    for source, page in COPIED.items():
        yield page, relink((repository / source).read_text(encoding="utf-8"), source, page)
    for notebook in sorted((repository / "tutorials").glob("*.ipynb")):
        yield f"tutorials/{notebook.name}", relink_notebook(notebook)


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
    """Copy before Sphinx looks for its sources; mend links as it reads them."""
    app.connect("config-inited", write_copies)
    app.connect("source-read", relink_page)
    return {"parallel_read_safe": True}
