"""Alembic's entry into the history: it runs on the connection that ``pypicloud_lite.db.migrate`` hands over.

That runner holds the lock, opens the transaction and keeps the version; here is nothing but the hand-over.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # SQLite alters most things by copying the table.
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
