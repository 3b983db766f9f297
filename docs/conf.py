"""Sphinx's settings: `nox -s docs` builds the pages in English and in Japanese.

Pages are written in MyST Markdown, and translated in locale/. Modules in extensions/ write those that the registry
knows: to document a function, document it where it is defined.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import fastact
from fastact.language import LANGUAGES, own_name

sys.path.insert(0, str(Path(__file__).parent))

from extensions.interface import OPTIONAL

project = "fastact"
author = "The fastact developers"
copyright = f"2026, {author}"
version = release = fastact.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "extensions.catalogue",
    "extensions.commands",
    "extensions.explorer",
    "extensions.figures",
    "extensions.interface",
    "extensions.languages",
    "extensions.mathml",
    "extensions.roles",
    "extensions.search",
]
# NAME.ja.md stands in for NAME.md in the Japanese pages.
exclude_patterns = ["extensions", "locale", "static", "templates", "**.ja.md"]
templates_path = ["templates"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"fastact\.learn\.data\..*"),  # files that docstrings name
    ("py:class", r"fastact\.learn\.experiments\.\w+\.(Trial|Units)"),  # what a Study is of
]
default_role = "quoted"
smartquotes = False  # quotes and dashes are often code
autodoc_inherit_docstrings = False
autodoc_mock_imports = [library for library in OPTIONAL if find_spec(library) is None]
autodoc_typehints = "none"  # docstrings have them
numpydoc_show_class_members = False

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# locale/ has a catalogue for each page that is translated; `python tools/documents.py` keeps them.
language = "en"
locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False
# The Japanese form of a picture NAME.png is NAME.ja.png.
figure_language_filename = "{root}.{language}{ext}"

html_theme = "pydata_sphinx_theme"
html_title = "fastact"
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["look.css"]
html_js_files = ["look.js"]
html_favicon = html_logo = "static/logo.svg"
html_context = {"languages": {code: own_name(code) for code in LANGUAGES}, "default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "fastact"},
    "navbar_persistent": ["search-button"],
    "navbar_end": ["languages", "theme-switcher"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "show_prev_next": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "reference/functions/index": []},
}
