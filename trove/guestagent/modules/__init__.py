# SPDX-License-Identifier: Apache-2.0
"""Modules: small things that drivers install beside the engine.

A driver is code of the agent, or of a package that was installed beside it; a message brings contents and never code,
and no driver starts a program with them.
"""
