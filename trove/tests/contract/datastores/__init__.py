# SPDX-License-Identifier: Apache-2.0
"""One suite for every datastore plugin, on every engine that is installed here. No engine is imitated."""
