"""Settings of the site: `make docs` builds it from docs/*.md and the docstrings of `narrows` into build/docs."""

import sys
from pathlib import Path

from narrows.sw.version import __version__

sys.path.insert(0, str(Path(__file__).parent))  # the extensions beside this file

project = "narrows"
author = project_copyright = "the authors of narrows"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "accessible", "configuration_table"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["site", "notebooks"]
highlight_language = "none"  # indented blocks are commands, TOML, C, listings: each fence says what it holds

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, as users see them
napoleon_google_docstring = False

html_theme = "furo"
html_title = f"narrows {release}"
html_theme_options = {"top_of_page_buttons": []}  # there is nothing behind them: the sources are not on the site
html_copy_source = False
