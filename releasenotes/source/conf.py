# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration of the release notes."""

extensions = ["openstackdocstheme", "reno.sphinxext"]

project = "Trove Release Notes"
copyright = "Trove contributors"
master_doc = "index"
pygments_style = "native"
html_theme = "openstackdocs"
html_copy_source = False

openstackdocs_repo_name = "openstack/trove"
openstackdocs_use_storyboard = True
openstackdocs_auto_name = False
openstackdocs_auto_version = False
