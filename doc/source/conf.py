# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration of the documentation; it builds offline and without warnings."""

import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "doc" / "ext")]

extensions = ["openstackdocstheme", "oslo_config.sphinxext", "oslo_policy.sphinxext", "trove_tables"]

project = "Trove"
copyright = "Trove contributors"
master_doc = "index"
exclude_patterns: list[str] = []
pygments_style = "native"
html_theme = "openstackdocs"
html_copy_source = False

openstackdocs_repo_name = "openstack/trove"
openstackdocs_use_storyboard = True
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_pdf_link = False
