# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration of the REST reference."""

import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "doc" / "ext")]

from trove.api import microversions  # noqa: E402

extensions = ["openstackdocstheme", "os_api_ref", "trove_tables"]

project = "Trove API Reference"
copyright = "Trove contributors"
master_doc = "index"
pygments_style = "native"
html_theme = "openstackdocs"
html_theme_options = {"sidebar_mode": "toc"}
html_copy_source = False

openstackdocs_repo_name = "openstack/trove"
openstackdocs_use_storyboard = True
openstackdocs_auto_name = False
openstackdocs_auto_version = False

os_api_ref_min_microversion = str(microversions.MIN)
os_api_ref_max_microversion = str(microversions.MAX)
