"""The docs as a site, built by Sphinx: `make docs`. What it shows comes from here alone, and from no other host."""

from __future__ import annotations

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
LAST = "guides/downloads"
"""After which page guides stand that nobody has given a place."""

project = "Repomill"
version = release = version_of("repomill")
extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# A file of the repository that a page names is one to download.
exclude_patterns = ["conf.py"]
# `${{ }}` in a definition, and a session in a terminal, are more than a highlighter expects.
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "none"
# `--follow` is two hyphens.
smartquotes = False
html_theme = "furo"
html_title = "Repomill"
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_copy_source = False
html_static_path = ["site"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00695c", "color-brand-content": "#00695c"},
    "dark_css_variables": {"color-brand-primary": "#4db6ac", "color-brand-content": "#4db6ac"},
}


def setup(app: Sphinx) -> None:
    """Register what is called while the site is built."""
    app.connect("source-read", _complete)


def _complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Add guides to the navigation that nobody has given a place."""
    if page != "index":
        return
    guides = [f"guides/{file.stem}" for file in sorted((DOCS / "guides").glob("*.md"))]
    placed = re.findall(r"^(?:.*<)?(guides/[\w-]+)>?$", source[0], re.MULTILINE)
    strays = "".join(f"{guide}\n" for guide in guides if guide not in placed)
    source[0] = source[0].replace(f"{LAST}\n", f"{LAST}\n{strays}", 1)


# Sphinx keeps the time of the build in its pages unless it is told another.
os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
