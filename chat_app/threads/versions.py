"""Thread versions: each change of a thread raises its version and stamps the messages that it changes.

So "what has changed since" is one indexed query. Raising the version first also locks the thread: its writers take
turns, so that positions are in commit order.
"""

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.models import Thread
from chat_app.threads.access import refusal
from tributary_streams import utc_now


async def next_version(
    session: AsyncSession, thread_id: str, user_id: int, is_permitted: ColumnElement[bool]
) -> Thread:
    """Raise a thread's version for a change by this person; return the thread, locked until the transaction ends.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: they may not do that.
    """
    permitted = select(Thread).where(col(Thread.id) == thread_id, is_permitted)
    if await raise_version(session, thread_id, is_permitted):
        # Check again: on PostgreSQL an update that waited for the row was checked against the members before the wait.
        thread = (await session.execute(permitted.execution_options(populate_existing=True))).scalar_one_or_none()
        if thread is not None:
            return thread
    raise await refusal(session, thread_id, user_id)


async def raise_version(session: AsyncSession, thread_id: str, *conditions: ColumnElement[bool]) -> int:
    """Raise a thread's version and return it; 0 if there is no such thread that meets the conditions."""
    raised = (
        update(Thread)
        .where(col(Thread.id) == thread_id, *conditions)
        .values(version=Thread.version + 1, changed=utc_now())
        .execution_options(synchronize_session=False)
        .returning(col(Thread.version))
    )
    return (await session.execute(raised)).scalar_one_or_none() or 0
