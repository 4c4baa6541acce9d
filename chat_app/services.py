"""What handlers and routes call; it owns the hub, the tailer, the replies that are written here, and the model."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_app import identity, members, seed, threads, views
from chat_app.bell import Bell
from chat_app.budget import Budget
from chat_app.db import Database
from chat_app.demo.model import DEMO_MODEL, serve_demo_model
from chat_app.feeds import Directory, Endings, Names, ThreadFeed, ThreadLine
from chat_app.identity import Identity, TokenView
from chat_app.limits import Rates
from chat_app.llm import OpenAIModel
from chat_app.members import InviteView, MemberView
from chat_app.metrics import Metrics
from chat_app.models import MemberRole, ReplyMode, Visibility
from chat_app.presence import Presence
from chat_app.readers import Readers
from chat_app.readings import Readings
from chat_app.replies import Model, Replies
from chat_app.retention import Retention
from chat_app.settings import Settings
from chat_app.streaming import End, Granularity, Hub, Piece, StreamId, Tailer, store
from chat_app.streaming.flusher import DATABASE_AWAY
from chat_app.streaming.writer import STOPPED
from chat_app.tabs import Tab, Tabs
from chat_app.tasks import Tasks, report
from chat_app.threads import Posted, SettingRefused
from chat_app.views import AttemptDetails, AttemptView, MessageView, StreamPlace, StreamView, ThreadView, Timeline

FIRST_TOKEN = "First token"  # noqa: S105  # its name
"""What the token is called that a guest who has no browser begins with."""
EXPORTED_AT_ONCE = 50
"""Messages of a thread that are read, and held in memory, together."""
READY_WITHIN = 2.0
"""Seconds in which the database of a server that is ready answers."""
STORE_READINGS_WITHIN = 0.2
"""Seconds at shutdown for what people have read last, once the tails of replies are stored."""

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
        self._hub = Hub(on_open=self._channel_opened)
        budget = Budget(settings)
        self._replies = Replies(
            settings,
            database,
            model,
            hub=self._hub,
            budget=budget,
            metrics=self.metrics,
            reads=self._reads,
            on_growth=self._grown,
            on_commit=self._committed,
            on_away=self._away,
            on_end=self._written,
        )
        self._retention = Retention(database, budget, keep_chunks=settings.chat_keep_chunks)
        feed, directory, endings = ThreadFeed(database), Directory(database), Endings()
        self._tailer = Tailer(
            database,
            self._hub,
            probes=(feed, directory, endings, Names(self._renamed, lambda: self.tabs.count > 0)),
            stop=self._replies.stop,
            stored_here=self._replies.stored,
            has_changed=database.has_changed,
        )
        self._bell = Bell(database, concerns=self._watches_any, on_ring=self._tailer.wake)
        self._directory = directory
        self._endings = endings
        self._waiting: set[asyncio.Event] = set()
        self._presence = Presence()
        self._readings = Readings(database, on_note=directory.read_up_to)
        self.tabs = Tabs(
            database,
            self._hub,
            self._tailer,
            feed=feed,
            directory=directory,
            endings=endings,
            readings=self._readings,
            presence=self._presence,
        )
        self.readers = Readers(database, self._hub, self._tailer, feed=feed, endings=endings)
        self._rates = Rates(settings)
        self._aside = Tasks()
        self._work: list[asyncio.Task[None]] = []
        self._show_counts()

    def _show_counts(self) -> None:
        watch = self.metrics.watch
        watch("replies_writing", "Replies that are being written here.", lambda: self._replies.writing)
        watch("replies_waiting", "Replies that wait for their turn here.", lambda: self._replies.waiting)
        watch("tabs", "Open tabs.", lambda: self.tabs.count)
        watch("readers", "Replies that are being read over HTTP.", lambda: self.readers.count)
        watch("watched", "Watchers of stored texts.", lambda: self._tailer.chunks.watchers)
        watch("tasks", "Tasks of the event loop.", lambda: len(asyncio.all_tasks()))
        watch("loop_lag_seconds", "By which the event loop is late, as tabs see it.", lambda: self.tabs.pace.lag)

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

    async def rename_person(self, who: Identity, name: str, hue: int) -> None:
        """Give this person another name and colour, a hue in degrees; every page that shows them is told.

        Raises:
            NameRefused: somebody else has the name, or it cannot be one.
            TooMuch: it has to wait.
        """
        await self._rates.rename(who.user_id)
        try:
            async with self._changing() as session:
                await identity.rename(session, who.user_id, name, hue)
        except IntegrityError:  # somebody took it at the same moment
            raise identity.NameRefused(identity.TAKEN) from None

    async def until_signed_out(self, who: Identity) -> bool:
        """Wait until this person's session is ended, from wherever; False if the server stops first."""
        woken = asyncio.Event()
        is_ended = False

        def end() -> None:
            nonlocal is_ended
            is_ended = True
            woken.set()

        with self._endings.watched(who.session, end):
            self._waiting.add(woken)
            self._tailer.wake()  # from now on there is something to tick for
            try:
                await woken.wait()
            finally:
                self._waiting.discard(woken)
        return is_ended

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
            self._aside.start(self._play_seed(thread_id, speakers, tab), "seeded conversation")
            return thread_id
        return await self._newest(who) or await self.new_thread(who, address=address)

    async def listed(self, who: Identity) -> list[ThreadView]:
        """The threads in this person's sidebar, the most recently active first."""
        async with self.database.read() as session:
            return await views.listed(session, who.user_id)

    async def lines(self, who: Identity) -> list[ThreadLine]:
        """The lines of this person's sidebar, the most recently active first, for a page that is told nothing more."""
        async with self.database.read() as session:
            return await self._lines_of(session, who, await views.listed(session, who.user_id))

    async def find_threads(self, who: Identity, words: str) -> list[ThreadLine]:
        """The lines of threads that this person's sidebar may list and whose titles have these words, some at most."""
        async with self.database.read() as session:
            return await self._lines_of(session, who, await views.with_title(session, who.user_id, words))

    async def _lines_of(self, session: AsyncSession, who: Identity, listed: list[ThreadView]) -> list[ThreadLine]:
        readings = await views.readings(session, [who.user_id], [thread.id for thread in listed])
        return self._directory.lines_of(who.user_id, listed, readings)

    def tab_of(self, cookie_header: str, token: str) -> Tab | None:
        """The open tab of this name, if the browser with this cookie has opened it; no database is asked."""
        return self.tabs.find(token, identity.session_of(cookie_header))

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
            if (shown_in := self.tabs.on_thread(tab, who, thread_id)) is not None:
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

    async def stream_place(self, who: Identity, stream_id: StreamId) -> StreamPlace:
        """Where a stream belongs, for who wants to do something with it and not its text.

        Raises:
            ThreadUnknown: there is no such stream for this person.
        """
        async with self.database.read() as session:
            return await views.stream_place(session, stream_id, who.user_id)

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
        model: str = "",
        granularity: Granularity | None = None,
    ) -> str:
        """Begin a thread; return its id. `address` counts against its network's share, "" against none.

        Raises:
            TitleRefused: it is too long.
            SettingRefused: there is no such model.
            TooMuch: it has to wait.
        """
        self._check_model(model)
        await self._rates.thread(who.user_id, address)
        async with self._changing() as session:
            return await threads.create(
                session,
                who.user_id,
                title=title,
                reply_mode=reply_mode,
                visibility=visibility,
                model=model,
                granularity=granularity or "",
            )

    async def configure(
        self,
        who: Identity,
        thread_id: str,
        *,
        reply_mode: ReplyMode,
        model: str = "",
        granularity: Granularity | None = None,
    ) -> None:
        """Say for a thread's next replies which messages ask for one, which model answers, and in what pieces others
        get it; "" and None are for what the server says.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not configure it.
            SettingRefused: there is no such model.
        """
        self._check_model(model)
        async with self._changing() as session:
            await threads.configure(
                session, thread_id, who.user_id, reply_mode=reply_mode, model=model, granularity=granularity or ""
            )

    def _check_model(self, model: str) -> None:
        if model and model not in self.settings.models:
            msg = f"There is no model {model} here."
            raise SettingRefused(msg)

    async def restore_message(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Bring back a message that this person has just deleted.

        Raises:
            ThreadUnknown: there is no such thread for this person.
            NotPermitted: they may not write in it any more.
            NotNow: it is too late.
        """
        async with self._changing() as session:
            await threads.restore_message(session, thread_id, message_id, who.user_id)

    async def restore_thread(self, who: Identity, thread_id: str) -> None:
        """Bring back a thread that this person has just deleted.

        Raises:
            NotNow: it is too late.
        """
        async with self._changing() as session:
            await threads.restore_thread(session, thread_id, who.user_id)

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
        self._presence.stop_typing(thread_id, who.user_id)
        self._committed()
        if posted.stream_id is not None:
            self._replies.begin(posted.stream_id)
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
        self._replies.stop(stream_id)
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
        self._replies.begin(stream_id)
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
        self._replies.begin(stream_id)
        return stream_id

    async def edit_message(
        self, who: Identity, thread_id: str, message_id: int, text: str, *, address: str = ""
    ) -> None:
        """Give one's message another text, for everybody. It counts as a message, and the AI is not asked again.

        Raises:
            ThreadUnknown: there is no such message for this person.
            NotPermitted: it is not theirs, or they may not write any more.
            MessageRefused: it cannot have this text.
            TooMuch: it has to wait.
        """
        async with self.database.write() as session:
            if await threads.edit_message(session, thread_id, message_id, who.user_id, text):
                await self._rates.message(who.user_id, address)  # a refusal takes the transaction back
        self._committed()

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

    async def attempts(self, who: Identity, thread_id: str, message_id: int) -> list[AttemptDetails]:
        """What the attempts at a reply took, the newest first; none of a person's message.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            await views.message_view(session, thread_id, message_id, who.user_id)
            return await views.attempt_details(session, message_id)

    async def timeline_of(
        self, who: Identity, thread_id: str, message_id: int, version: int
    ) -> tuple[MessageView, Timeline]:
        """A reply, and how this version of its text grew; no steps where that is not known any more.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self.database.read() as session:
            message = await views.message_view(session, thread_id, message_id, who.user_id)
            return message, await views.timeline(session, message_id, version)

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
        self._work = [
            asyncio.create_task(self._tailer.run(), name="tailer"),
            asyncio.create_task(self._readings.run(), name="readings"),
        ]
        for task in self._work:
            task.add_done_callback(report)
        self._aside.start(self._retention.clear_in_time(), "clearing what was deleted")
        self._aside.start(self._retention.prune(), "pruning of old chunks")
        self._aside.start(self._bell.run(), "bell")
        try:
            async with self._replies.running():
                try:
                    yield self
                finally:
                    self.tabs.end_all()
                    self.readers.end_all()
                    for woken in self._waiting:
                        woken.set()
                    self._aside.cancel()
                    for task in self._work:
                        task.cancel()
        finally:
            await asyncio.gather(*self._work, *self._aside, return_exceptions=True)
            await self._store_readings()

    async def _store_readings(self) -> None:
        with contextlib.suppress(*DATABASE_AWAY):
            async with asyncio.timeout(STORE_READINGS_WITHIN):
                await self._readings.store()

    async def faults(self) -> list[str]:
        """What keeps this server from doing its work, in words; nothing where it is ready."""
        faults = self._replies.faults()
        faults += [f"the {task.get_name()} has ended" for task in self._work if task.done()]
        try:
            async with asyncio.timeout(READY_WITHIN), self.database.read() as session:
                await session.execute(select(1))
        except DATABASE_AWAY:
            faults.append("the database does not answer")
        return faults

    def _channel_opened(self, stream_id: StreamId) -> None:
        self.tabs.channel_opened(stream_id)
        self.readers.channel_opened(stream_id)
        self._tailer.wake()  # a request to stop it may come from elsewhere, with nobody watching here
        self._bell.ring()

    @asynccontextmanager
    async def _changing(self) -> AsyncGenerator[AsyncSession]:
        """A transaction of which open tabs are told once it is committed."""
        async with self.database.write() as session:
            yield session
        self._committed()

    def _renamed(self, user_id: int, name: str, hue: int) -> None:
        self.tabs.renamed(user_id, name, hue)

    def _committed(self) -> None:
        self._tailer.wake()
        self._bell.ring()

    def _grown(self) -> None:
        self._tailer.wake()
        self._bell.ring(self._hub.written_here())

    def _watches_any(self, stream_ids: Collection[StreamId]) -> bool:
        return not self._tailer.chunks.live().isdisjoint(stream_ids)

    def _reads(self, stream_id: StreamId) -> tuple[int, float]:
        return self._tailer.chunks.reads(stream_id)

    def _written(self, stream_id: StreamId) -> None:
        self.tabs.forget(stream_id)

    def _away(self, is_away: bool) -> None:  # a callback's signature
        self.tabs.tell_unsaved(is_away)

    def _deleted(self, stream_ids: Sequence[StreamId]) -> None:
        for stream_id in stream_ids:
            self._replies.stop(stream_id)
        self._committed()
        self._aside.start(self._retention.clear_in_time(), "clearing what was deleted")

    async def written(self) -> None:
        """Wait until no reply is under way here."""
        await self._replies.written()

    async def cleared(self) -> None:
        """Remove what was deleted now, though it might still be undone, and wait until it has left no rows."""
        await self._retention.clear()

    async def _play_seed(self, thread_id: str, speakers: dict[str, int], tab: str) -> None:
        for number, line in enumerate(seed.LINES):
            await asyncio.sleep(line.pause)
            who = Identity(speakers[line.speaker], line.speaker, 0)
            posted = await self._post(who, thread_id, line.text, nonce=f"seed-{number}", tab=tab, address=None)
            if posted.stream_id is not None:
                await self._replies.written(posted.stream_id)


async def _end_quietly(session: AsyncSession, stream_ids: Sequence[StreamId]) -> None:
    """End what has not begun, and ask whichever process writes the rest to stop: nobody will read it."""
    for stream_id in stream_ids:
        if not await store.close_pending(session, stream_id, STOPPED):
            await store.request_stop(session, stream_id)


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
