"""Threads: create, find, rename, configure, clear, delete and restore them."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from pydantic import ValidationError
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app.data.changes import Changes
from chat_app.data.models import Attempt, Deletion, Member, MemberRole, Message, Thread, ThreadSettings, Visibility
from chat_app.people.identity import Identity
from chat_app.people.limits import Rates
from chat_app.people.names import one_line
from chat_app.refusals import NotNow, SettingRefused, TitleRefused
from chat_app.threads import thread_views
from chat_app.threads.access import Verb, may, may_restore
from chat_app.threads.attempts import end_quietly
from chat_app.threads.thread_views import ThreadView
from chat_app.threads.versions import next_version, raise_version
from tributary_streams import LIVE_STATUSES, Stream, StreamId, utc_now

MAX_TITLE = 120
"""Characters of a title that a person gives, at most."""
TOO_LATE = "It is too late to undo that."


class Threads:
    """The threads of this server."""

    def __init__(
        self,
        changes: Changes,
        rates: Rates,
        *,
        models: Collection[str],
        on_delete: Callable[[Sequence[StreamId]], None],
        seed: Callable[[str], Awaitable[str | None]],
    ) -> None:
        """Args:
        changes: where threads are stored.
        rates: how many threads a person may begin.
        models: the names of the models that a thread may choose.
        on_delete: called with the streams of what was deleted, once the deletion is committed.
        seed: begins the seeded conversation on an empty database, driven by the tab of this name; returns its thread's
            id, or None if it does not begin.
        """
        self._changes = changes
        self._rates = rates
        self._models = models
        self._on_delete = on_delete
        self._seed = seed

    async def home(self, who: Identity, tab: str, *, address: str = "") -> str:
        """The thread that `/` leads to: the newest in this person's list, or a new one.

        On an empty database the seeded conversation begins, and this tab drives its replies.

        Raises:
            TooMuch: a new one would exceed a rate limit.
        """
        found = await self._newest(who) or await self._seed(tab) or await self._newest(who)
        return found or await self.create(who, address=address)

    async def listed(self, who: Identity) -> list[ThreadView]:
        """The threads in this person's sidebar, the most recently active first."""
        async with self._changes.read() as session:
            return await thread_views.listed(session, who.user_id)

    async def _newest(self, who: Identity) -> str | None:
        listed = await self.listed(who)
        return listed[0].id if listed else None

    async def find(self, who: Identity, thread_id: str) -> ThreadView:
        """A thread without its messages.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self._changes.read() as session:
            return await thread_views.find(session, thread_id, who.user_id)

    async def create(
        self,
        who: Identity,
        *,
        address: str = "",
        title: str = "",
        visibility: Visibility = Visibility.OPEN,
        settings: ThreadSettings | None = None,
    ) -> str:
        """Begin a thread; return its id. `address` counts against the limit of its network, "" against none.

        Raises:
            TitleRefused: it is too long.
            SettingRefused: there is no such model.
            TooMuch: a rate limit is reached.
        """
        settings = settings or ThreadSettings()
        self._check(settings)
        await self._rates.thread(who.user_id, address)
        async with self._changes.write() as session:
            return await create(session, who.user_id, title=title, visibility=visibility, settings=settings)

    async def rename(self, who: Identity, thread_id: str, title: str) -> None:
        """Give a thread another title.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not rename it.
            TitleRefused: it is blank or too long.
        """
        title = check_title(title)
        async with self._changes.write() as session:
            thread = await next_version(session, thread_id, who.user_id, may(Verb.RENAME, who.user_id))
            thread.title = title

    async def configure(self, who: Identity, thread_id: str, changed: Mapping[str, str]) -> None:
        """Change some settings of a thread, by the names of `ThreadSettings`, for its next replies; the others stay.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not configure it.
            SettingRefused: there is no such setting, value or model.
        """
        try:
            settings = ThreadSettings.model_validate(changed)
        except ValidationError:
            msg = "A thread cannot have this setting."
            raise SettingRefused(msg) from None
        self._check(settings)
        async with self._changes.write() as session:
            thread = await next_version(session, thread_id, who.user_id, may(Verb.CONFIGURE, who.user_id))
            for name in changed:
                setattr(thread, name, getattr(settings, name))

    def _check(self, settings: ThreadSettings) -> None:
        if settings.model and settings.model not in self._models:
            msg = f"This server has no model {settings.model}."
            raise SettingRefused(msg)

    async def clear(self, who: Identity, thread_id: str) -> None:
        """Delete all messages of a thread for everybody and for good; replies under way end quietly.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not clear it.
        """
        async with self._changes.write() as session:
            thread = await next_version(session, thread_id, who.user_id, may(Verb.CLEAR, who.user_id))
            stream_ids = await _take_messages(session, thread)
            await end_quietly(session, stream_ids)
        self._on_delete(stream_ids)

    async def delete(self, who: Identity, thread_id: str) -> None:
        """Delete a thread for everybody; replies under way end quietly. For a while it can be restored.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not delete it.
        """
        async with self._changes.write() as session:
            thread = await next_version(session, thread_id, who.user_id, may(Verb.DELETE, who.user_id))
            thread.deleted = utc_now()
            stream_ids = await _live_streams(session, thread_id)
            await end_quietly(session, stream_ids)
        self._on_delete(stream_ids)

    async def restore(self, who: Identity, thread_id: str) -> None:
        """Bring back a thread that this person has just deleted; replies that were under way have been stopped.

        Raises:
            NotNow: it is gone for good, is not deleted, or this person may not restore it.
        """
        async with self._changes.write() as session:
            if not await raise_version(session, thread_id, may_restore(who.user_id)):
                raise NotNow(TOO_LATE)
            back = update(Thread).where(col(Thread.id) == thread_id).values(deleted=None)
            await session.execute(back.execution_options(synchronize_session=False))


def check_title(title: str) -> str:
    """A person's title as it is stored: cleaned, on one line.

    Raises:
        TitleRefused: it is blank or too long.
    """
    title = one_line(title)
    if not 1 <= len(title) <= MAX_TITLE:
        msg = f"A title has 1 to {MAX_TITLE} characters."
        raise TitleRefused(msg)
    return title


async def create(
    session: AsyncSession,
    owner_id: int,
    *,
    title: str = "",
    visibility: Visibility = Visibility.OPEN,
    settings: ThreadSettings | None = None,
    origin: str | None = None,
) -> str:
    """Add a thread and its owner in the caller's transaction; return its id.

    Without a title its first message gives it one.

    Raises:
        TitleRefused: it is too long.
    """
    thread = Thread(
        owner_id=owner_id,
        title=check_title(title) if title else "",
        visibility=visibility,
        origin=origin,
        **(settings or ThreadSettings()).model_dump(),
    )
    session.add(thread)
    await session.flush()
    session.add(Member(thread_id=thread.id, user_id=owner_id, role=MemberRole.OWNER))
    return thread.id


async def _take_messages(session: AsyncSession, thread: Thread) -> list[StreamId]:
    """Delete all messages of a thread for good; return their streams, whose rows are removed later."""
    here = col(Message.thread_id) == thread.id
    all_of_it = select(col(Message.id)).where(here)
    gone = delete(Attempt).where(col(Attempt.message_id).in_(all_of_it)).returning(col(Attempt.stream_id))
    stream_ids = (await session.execute(gone.execution_options(synchronize_session=False))).scalars().all()
    for rows in (
        delete(Deletion).where(col(Deletion.message_id).in_(all_of_it)),
        update(Message).where(here, col(Message.deleted).is_not(None), col(Message.text) != "").values(text=""),
        update(Message)
        .where(here, col(Message.deleted).is_(None))
        .values(text="", deleted=utc_now(), version=thread.version),
    ):
        await session.execute(rows.execution_options(synchronize_session=False))
    return [StreamId(stream_id) for stream_id in stream_ids]


async def _live_streams(session: AsyncSession, thread_id: str) -> list[StreamId]:
    live = (
        select(col(Stream.id))
        .join(Attempt, col(Attempt.stream_id) == col(Stream.id))
        .join(Message, col(Message.id) == col(Attempt.message_id))
        .where(col(Message.thread_id) == thread_id, col(Stream.status).in_(LIVE_STATUSES))
    )
    return [StreamId(stream_id) for stream_id in (await session.execute(live)).scalars()]
