"""Sphinx settings."""

import skae

project = "skae"
author = "The skae developers"
copyright = f"2026, {author}"
version = release = skae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
autosummary_context = {"public": skae.__all__}
templates_path = ["templates"]
exclude_patterns = ["_build", "templates", "examples"]
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL03", "GL08", "SS04", "PR01", "PR02", "PR03", "RT03", "YD01"}
numpydoc_validation_exclude = {r"\.set_.*_request$", r"\.set_output$", r"\.set_callbacks$"}
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}
html_theme = "pydata_sphinx_theme"
html_title = "skae"
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
