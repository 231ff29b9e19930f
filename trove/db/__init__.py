# SPDX-License-Identifier: Apache-2.0
"""The database: transactions, column types, tables, migrations. Only ``objects`` and ``workflow.store`` use its
models."""
