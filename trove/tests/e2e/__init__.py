# SPDX-License-Identifier: Apache-2.0
"""The whole service as its users meet it: real processes, real engines, the ordinary clients."""
