"""Sphinx: the pages of this folder, and the package's docstrings. `make site` builds it."""

import inspect
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

project = "tsgu"
author = "the authors of tsgu"
release = re.search(
    r"VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text().split("project(")[1]
)[1]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"tsgu {release}"
html_show_sourcelink = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # MLIR's syntax descriptions
default_role = "code"  # docstrings name things in `backticks`
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def as_text(app, what, name, obj, options, lines):
    """Docstrings are plain sentences: what looks like markup in them is none."""
    lines[:] = [re.sub(r"(?<!`)(\*{1,2}|\|)(?=\w)", r"\\\1", line) for line in lines]


def within(app, name, source):
    """Links that lead out of this folder, to the sources, are text on the site."""
    source[0] = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", source[0])


def setup(app):
    app.connect("source-read", within)
    app.connect("autodoc-process-docstring", as_text)
    assert inspect.ismodule(__import__("tsgu"))  # or every page of the API would be empty
