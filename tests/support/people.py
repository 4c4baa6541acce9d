"""People and threads for a test."""

from sqlalchemy import func, select

from chat_app.data.db import Database
from chat_app.people.identity import Identity
from chat_app.people.names import add_user
from chat_app.threads import threads


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
