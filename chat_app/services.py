"""What handlers and routes call; it owns the hub, the flusher, the tailer, the sweeper, the writers and the model."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from chat_app import context, identity, members, seed, threads, views
from chat_app.budget import Budget, UsedUp
from chat_app.db import Database
from chat_app.demo_model import DEMO_MODEL, serve_demo_model
from chat_app.feeds import Directory, Endings, ThreadFeed
from chat_app.identity import Identity, TokenView
from chat_app.limits import Rates
from chat_app.llm import OnWait, OpenAIModel, Turn
from chat_app.members import InviteView, MemberView
from chat_app.metrics import Metrics
from chat_app.models import Attempt, MemberRole, Message, ReplyMode, Thread, Visibility
from chat_app.readers import Readers
from chat_app.request_id import request_id
from chat_app.settings import Settings
from chat_app.streaming import (
    ChunkRule,
    End,
    Ending,
    Finish,
    Flusher,
    Granularity,
    Hub,
    Patience,
    Piece,
    SourceError,
    StreamId,
    Sweeper,
    Tailer,
    Writer,
    store,
)
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.streaming.tables import utc_now
from chat_app.streaming.writer import STOPPED
from chat_app.tabs import Tabs
from chat_app.threads import Posted
from chat_app.turns import Turns
from chat_app.views import AttemptView, MessageView, StreamView, ThreadView

logger = logging.getLogger(__name__)
replies = logging.getLogger("chat_app.replies")

FIRST_TOKEN = "First token"  # noqa: S105  # its name
"""What the token is called that a guest who has no browser begins with."""
WAITING = "Waiting for its turn."
"""What is said of a reply that may not begin yet."""
RETRY_AFTER = 1.0
"""Seconds until what the database refused aside from replies is tried again."""
EXPORTED_AT_ONCE = 50
"""Messages of a thread that are read, and held in memory, together."""
PRUNE_EVERY = 3600.0
"""Seconds between two looks for chunks that are old enough to go."""
READY_WITHIN = 2.0
"""Seconds in which the database of a server that is ready answers."""
STORE_TAILS_WITHIN = 1.5
"""Seconds that writers get at shutdown to store their tails; the development server kills its worker after two."""


class Model(Protocol):
    """What answers: `OpenAIModel`, or a test's own."""

    name: str

    def reply(self, turns: Sequence[Turn], model: str, *, on_wait: OnWait) -> AsyncGenerator[str | Finish]:
        """Deltas, and at last a `Finish`; closing it lets go of the model. Raises `SourceError`."""
        ...


Exported = tuple[MessageView, str, list[AttemptView]]
"""A message with its text, its author's name ("" of a reply), and the attempts at it (none of a person's)."""


class NotRunning(Exception):
    """The services are used outside of the server's lifespan."""


class Services:
    """Everything a running server does, for people who are already known."""

    def __init__(self, settings: Settings, database: Database, model: Model) -> None:
        self.settings = settings
        self.database = database
        self._model = model
        self.metrics = Metrics(database)
        self._holder = f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._hub = Hub(on_open=self._channel_opened)
        self._flusher = Flusher(
            database,
            close_hook=self._store_reply,
            explain_hook=threads.change_reply,
            on_commit=self._committed,
            on_away=self._away,
            on_flush=self.metrics.flushed,
            renew_every=settings.chat_lease_renew,
        )
        feed, directory, endings = ThreadFeed(database), Directory(database), Endings()
        self._tailer = Tailer(
            database,
            self._hub,
            probes=(feed, directory, endings),
            stop=self._stop_here,
            has_changed=database.has_changed,
        )
        self._sweeper = Sweeper(
            database,
            lambda: self._begun,
            start=self._begin,
            close_hook=self._store_reply,
            on_commit=self._committed,
            is_alone=database.is_alone,
            expiry=settings.chat_lease_expiry,
            every=settings.chat_sweep_every,
        )
        self.tabs = Tabs(database, self._hub, self._tailer, feed=feed, directory=directory, endings=endings)
        self.readers = Readers(database, self._hub, self._tailer, feed=feed, endings=endings)
        self._rates = Rates(settings)
        self._budget = Budget(settings)
        self._turns = Turns(per_person=settings.chat_replies_per_person, at_once=settings.chat_replies_at_once)
        self._begun: set[StreamId] = set()
        self._writers: dict[StreamId, Writer] = {}
        self._writing: set[asyncio.Task[Any]] = set()
        self._aside: set[asyncio.Task[Any]] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._show_counts()

    def _show_counts(self) -> None:
        watch = self.metrics.watch
        watch("replies_writing", "Replies that are being written here.", lambda: len(self._writers))
        watch(
            "replies_waiting", "Replies that wait for their turn here.", lambda: len(self._begun) - len(self._writers)
        )
        watch("tabs", "Open tabs.", lambda: self.tabs.count)
        watch("readers", "Replies that are being read over HTTP.", lambda: self.readers.count)

    async def recognise(self, cookie_header: str, authorization: str = "") -> Identity:
        """The person behind a request's or handshake's headers, whichever way it came: this alone decides.

        Raises:
            SignedOut: their session was ended.
            NotRecognised: there is no cookie and no token, or not a valid one.
        """
        return await identity.recognise(self.database, cookie_header, authorization)

    async def has_ended(self, cookie_header: str) -> bool:
        """Whether the session behind this cookie was ended, so that the browser needs another."""
        return await identity.has_ended(self.database, cookie_header)

    async def add_token(self, who: Identity, name: str) -> str:
        """Make a bearer token for this person, which is seen this once.

        Raises:
            TokenRefused: it has no name, or there are too many.
        """
        async with self.database.write() as session:
            return await identity.add_token(session, who.user_id, name)

    async def tokens(self, who: Identity) -> list[TokenView]:
        """This person's bearer tokens."""
        async with self.database.read() as session:
            return await identity.tokens(session, who.user_id)

    async def revoke_token(self, who: Identity, token_id: str) -> bool:
        """End one of this person's tokens; whether there was one."""
        async with self._changing() as session:
            return await identity.revoke_token(session, who.user_id, token_id)

    async def sign_out(self, who: Identity, *, is_everywhere: bool) -> None:
        """End this person's other sessions and all their tokens; with `is_everywhere` the one that asks as well."""
        async with self._changing() as session:
            await identity.sign_out(session, who.user_id, keep="" if is_everywhere else who.session)

    async def home(self, who: Identity, tab: str, *, address: str = "") -> str:
        """The thread that `/` leads to: the newest in this person's list, or a new one.

        On an empty database the seeded conversation begins, and this tab drives its replies.

        Raises:
            TooMuch: a new one has to wait.
        """
        if (newest := await self._newest(who)) is not None:
            return newest
        if self.settings.chat_seed and (claimed := await seed.claim(self.database)) is not None:
            thread_id, speakers = claimed
            self._keep(self._aside, self._play_seed(thread_id, speakers, tab), "seeded conversation")
            return thread_id
        return await self._newest(who) or await self.new_thread(who, address=address)

    async def listed(self, who: Identity) -> list[ThreadView]:
        """The threads in this person's sidebar, the most recently active first."""
        async with self.database.read() as session:
            return await views.listed(session, who.user_id)

    async def _newest(self, who: Identity) -> str | None:
        listed = await self.listed(who)
        return listed[0].id if listed else None

    async def new_guest(self, name: str | None, *, address: str = "") -> tuple[Identity, str]:
        """Make up a person, or add one of this name, and a bearer token for them, which is seen this once.

        Raises:
            NameRefused: somebody has the name, or it cannot be one.
            TooMuch: it has to wait.
        """
        await self._rates.guest(address)
        try:
            async with self.database.write() as session:
                user_id = await identity.add_guest(session, name)
                token = await identity.add_token(session, user_id, FIRST_TOKEN)
        except IntegrityError:  # somebody took it at the same moment
            raise identity.NameRefused(identity.TAKEN) from None
        return await self.recognise("", f"Bearer {token}"), token

    async def thread(self, who: Identity, thread_id: str) -> ThreadView:
        """A thread without its messages.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self.database.read() as session:
            return await views.find(session, thread_id, who.user_id)

    async def messages(
        self, who: Identity, thread_id: str, *, before: int | None = None, limit: int = views.NEWEST
    ) -> tuple[list[MessageView], dict[int, tuple[str, int]]]:
        """The newest messages of a thread, or the newest before a position, in order, and the people who wrote them.

        The text of a reply under way is what is stored of it.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self.database.read() as session:
            await views.find(session, thread_id, who.user_id)
            found = await views.newest_messages(session, thread_id, limit, before=before)
            found = [await views.with_stored_text(session, message) for message in found]
            return found, await views.people(session, sorted({message.author_id for message in found}))

    async def show_earlier(self, who: Identity, thread_id: str, message_id: int, *, tab: str) -> list[MessageView]:
        """Let this person's tab, if it is open, show the messages before one of the thread; return them.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        while True:
            if (shown_in := self.tabs.find(tab, who, thread_id)) is not None:
                await shown_in.drained()
            async with self.database.read() as session:
                thread = await views.find(session, thread_id, who.user_id)
                found, has_more = await views.page_of_messages(session, thread_id, before=message_id)
                people = await views.people(session, sorted({message.author_id for message in found}))
            if shown_in is None or shown_in.show_earlier(thread, found, people, has_more=has_more):
                return found

    async def export(self, who: Identity, thread_id: str) -> AsyncGenerator[list[Exported]]:
        """All messages of a thread in order, some at a time; who may read it is asked anew for each lot.

        Raises:
            ThreadUnknown: there is no such thread for this person, or not any more.
        """
        position = 0
        while True:
            async with self.database.read() as session:
                await views.find(session, thread_id, who.user_id)
                found = await views.messages_after(session, thread_id, position, EXPORTED_AT_ONCE)
                attempts = await views.attempts(session, found)
                found = [await views.with_stored_text(session, message) for message in found]
                people = await views.people(session, sorted({message.author_id for message in found}))
            if not found:
                return
            position = found[-1].position
            names = {user_id: name for user_id, (name, _) in people.items()}
            yield [(each, names.get(each.author_id, ""), attempts.get(each.id, [])) for each in found]

    async def stream(self, who: Identity, stream_id: StreamId) -> StreamView:
        """A stream, with what is stored of its text.

        Raises:
            ThreadUnknown: there is no such stream for this person.
        """
        async with self.database.read() as session:
            return await views.stream(session, stream_id, who.user_id)

    async def reply_to(self, who: Identity, thread_id: str, message_id: int) -> StreamId | None:
        """The stream that answered a message at first, if one did.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            await views.message_view(session, thread_id, message_id, who.user_id)
            return await views.reply_to(session, message_id)

    def follow(self, who: Identity, stream_id: StreamId, offset: int = 0) -> AsyncGenerator[Piece | End]:
        """A stream's text from `offset` (code points) on as it comes, at last its end; whichever process writes.

        Raises:
            ThreadUnknown: there is no such stream for this person, or not any more.
            SignedOut: their session was ended meanwhile.
        """
        return self.readers.follow(who, stream_id, offset)

    async def new_thread(
        self,
        who: Identity,
        *,
        address: str = "",
        title: str = "",
        reply_mode: ReplyMode = ReplyMode.MENTION,
        visibility: Visibility = Visibility.OPEN,
    ) -> str:
        """Begin a thread; return its id. `address` counts against its network's share, "" against none.

        Raises:
            TitleRefused: it is too long.
            TooMuch: it has to wait.
        """
        await self._rates.thread(who.user_id, address)
        async with self._changing() as session:
            return await threads.create(session, who.user_id, title=title, reply_mode=reply_mode, visibility=visibility)

    async def post(
        self,
        who: Identity,
        thread_id: str,
        text: str,
        *,
        nonce: str,
        tab: str,
        address: str = "",
        asks: bool | None = None,
    ) -> Posted:
        """Store a message, then let the AI answer where it is asked: the model is called only after the commit.

        A message that is known by its nonce is not counted again, and never refused. `asks` says whether the AI is
        asked, whatever the text and the thread's mode say.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not write, or not ask the AI, in it.
            MessageRefused: the text cannot be posted.
            TooMuch: it has to wait.
        """
        return await self._post(who, thread_id, text, nonce=nonce, tab=tab, address=address, asks=asks)

    async def _post(
        self,
        who: Identity,
        thread_id: str,
        text: str,
        *,
        nonce: str,
        tab: str,
        address: str | None,
        asks: bool | None = None,
    ) -> Posted:
        """Post; without an address it is the server's own doing, and not counted."""
        async with self.database.write() as session:
            posted = await threads.post(
                session, thread_id, who.user_id, text, nonce=nonce, tab=tab, model=self._model.name, asks=asks
            )
            if posted.is_new and address is not None:
                await self._rates.message(who.user_id, address)  # a refusal takes the transaction back
        self._committed()
        if posted.stream_id is not None:
            self._begin(posted.stream_id)
        return posted

    async def stop(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Stop a reply, whichever process writes it, keeping its text; one that has ended stays as it is.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: it is not theirs to do.
        """
        async with self.database.write() as session:
            stream_id = await threads.stoppable(session, thread_id, message_id, who.user_id)
            if await store.close_pending(session, stream_id, STOPPED):
                await threads.store_reply(session, stream_id)
            else:
                await store.request_stop(session, stream_id)
        self._stop_here(stream_id)
        self._committed()

    async def retry(
        self,
        who: Identity,
        thread_id: str,
        message_id: int,
        *,
        tab: str,
        address: str = "",
        after: StreamId | None = None,
    ) -> StreamId:
        """Answer again in a new version; of several at once one begins. With `after`, only after that one.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: it is not theirs to do.
            NotNow: it is being answered.
            TooMuch: it has to wait.
        """
        async with self.database.write() as session:
            stream_id = await threads.retry(
                session, thread_id, message_id, who.user_id, tab=tab, model=self._model.name, after=after
            )
            await self._rates.message(who.user_id, address)
        self._committed()
        self._begin(stream_id)
        return stream_id

    async def continue_reply(
        self,
        who: Identity,
        thread_id: str,
        message_id: int,
        *,
        tab: str,
        address: str = "",
        after: StreamId | None = None,
    ) -> StreamId:
        """Let the model go on from a reply's text; of several at once one begins. With `after`, only after that one.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: it is not theirs to do.
            NotNow: it is being answered, or complete.
            TooMuch: it has to wait.
        """
        async with self.database.write() as session:
            stream_id = await threads.continue_reply(
                session, thread_id, message_id, who.user_id, tab=tab, model=self._model.name, after=after
            )
            await self._rates.message(who.user_id, address)
        self._committed()
        self._begin(stream_id)
        return stream_id

    async def delete_message(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Take a message away for everybody; if it is being written, its writer ends quietly.

        Raises:
            ThreadUnknown: there is no such message for this person.
            NotPermitted: it is not theirs to delete.
        """
        async with self.database.write() as session:
            stream_ids = await threads.delete_message(session, thread_id, message_id, who.user_id)
            await _end_quietly(session, stream_ids)
        self._deleted(stream_ids)

    async def rename(self, who: Identity, thread_id: str, title: str) -> None:
        """Give a thread another title.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not rename it.
            TitleRefused: it is blank or too long.
        """
        async with self._changing() as session:
            await threads.rename(session, thread_id, who.user_id, title)

    async def clear(self, who: Identity, thread_id: str) -> None:
        """Take all messages of a thread away for everybody; replies under way end quietly.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not clear it.
        """
        async with self.database.write() as session:
            stream_ids = await threads.clear(session, thread_id, who.user_id)
            await _end_quietly(session, stream_ids)
        self._deleted(stream_ids)

    async def members(self, who: Identity, thread_id: str) -> tuple[list[MemberView], list[InviteView]]:
        """A thread's members and, for whom may share it, its open invites.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        async with self.database.read() as session:
            listed = await members.listed(session, thread_id, who.user_id)
            return listed, await members.invites(session, thread_id, who.user_id)

    async def set_visibility(self, who: Identity, thread_id: str, visibility: Visibility) -> None:
        """Say who finds a thread besides its members.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
        """
        async with self._changing() as session:
            await members.set_visibility(session, thread_id, who.user_id, visibility)

    async def invite(self, who: Identity, thread_id: str, role: MemberRole, lasts: timedelta) -> tuple[InviteView, str]:
        """Make an invite; return it and its secret, which is seen this once.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: it cannot give that role or last that long, or there are too many.
        """
        async with self._changing() as session:
            return await members.invite(session, thread_id, who.user_id, role, lasts)

    async def withdraw(self, who: Identity, thread_id: str, invite_id: int) -> None:
        """Let an invite bring nobody any more.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
        """
        async with self._changing() as session:
            await members.withdraw(session, thread_id, who.user_id, invite_id)

    async def join(self, who: Identity, secret: str) -> str:
        """Become a member by an invite; return the thread's id.

        Raises:
            InviteUnknown: there is no such invite any more.
        """
        async with self._changing() as session:
            return await members.join(session, secret, who.user_id)

    async def leave(self, who: Identity, thread_id: str) -> None:
        """Be a member of a thread no more.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they own it, or are no member.
        """
        async with self._changing() as session:
            await members.leave(session, thread_id, who.user_id)

    async def remove_member(self, who: Identity, thread_id: str, member_id: int) -> None:
        """Make somebody a stranger to a thread; their open tabs on it lose it within two seconds.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that person is no member, or owns the thread.
        """
        async with self._changing() as session:
            await members.remove(session, thread_id, who.user_id, member_id)

    async def set_role(self, who: Identity, thread_id: str, member_id: int, role: MemberRole) -> None:
        """Make a member a viewer or a viewer a member.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that is not to be had for this person.
        """
        async with self._changing() as session:
            await members.set_role(session, thread_id, who.user_id, member_id, role)

    async def hand_over(self, who: Identity, thread_id: str, member_id: int) -> None:
        """Make a member the owner of a thread, and this person a member.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not share it.
            SharingRefused: that person is no member.
        """
        async with self._changing() as session:
            await members.hand_over(session, thread_id, who.user_id, member_id)

    async def delete_thread(self, who: Identity, thread_id: str) -> None:
        """Take a thread away for everybody; replies under way end quietly.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not delete it.
        """
        async with self.database.write() as session:
            stream_ids = await threads.delete_thread(session, thread_id, who.user_id)
            await _end_quietly(session, stream_ids)
        self._deleted(stream_ids)

    async def version_of(self, who: Identity, thread_id: str, message_id: int, version: int) -> tuple[MessageView, str]:
        """A reply, and the text of one of its versions.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            message = await views.message_view(session, thread_id, message_id, who.user_id)
            return message, await views.version_text(session, message, version)

    async def text_of(self, who: Identity, thread_id: str, message_id: int, offset: int) -> tuple[MessageView, str]:
        """A message, and its stored text from `offset` on, for a tab that has missed some.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            message = await views.message_view(session, thread_id, message_id, who.user_id)
            message = await views.with_stored_text(session, message)
        return message, message.text[offset:]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Services"]:
        """Do the work of a server for the time of the block; on the way out refuse new work first, then store tails."""
        self.database.take_part()
        work = self._work = {
            asyncio.create_task(part.run(), name=type(part).__name__.lower())
            for part in (self._flusher, self._tailer, self._sweeper)
        }
        for task in work:
            task.add_done_callback(_report)
        self._keep(self._aside, self._clear(), "clearing what was deleted")
        self._keep(self._aside, self._prune(), "pruning of old chunks")
        try:
            yield self
        finally:
            self._is_closing = True
            self.tabs.end_all()
            self.readers.end_all()
            for task in (*self._aside, *work):
                task.cancel()
            for task in self._writing:
                if not task.cancelling():  # a second cancellation would cost it its tail
                    task.cancel()
            await asyncio.gather(*self._aside, *work, return_exceptions=True)
            await self._store_tails()

    async def faults(self) -> list[str]:
        """What keeps this server from doing its work, in words; nothing where it is ready."""
        faults = [f"the {task.get_name()} has ended" for task in self._work if task.done()]
        if self._is_closing or not self._work:
            faults.append("it is stopping or has not begun")
        if self._flusher.is_away:
            faults.append("the database takes no writes")
        try:
            async with asyncio.timeout(READY_WITHIN), self.database.read() as session:
                await session.execute(select(1))
        except DATABASE_AWAY:
            faults.append("the database does not answer")
        return faults

    async def _store_tails(self) -> None:
        """Let the cancelled writers end; the flusher, cancelled with all else, is run anew until they have."""
        if not self._writing:
            return
        last_flush = asyncio.create_task(self._flusher.run(), name="last flush")
        try:
            await asyncio.wait(self._writing, timeout=STORE_TAILS_WITHIN)
        finally:
            last_flush.cancel()
            await asyncio.gather(last_flush, return_exceptions=True)

    async def _store_reply(self, session: AsyncSession, stream_id: StreamId, ending: Ending) -> None:
        await self._budget.settle(session, stream_id, ending)
        await threads.store_reply(session, stream_id)
        rows_read, lag = self._tailer.chunks.reads(stream_id)
        await store.note_reads(session, stream_id, rows_read=rows_read, lag_ms=round(lag * 1000))

    def _channel_opened(self, stream_id: StreamId) -> None:
        self.tabs.channel_opened(stream_id)
        self.readers.channel_opened(stream_id)
        self._tailer.wake()  # a request to stop it may come from elsewhere, with nobody watching here

    @asynccontextmanager
    async def _changing(self) -> AsyncGenerator[AsyncSession]:
        """A transaction of which open tabs are told once it is committed."""
        async with self.database.write() as session:
            yield session
        self._committed()

    def _committed(self) -> None:
        self._tailer.wake()

    def _away(self, is_away: bool) -> None:  # a callback's signature
        self.tabs.tell_unsaved(is_away)

    def _deleted(self, stream_ids: Sequence[StreamId]) -> None:
        for stream_id in stream_ids:
            self._stop_here(stream_id)
        self._committed()
        self._keep(self._aside, self._clear(), "clearing what was deleted")

    async def written(self) -> None:
        """Wait until no reply is under way here."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def cleared(self) -> None:
        """Wait until what was deleted has left no rows."""
        await self._clear()

    async def _clear(self) -> None:
        """Remove the rows of what was deleted, a bounded part at a time; what is left over a restart is next."""
        has_more = True
        while has_more:
            try:
                async with self.database.write() as session:
                    await self._budget.settle_deleted(session)
                    has_more = await threads.clear_deleted(session)
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_AFTER)

    async def _prune(self) -> None:
        while self.settings.chat_keep_chunks:
            before = utc_now() - timedelta(days=self.settings.chat_keep_chunks)
            try:
                while await self._prune_some(before):
                    pass
            except DATABASE_AWAY as error:
                logger.warning("old chunks could not be pruned (%s); trying again later", type(error).__name__)
            await asyncio.sleep(PRUNE_EVERY)

    async def _prune_some(self, before: datetime) -> bool:
        async with self.database.write() as session:
            return await store.prune_chunks(session, before)

    def _begin(self, stream_id: StreamId) -> None:
        if self._is_closing or stream_id in self._begun:
            return
        self._begun.add(stream_id)
        self._keep(self._writing, self._write(stream_id), f"writer of {stream_id}")

    async def _write(self, stream_id: StreamId) -> None:
        try:
            async with self.database.read() as session:
                query = (
                    select(Attempt, Thread)
                    .join(Message, col(Message.id) == col(Attempt.message_id))
                    .join(Thread, col(Thread.id) == col(Message.thread_id))
                    .where(col(Attempt.stream_id) == stream_id)
                )
                row = (await session.execute(query)).first()
            if row is None:
                return  # deleted before it began
            attempt, thread = row
            async with self._turns.turn(attempt.asked_by, lambda: self._keep_waiting(stream_id)):
                await self._write_now(stream_id, attempt, thread)
        finally:
            self._begun.discard(stream_id)
            self.tabs.forget(stream_id)

    async def _keep_waiting(self, stream_id: StreamId) -> None:
        async with self.database.write() as session:
            if await store.keep_waiting(session, stream_id, WAITING):
                await threads.change_reply(session, stream_id)
        self._committed()

    async def _write_now(self, stream_id: StreamId, attempt: Attempt, thread: Thread) -> None:
        settings = self.settings
        writer = Writer(
            stream_id,
            lambda: self._ask(attempt, thread.model, writer.explain),
            claim_hook=threads.change_reply,
            transactions=self.database,
            hub=self._hub,
            flusher=self._flusher,
            holder=self._holder,
            rule=ChunkRule(
                Granularity(thread.granularity) if thread.granularity else settings.chat_granularity,
                settings.chat_flush_chars,
                settings.chat_flush_pause,
                settings.chat_flush_age,
            ),
            patience=Patience(settings.chat_first_delta_timeout or None, settings.chat_gap_timeout or None),
        )
        self._writers[stream_id] = writer
        try:
            if await writer.run():
                await self._log(stream_id)
        finally:
            del self._writers[stream_id]

    async def _log(self, stream_id: StreamId) -> None:
        """One line of JSON for each reply; times in milliseconds since it was asked for."""
        async with self.database.read() as session:
            stream = await store.read_stream(session, stream_id)
        self.metrics.reply_ended(stream)

        def since_asked(moment: datetime | None) -> int | None:
            return moment and round((moment - stream.created) / timedelta(milliseconds=1))

        asked = {"request": request_id.get()} if request_id.get() else {}
        known = {"stream": stream.id, "status": stream.status.value, "reason": stream.reason, "model": stream.model}
        times = {"started": since_asked(stream.started), "first_delta": since_asked(stream.first_delta)}
        counts = stream.model_dump(
            include={"length", "deltas", "chunks", "rows_read", "lag_ms", "tokens_in", "tokens_out"}
        )
        replies.info(json.dumps({**known, **asked, **times, "ended": since_asked(stream.ended), **counts}))

    async def _ask(self, attempt: Attempt, model: str, on_wait: OnWait) -> AsyncIterator[str | Finish]:
        settings = self.settings
        async with self.database.read() as session:
            turns = await context.turns_before(
                session,
                attempt.prompt_id,
                limit=settings.chat_context_messages,
                tokens=settings.chat_context_tokens_by_model.get(
                    model or self._model.name, settings.chat_context_tokens
                ),
                system_prompt=settings.chat_system_prompt,
                so_far=(await session.get_one(Message, attempt.message_id)).text[: attempt.base],
            )
        if self._budget.is_limited:
            await self._reserve(attempt, turns)
        async with contextlib.aclosing(self._model.reply(turns, model, on_wait=on_wait)) as items:
            async for item in items:
                yield item

    async def _reserve(self, attempt: Attempt, turns: Sequence[Turn]) -> None:
        tokens_in = sum(map(context.estimated_tokens, turns))
        try:
            async with self.database.write() as session:
                await self._budget.reserve(session, StreamId(attempt.stream_id), attempt.asked_by, tokens_in)
        except UsedUp as error:
            raise SourceError(str(error)) from None

    def _stop_here(self, stream_id: StreamId) -> None:
        if (writer := self._writers.get(stream_id)) is not None:
            writer.stop()

    async def _play_seed(self, thread_id: str, speakers: dict[str, int], tab: str) -> None:
        for number, line in enumerate(seed.LINES):
            await asyncio.sleep(line.pause)
            who = Identity(speakers[line.speaker], line.speaker, 0)
            posted = await self._post(who, thread_id, line.text, nonce=f"seed-{number}", tab=tab, address=None)
            while posted.stream_id is not None and (task := self._task_of(posted.stream_id)) is not None:
                await asyncio.wait({task})

    def _task_of(self, stream_id: StreamId) -> asyncio.Task[Any] | None:
        return next((task for task in self._writing if task.get_name() == f"writer of {stream_id}"), None)

    def _keep(self, owner: set[asyncio.Task[Any]], work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        owner.add(task)
        task.add_done_callback(owner.discard)
        task.add_done_callback(_report)


async def _end_quietly(session: AsyncSession, stream_ids: Sequence[StreamId]) -> None:
    """End what has not begun, and ask whichever process writes the rest to stop: nobody will read it."""
    for stream_id in stream_ids:
        if not await store.close_pending(session, stream_id, STOPPED):
            await store.request_stop(session, stream_id)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s failed", task.get_name(), exc_info=error)


_current: list[Services] = []


def services() -> Services:
    """The services of this process.

    Raises:
        NotRunning: outside of the server's lifespan; Reflex imports the application outside of its worker too.
    """
    if not _current:
        raise NotRunning
    return _current[-1]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Services]:
    """Migrate, start the model's side and the server's work, and let `services()` find it while the block runs."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await database.migrate()
        if settings.uses_demo_model:
            base_url = await stack.enter_async_context(serve_demo_model())
            model = OpenAIModel(settings, base_url=base_url, name=DEMO_MODEL)
        else:
            model = OpenAIModel(settings)
        stack.push_async_callback(model.close)
        running = await stack.enter_async_context(Services(settings, database, model).running())
        _current.append(running)
        stack.callback(_current.remove, running)
        yield running
