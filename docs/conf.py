"""How Sphinx makes the documentation site out of these pages: `make docs`.

The pages are also read on GitHub and in an editor, so they are plain Markdown as far as possible.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labelstudio_proxy import __version__

project = "labelstudio-proxy"
author = "labelstudio-proxy maintainers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence"]

# Names of other packages lead nowhere: their lists of names would have to be downloaded.
nitpick_ignore_regex = [("py:.*", r"(?!labelstudio_proxy\.).*")]
# `name` in a docstring is code
default_role = "code"
autodoc_member_order = "bysource"
add_module_names = False
python_maximum_signature_line_length = 80

html_theme = "sphinx_book_theme"
html_title = project
html_favicon = "../labelstudio_proxy/static/labelstudio.svg"
html_theme_options = {
    "repository_url": "https://github.com/labelstudio-proxy/labelstudio-proxy",
    "path_to_docs": "docs",
    "use_repository_button": True,
    "use_edit_page_button": True,
    "use_download_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "navbar_persistent": [],
}

# Documents of the repository's root that are pages of the site, too.
ROOT = Path(__file__).resolve().parents[1]
FROM_ROOT = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
}
TO_ROOT = re.compile(rf"\]\(\.\./((?:\.\./)*)({'|'.join(FROM_ROOT.values())})")
# GitHub shows one of two pictures by <picture>, and the theme by a class.
PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="(?P<dark>[^"]+)">\s*'
    r'<img alt="(?P<alt>[^"]*)" src="(?P<light>[^"]+)">\s*</picture>'
)

# "labels:      what people choose from"
PARAMETER = re.compile(r"(\w+):\s+(.*)")


def for_the_site(_app: Any, page: str, source: list[str]) -> None:
    """Replace what only GitHub shows, and links that lead out of the site."""
    text = source[0]
    if page in FROM_ROOT:
        text = (ROOT / FROM_ROOT[page]).read_text()
        text = re.sub(r"\]\((?!#|https?:)", "](../", text).replace("](../docs/", "](")
    text = TO_ROOT.sub(lambda link: f"]({link[1]}{link[2].lower()}", text)
    source[0] = PICTURE.sub(
        r"![\g<alt>](\g<light>){.only-light}\n![\g<alt>](\g<dark>){.only-dark}", text
    )


def as_fields(
    _app: Any, _kind: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Make a list of parameters out of the aligned one of our docstrings."""
    for number, line in enumerate(lines):
        if found := PARAMETER.match(line):
            lines[number] = f":param {found[1]}: {found[2]}"


def escape(_app: Any, _context: Any, lines: list[str]) -> None:
    """Show the stars of a pattern such as '*.png'."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Any) -> None:
    """Register the changes; Sphinx calls this."""
    app.connect("autodoc-process-docstring", as_fields)
    app.connect("sphinx-click-process-description", escape)
    app.connect("source-read", for_the_site)
