"""How Alembic reaches the tables: over the caller's connection, or over one of its own on the command line."""

from alembic import context
from sqlmodel import SQLModel

import chat_app.data.models  # noqa: F401  # registers its tables and those of tributary_streams
from chat_app.data.db import Database
from chat_app.settings import get_settings


def upgrade(connection):
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if (connection := context.config.attributes.get("connection")) is not None:
    upgrade(connection)
else:
    with Database(get_settings().database_url).migrating() as connection:
        upgrade(connection)
