"""How Sphinx makes the site: `python -m sphinx -W --keep-going -b html docs docs/_build/html`. No network is needed."""

import sys
from pathlib import Path

import omixvae

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "omixvae"
author = "The omixvae developers"
copyright = author
version = release = omixvae.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    # Ours, in docs/extensions
    "pages_from_code",
    "pages_from_repository",
]
exclude_patterns = ["_build", "templates", "**/.ipynb_checkpoints"]
templates_path = ["templates"]

# The outputs that tutorials/execute.py stored are shown; nothing is executed here.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
# A word such as `fit` in a docstring is a link where there is one, and code where there is none.
default_role = "py:obj"

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False
maximum_signature_line_length = 88
python_use_unqualified_type_names = True

html_theme = "sphinx_book_theme"
html_title = f"omixvae {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the search stands in the sidebar
}
html_copy_source = False
smartquotes = False  # values are there to be copied
copybutton_exclude = ".linenos, .gp, .go"
