"""Migrations: they make exactly the tables that the models describe, whoever comes first."""

import asyncio
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from chat_app.data.db import Database


async def test_models_and_migrations_agree(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, SQLModel.metadata)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_several_processes_may_migrate_at_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path}/new/tributary.db") for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    async with databases[0].engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM thread")).scalar_one() == 0
    for database in databases:
        await database.close()


async def test_every_connection_is_durable_and_checks_foreign_keys(database: Database) -> None:
    async with database.read() as session:
        pragmas = [
            (await (await session.connection()).exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 5000]


async def test_who_has_the_database_alone_knows_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tributary.db"
    one, other = Database(url), Database(url)
    assert one.is_alone()
    assert not other.is_alone()
    await one.close()
    assert other.is_alone()
    await other.close()
