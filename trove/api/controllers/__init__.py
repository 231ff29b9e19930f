# SPDX-License-Identifier: Apache-2.0
"""Handlers: one noun, one module, plain functions ``handler(request) -> Reply``."""
