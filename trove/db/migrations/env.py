# SPDX-License-Identifier: Apache-2.0
"""What alembic runs. It works on the connection that :mod:`trove.db.migration` hands over, inside that one's
transaction."""

from alembic import context

from trove.db import models

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=models.Base.metadata,
    compare_type=True,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite cannot alter a column; alembic copies the table
)
with context.begin_transaction():
    context.run_migrations()
