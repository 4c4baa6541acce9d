"""People and threads for a test."""

from sqlalchemy import func, select

from chat_app import threads
from chat_app.db import Database
from chat_app.identity import Identity, add_user


async def person(database: Database, name: str | None = None) -> Identity:
    """Somebody new."""
    async with database.write() as session:
        user_id = await add_user(session, name)
    return Identity(user_id, name or "", 0)


async def thread(database: Database, owner: Identity) -> str:
    """A new open thread."""
    async with database.write() as session:
        return await threads.create(session, owner.user_id)


async def count(database: Database, table: type) -> int:
    """Rows of a table."""
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()
