"""Thread versions: each change of a thread raises its version and stamps the messages that it changes.

So "what has changed since" is one indexed query. To raise the version first also puts writers of one thread in line, so
that positions follow commits.
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
    """The thread, about to be changed by this person: nobody else can until the transaction ends.

    Raises:
        ThreadUnknown: there is no such thread for this person.
        NotPermitted: it is not permitted to them.
    """
    permitted = select(Thread).where(col(Thread.id) == thread_id, is_permitted)
    if await raise_version(session, thread_id, is_permitted):
        # Asked again: on PostgreSQL who stood in line for the row was let through by who was a member before that.
        thread = (await session.execute(permitted.execution_options(populate_existing=True))).scalar_one_or_none()
        if thread is not None:
            return thread
    raise await refusal(session, thread_id, user_id)


async def raise_version(session: AsyncSession, thread_id: str, *conditions: ColumnElement[bool]) -> int:
    """The thread's new version; 0 if there is no thread of which the conditions hold."""
    raised = (
        update(Thread)
        .where(col(Thread.id) == thread_id, *conditions)
        .values(version=Thread.version + 1, changed=utc_now())
        .execution_options(synchronize_session=False)
        .returning(col(Thread.version))
    )
    return (await session.execute(raised)).scalar_one_or_none() or 0
