"""Tabs: what each open tab has been sent, and what it is sent next.

A tab has no queue of text. For each live reply it keeps an offset. At its turn it takes the rest from text that the
process holds once: from the writer's channel if the tab drives the reply and this process writes it, else from the
stored text that the tailer reads. So a slow tab costs nothing, and gets everything at once when it can.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from chat_app.data.db import Database
from chat_app.data.models import MemberRole
from chat_app.live.directory import Directory, SidebarThread
from chat_app.live.feeds import Endings, ThreadChange, ThreadFeed
from chat_app.live.pace import Pace
from chat_app.live.presence import Crowd, PresenceTracker
from chat_app.live.read_receipts import ReadReceipts
from chat_app.people.identity import Identity
from chat_app.refusals import ThreadUnknown
from chat_app.threads import message_views, thread_views
from chat_app.threads.access import Verb, allowed
from chat_app.threads.message_views import MessageView
from chat_app.threads.thread_views import ThreadView
from tributary_streams import DATABASE_AWAY, GrowingText, Hub, StreamId, Tail, Tailer

logger = logging.getLogger(__name__)

MARKS_EVERY = 2.0
"""Seconds between two updates of a tab that carry marks: who is here, who is typing, and changes of the sidebar."""
CONGESTED_WAIT = 0.1
"""Seconds until a tab whose socket is congested is checked again."""
TOUCH_EVERY = 60.0
"""Seconds after which a quiet tab gets an empty update, so that the store of its page's state sees that it is there."""
BACKLOG = 300
"""Changed messages and stored texts that wait for a tab which takes nothing; with more it reads them again later."""
RETRY_AFTER = 1.0
"""Seconds until a tab tries again to read its page from a database that is away."""
HISTORY_CHARS = 48_000
"""Characters of older text that one update carries at most, far below the frame size that closes a socket."""

Frame = tuple[str, int, str]
"""The name of a text, an offset in it (code points), and a piece of the text that begins there."""


@dataclass
class TabUpdate:
    """What one update of a tab carries; None where nothing is new."""

    frames: list[Frame] = field(default_factory=list)
    messages: list[MessageView] = field(default_factory=list)
    is_page: bool = False
    """Whether `messages` are the newest of the thread and replace what the tab shows; else they are new or changed."""
    earlier: list[MessageView] | None = None
    """The messages before the oldest one that the tab shows; the tab has asked for them."""
    has_earlier: bool = False
    """Whether the thread has messages before this page, or before these earlier messages."""
    people: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Names and hues, by user id, of people who are new to the tab or have changed them."""
    thread: ThreadView | None = None
    may: Set[Verb] | None = None
    """What this person may do with the thread."""
    sidebar: list[SidebarThread] | None = None
    """The whole list of threads, in place of the previous one."""
    sidebar_changes: dict[str, SidebarThread | None] = field(default_factory=dict)
    """Sidebar rows that are new or changed, by thread; None is a row that is gone."""
    crowd: Crowd | None = None
    """Who is on the thread."""
    read_up_to: int | None = None
    """Id of the last message before what was new when this person came, or came back; 0 if nothing was new."""
    is_gone: bool = False
    """The thread was deleted, or this person may no longer read it."""
    is_signed_out: bool = False
    """The session that identified this person was ended."""
    is_unsaved: bool | None = None
    """Whether what is shown is not stored, because the database is away."""

    def __bool__(self) -> bool:
        return bool(self.frames or self.messages) or self.earlier is not None or not self.is_live_only

    @property
    def is_live_only(self) -> bool:
        """Whether nothing is new except texts and messages, by people whom the tab knows."""
        return not (
            self.is_page
            or self.people
            or self.thread
            or self.may is not None
            or self.sidebar is not None
            or self.sidebar_changes
            or self.crowd
            or self.read_up_to is not None
            or self.is_gone
            or self.is_signed_out
            or self.is_unsaved is not None
        )


class _Text:
    """A live reply as one tab sees it: the source of its text, and how far the tab has got."""

    def __init__(self, message: MessageView, shown: int) -> None:
        """`shown` is how many code points of the message's text this tab has shown already."""
        assert message.stream_id is not None
        self.stream_id = message.stream_id
        self.position = message.position
        self.name = message.name
        self.base = message.base
        """Code points of the message's text before the stream's text."""
        self.before = message.text[shown : message.base]
        """The part of those that was not sent yet; it goes first."""
        self.sent = 0
        self.is_driven = False
        """Whether this tab drives the reply, even before its writer has begun."""
        self.final: MessageView | None = None
        """The message with its terminal status, which is sent only after all the text."""
        self._source = GrowingText()
        self._stack = ExitStack()
        self._is_at_hand = asyncio.Event()

    def take_from(self, source: AbstractContextManager[GrowingText], wake: Callable[[], None]) -> None:
        """Switch to another source of the same text; offsets mean the same in both."""
        self._stack.close()
        self._source = self._stack.enter_context(source)

        def look() -> None:
            if not isinstance(self._source, Tail) or self._source.is_read.is_set():
                self._is_at_hand.set()
            wake()

        self._stack.enter_context(self._source.subscribed(look))
        look()

    async def first_read(self) -> None:
        """Wait until the text that is stored already can be taken, from whichever source."""
        await self._is_at_hand.wait()

    def more(self) -> str:
        """The text that was not sent yet, never beyond the final stored length."""
        text = self._source.since(self.sent)
        return text if self.final is None else text[: max(0, self.final.length - self.base - self.sent)]

    @property
    def shown(self) -> int:
        """Code points of the message's text that were sent."""
        return self.base - len(self.before) if self.before else self.base + self.sent

    def take(self) -> list[Frame]:
        """Take the frames to send now."""
        frames: list[Frame] = []
        if self.before:
            frames.append((self.name, self.shown, self.before))
            self.before = ""
        if more := self.more():
            frames.append((self.name, self.shown, more))
            self.sent += len(more)
        return frames

    def is_drained(self) -> bool:
        """Whether the reply has ended and all of it was sent."""
        is_gone = isinstance(self._source, Tail) and self._source.is_gone
        return self.final is not None and (is_gone or self.base + self.sent >= self.final.length)

    def close(self) -> None:
        """Stop taking text."""
        self._stack.close()
        self._is_at_hand.set()  # no more will come: release `first_read`


class Tab:
    """One open tab on one thread."""

    def __init__(self, tabs: "Tabs", token: str, who: Identity, thread_id: str) -> None:
        self.token = token
        self.who = who
        self.thread_id = thread_id
        self._tabs = tabs
        self._woken = asyncio.Event()
        self._begins_to_drive = asyncio.Event()
        self._is_over = False
        self._texts: dict[int, _Text] = {}
        self._shown: dict[str, int] = {}
        self._history: list[Frame] = []
        self._news = TabUpdate(is_unsaved=tabs.is_unsaved)
        self._may: Set[Verb] = frozenset()
        self._thread: ThreadView | None = None
        """The thread as this tab knows it."""
        self._people: dict[int, tuple[str, int]] = {}
        """Names and hues, by user id, that this tab was sent or will be sent next."""
        self._sidebar_changes: dict[str, SidebarThread | None] = {}
        self._crowd: Crowd | None = None
        self._crowd_told: Crowd | None = None
        self._marks_due = 0.0
        """When waiting marks, `_crowd` and `_sidebar_changes`, may be sent, by the loop's clock."""
        self._is_looking = False
        self._newest = 0
        """Position of the newest message that this tab knows."""
        self._read_up_to: int | None = None
        """Position up to which this tab has noted messages as read; None before it has."""
        self._away_since: int | None = None
        """Id before the first message that came while this person looked away, once they have read here; else None."""
        self._seen_version = 0
        self._told_version = 0
        self._is_behind = True
        self._is_found = False
        self._is_drained = asyncio.Event()
        self._is_here = False

    def end(self) -> None:
        """Send nothing more: another page of the same tab has taken over, or the server stops."""
        self._is_over = True
        self._woken.set()
        self._is_drained.set()

    async def drained(self) -> None:
        """Wait until the messages that were read for this tab are on their way, or the tab has ended."""
        await self._is_drained.wait()

    def show_earlier(
        self, thread: ThreadView, messages: Sequence[MessageView], people: dict[int, tuple[str, int]], *, has_more: bool
    ) -> bool:
        """Send messages from before those that the tab shows, as read at the thread's version; follow live ones.

        False if they must be read again once the tab is `drained`: it knows of a newer version, or still has messages
        to send.
        """
        if self._is_over or self._is_cut_off:
            return True
        if thread.version < self._seen_version or not self._is_drained.is_set():
            return False
        self._is_drained.clear()
        self._news.earlier, self._news.has_earlier = list(messages), has_more
        self._tell_people(people)
        for message in reversed(messages):  # the reader sees the newest first
            if not message.is_live:
                self._shown[message.name] = len(message.text)
                self._history.append((message.name, 0, message.text))  # the page may have dropped its text since
            elif message.id not in self._texts:
                self._begin(message)
        self._woken.set()
        return True

    def look(self, *, is_looking: bool) -> None:
        """Set whether this person looks at the end of the thread; while they do, all that is sent counts as read."""
        if self._is_cut_off or is_looking is self._is_looking:
            return
        self._is_looking = is_looking
        if not self._news:
            self._note_reading()  # at once: the person may leave before the loop comes round
        if is_looking and self._away_since is not None:
            self._news.read_up_to = self._away_since
        self._away_since = None
        self._woken.set()

    def type(self) -> None:
        """Mark this person as typing, if they may post."""
        if Verb.POST in self._may:
            self._tabs.presence.type(self.thread_id, self.who.user_id)

    def _note_reading(self) -> None:
        """Note what was read, now that everything new was taken. A reply counts as read when it has ended."""
        if not self._is_looking or self._is_behind or self._history:
            return
        live = min((text.position for text in self._texts.values()), default=self._newest + 1)
        position = min(self._newest, live - 1)
        if self._read_up_to is None or position > self._read_up_to:
            self._read_up_to = position
            self._tabs.read_receipts.note(self.who.user_id, self.thread_id, position)

    async def updates(self, *, is_congested: Callable[[], bool] = lambda: False) -> AsyncIterator[TabUpdate]:
        """Yield the whole page, then what is new; nothing while `is_congested()`.

        It ends after `end`, or once this person may see no more.

        Raises:
            ThreadUnknown: there was no such thread for this person when the tab opened.
        """
        tabs = self._tabs
        with (
            tabs.feed.watched(self.thread_id, self._thread_changed),
            tabs.directory.watched(self.who.user_id, self._list_changed),
            tabs.endings.watched(self.who.session, self._signed_out),
            self._closing_texts(),
            ExitStack() as being_here,
        ):
            while not self._is_over:
                if is_congested():
                    await asyncio.sleep(CONGESTED_WAIT)
                    continue
                if self._is_behind and not self._is_cut_off and not await self._catch_up():
                    await asyncio.sleep(RETRY_AFTER)
                    continue
                self._come_in(being_here)
                async with tabs.pace.turn(drives=self._drives):
                    if self._is_over or (self._is_behind and not self._is_cut_off):
                        continue  # it ended, or fell behind, while it waited for its turn
                    self._woken.clear()
                    update = self._collect()
                    self._note_reading()
                    if update:
                        yield update
                if update.is_gone or update.is_signed_out:
                    return
                if not update:
                    if await self._have_news():
                        continue
                    yield update
                if not self._history:
                    self._begins_to_drive.clear()
                    await tabs.pace.rest(None if self._drives else self._begins_to_drive)

    def _come_in(self, being_here: ExitStack) -> None:
        """Count this tab as present, once its thread is found."""
        if self._is_found and not self._is_here:
            self._is_here = True
            here = self._tabs.presence.here(self.thread_id, self.who, self._crowd_changed)
            self._crowd_changed(being_here.enter_context(here))

    async def _have_news(self) -> bool:
        """Wait for something new, or until waiting marks are due; False after `TOUCH_EVERY` with neither."""
        have_marks = self._crowd is not None or bool(self._sidebar_changes)
        try:
            async with asyncio.timeout_at(self._marks_due if have_marks else _now() + TOUCH_EVERY):
                await self._woken.wait()
        except TimeoutError:
            return have_marks
        return True

    @property
    def _drives(self) -> bool:
        """Whether this tab drives a reply now."""
        return any(text.is_driven for text in self._texts.values())

    @property
    def _is_cut_off(self) -> bool:
        return self._news.is_gone or self._news.is_signed_out

    def _cut_off(self, last: TabUpdate) -> None:
        """Send this update and nothing more: this person may see no more, not even what waits to be sent."""
        for text in self._texts.values():
            text.close()
        self._texts.clear()
        self._history.clear()
        self._crowd, self._sidebar_changes, self._may = None, {}, frozenset()
        self._news = last
        self._woken.set()
        self._is_drained.set()

    async def _catch_up(self) -> bool:
        """Read what this tab lacks: at first the page, later what has changed since. False if the database is away."""
        try:
            await self._read()
        except DATABASE_AWAY as error:
            logger.warning("thread %s could not be read (%s); trying again", self.thread_id, type(error).__name__)
        except ThreadUnknown:
            if not self._is_found:
                raise  # it was never there for this person
            self._cut_off(TabUpdate(is_gone=True))
        return not self._is_behind or self._is_cut_off

    async def _read(self) -> None:
        tabs = self._tabs
        while True:
            async with tabs.database.read() as session:
                thread = await thread_views.find(session, self.thread_id, self.who.user_id)
                has_earlier, is_page = False, not self._told_version
                if is_page:
                    messages, has_earlier = await message_views.page_of_messages(session, self.thread_id)
                else:
                    messages = await message_views.messages_changed_since(session, self.thread_id, self._told_version)
                roles = await thread_views.roles(session, self.thread_id, self.who.user_id)
                listed = await thread_views.listed(session, self.who.user_id)
                read_positions = await thread_views.read_positions(
                    session, [self.who.user_id], [entry.id for entry in listed]
                )
                unread = await message_views.first_unread(session, self.thread_id, self.who.user_id)
                authors = sorted({message.author_id for message in messages} | {self.who.user_id})
                people = await message_views.people(session, authors)
            if self._is_cut_off:
                return
            if thread.version >= self._seen_version:
                break  # else a change came during the read, which may lack it
        tabs.feed.seen(self.thread_id, thread.version)
        tabs.tailer.wake()  # from now on there is something to poll for
        self._seen_version, self._is_behind, self._is_found = thread.version, False, True
        self._tell_people(people)
        self._news.thread = self._thread = thread
        self._news.is_page, self._news.has_earlier = is_page, has_earlier
        self._news.may = self._may = self._may_now(thread, roles)
        if not self._told_version:
            self._news.read_up_to = 0 if unread is None else unread - 1
        self._news.sidebar, self._sidebar_changes = tabs.directory.seen(self._list_changed, listed, read_positions), {}
        for message in messages:
            self._take(message)
        self._history.reverse()  # the newest first: that is what the reader looks at
        for text in tuple(self._texts.values()):
            await text.first_read()  # so that a reload shows at once what was shown before it

    def _fall_behind(self) -> None:
        """Drop all that waits and can be read again. Live replies keep their offsets."""
        for name, offset, _ in reversed(self._history):
            self._shown[name] = offset
        self._history.clear()
        self._is_drained.clear()
        self._news = TabUpdate(
            is_unsaved=self._news.is_unsaved, read_up_to=self._news.read_up_to, people=self._news.people
        )
        self._is_behind = True

    @contextmanager
    def _closing_texts(self) -> Generator[None]:
        try:
            yield
        finally:
            for text in self._texts.values():
                text.close()

    def channel_opened(self, stream_id: StreamId) -> None:
        """Take deltas from now on: this process has begun to write a stream that this tab drives."""
        for text in self._texts.values():
            if text.stream_id == stream_id and (channel := self._tabs.hub.find(stream_id)) is not None:
                text.take_from(nullcontext(channel), self._woken.set)
                self._woken.set()

    def _take(self, message: MessageView) -> None:
        if message.position > self._newest and not message.is_deleted:
            self._newest = message.position
            is_news = not self._is_looking and message.author_id != self.who.user_id
            if is_news and self._away_since is None and self._read_up_to is not None:
                self._away_since = message.id - 1
        text = self._texts.get(message.id)
        if text is not None and text.stream_id != message.stream_id:
            # Deleted, or another attempt has begun. A continuation sends what this one had left, as `_Text.before`.
            self._drop(message.id)
            text = None
        if message.is_live:
            if text is None:
                self._begin(message)
            self._news.messages.append(message)
        elif text is not None:
            text.final = message
            self._tabs.tailer.wake()  # the change may have been read before the last piece of text
        else:
            self._send_stored(message)
            self._news.messages.append(message)

    def _begin(self, message: MessageView) -> None:
        text = self._texts[message.id] = _Text(message, self._shown.get(message.name, 0))
        source, text.is_driven = self._tabs.source_for(self, message, text.stream_id)
        text.take_from(source, self._woken.set)
        if text.is_driven:
            self._begins_to_drive.set()

    def _send_stored(self, message: MessageView) -> None:
        """Send the stored text of a message, except what this tab has shown already."""
        shown = self._shown.get(message.name, 0)
        if len(message.text) > shown:
            self._shown[message.name] = len(message.text)
            self._history.append((message.name, shown, message.text[shown:]))

    def _drop(self, message_id: int) -> None:
        text = self._texts.pop(message_id)
        text.close()
        self._shown[text.name] = text.shown
        self._tabs.forget(text.stream_id)

    def _thread_changed(self, change: ThreadChange | None) -> None:
        if self._is_cut_off:
            return
        if change is None or (change.roles is not None and Verb.READ not in self._may_now(change.thread, change.roles)):
            self._cut_off(TabUpdate(is_gone=True))
        elif self._is_behind:
            self._seen_version = max(self._seen_version, change.thread.version)
        elif change.thread.version > self._seen_version:
            self._tell_people(change.people)
            if not change.thread.looks_like(self._thread):
                self._news.thread = change.thread
            self._thread = change.thread
            if change.roles is not None:
                self._news.may = self._may = self._may_now(change.thread, change.roles)
            for message in change.messages:
                if message.thread_version > self._seen_version:
                    self._take(message)
            self._seen_version = change.thread.version
            if len(self._news.messages) + len(self._history) > BACKLOG:
                self._fall_behind()
        self._woken.set()

    def _may_now(self, thread: ThreadView, roles: Mapping[int, MemberRole]) -> Set[Verb]:
        return allowed(roles.get(self.who.user_id), thread.visibility)

    def _signed_out(self) -> None:
        if not self._is_cut_off:
            self._cut_off(TabUpdate(is_signed_out=True))

    def tell_unsaved(self, *, is_unsaved: bool) -> None:
        """Tell the tab that what it shows is not stored, or is stored again."""
        if self._is_cut_off:
            return
        self._news.is_unsaved = is_unsaved
        self._woken.set()

    def renamed(self, user_id: int, name: str, hue: int) -> None:
        """Send a person's new name and hue, if this tab shows them."""
        if user_id in self._people and not self._is_cut_off:
            self._tell_people({user_id: (name, hue)})
            self._woken.set()

    def _tell_people(self, people: Mapping[int, tuple[str, int]]) -> None:
        new = {user_id: person for user_id, person in people.items() if self._people.get(user_id) != person}
        self._people |= new
        self._news.people |= new

    def _list_changed(self, changes: Mapping[str, SidebarThread | None]) -> None:
        if not self._is_behind and not self._is_cut_off:
            self._sidebar_changes |= changes
            self._woken.set()

    def _crowd_changed(self, crowd: Crowd) -> None:
        if not self._is_cut_off:
            self._crowd = None if crowd == self._crowd_told else crowd
            self._woken.set()

    def _collect(self) -> TabUpdate:
        update, self._news = self._news, TabUpdate()
        if (now := _now()) >= self._marks_due and not self._is_cut_off and (self._crowd or self._sidebar_changes):
            self._marks_due = now + MARKS_EVERY
            update.crowd, self._crowd = self._crowd, None
            self._crowd_told = update.crowd or self._crowd_told
            update.sidebar_changes, self._sidebar_changes = self._sidebar_changes, {}
        for message_id, text in tuple(self._texts.items()):
            update.frames += text.take()
            if text.is_drained():
                assert text.final is not None
                update.messages.append(text.final)
                self._drop(message_id)
        size = 0
        while self._history and (not size or size + len(self._history[0][2]) <= HISTORY_CHARS):
            frame = self._history.pop(0)
            size += len(frame[2])
            update.frames.append(frame)
        if not self._history:
            self._told_version = self._seen_version
            self._is_drained.set()
        return update


def _now() -> float:
    return asyncio.get_running_loop().time()


class Tabs:
    """The open tabs of this process, by token, and the driver of each stream."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        tailer: Tailer,
        *,
        feed: ThreadFeed,
        directory: Directory,
        endings: Endings,
        read_receipts: ReadReceipts,
        presence: PresenceTracker,
        pace: Pace | None = None,
    ) -> None:
        self.database = database
        self.pace = pace or Pace()
        self.hub = hub
        self.tailer = tailer
        self.feed = feed
        self.directory = directory
        self.endings = endings
        self.read_receipts = read_receipts
        self.presence = presence
        self._open: dict[str, Tab] = {}
        self._drivers: dict[StreamId, str] = {}
        self.is_unsaved = False
        """Whether what is shown may not be stored; a tab that opens later is told too."""

    @contextmanager
    def open(self, token: str, who: Identity, thread_id: str) -> Generator[Tab]:
        """Register a tab while the block runs. If the same tab was open on another page, that one ends."""
        if (before := self._open.get(token)) is not None:
            before.end()
        tab = self._open[token] = Tab(self, token, who, thread_id)
        try:
            yield tab
        finally:
            tab.end()
            if self._open.get(token) is tab:
                del self._open[token]

    async def show_earlier(self, who: Identity, thread_id: str, message_id: int, *, tab: str) -> list[MessageView]:
        """Send the page of messages before this one to this person's tab, if it is open; return them.

        Raises:
            ThreadUnknown: there is no such thread for this person.
        """
        while True:
            if (shown_in := self._on_thread(tab, who, thread_id)) is not None:
                await shown_in.drained()
            async with self.database.read() as session:
                thread = await thread_views.find(session, thread_id, who.user_id)
                found, has_more = await message_views.page_of_messages(session, thread_id, before=message_id)
                people = await message_views.authors(session, found)
            if shown_in is None or shown_in.show_earlier(thread, found, people, has_more=has_more):
                return found

    def _on_thread(self, token: str, who: Identity, thread_id: str) -> Tab | None:
        """This person's tab with this token, if it is open on the thread."""
        tab = self._open.get(token)
        return tab if tab and (tab.who.user_id, tab.thread_id) == (who.user_id, thread_id) else None

    def find(self, token: str, session: str) -> Tab | None:
        """The open tab with this token, if it was opened with this session: a token alone proves nothing."""
        tab = self._open.get(token)
        return tab if tab is not None and session and tab.who.session == session else None

    def source_for(
        self, tab: Tab, message: MessageView, stream_id: StreamId
    ) -> tuple[AbstractContextManager[GrowingText], bool]:
        """The source of a live reply's text for a tab, and whether the tab drives the reply.

        The source is the channel if the tab drives and this process writes the stream, else the stored text.
        """
        drives = self._drives(tab, message, stream_id)
        if drives and (channel := self.hub.find(stream_id)) is not None:
            return nullcontext(channel), True
        return self.tailer.watched(stream_id), drives

    def channel_opened(self, stream_id: StreamId) -> None:
        """Let the stream's driver take deltas from now on: the hub has opened its channel."""
        if (tab := self._open.get(self._drivers.get(stream_id, ""))) is not None:
            tab.channel_opened(stream_id)

    def tell_unsaved(self, is_unsaved: bool) -> None:  # a callback's signature
        """Tell every open tab that what it shows is not stored, or is stored again."""
        self.is_unsaved = is_unsaved
        for tab in tuple(self._open.values()):
            tab.tell_unsaved(is_unsaved=is_unsaved)

    def renamed(self, user_id: int, name: str, hue: int) -> None:
        """Send this person's new name and hue to every open tab that shows them."""
        self.presence.rename(user_id, name, hue)
        for tab in tuple(self._open.values()):
            tab.renamed(user_id, name, hue)

    def end_all(self) -> None:
        """End all tabs: the server stops."""
        for tab in tuple(self._open.values()):
            tab.end()

    @property
    def count(self) -> int:
        """How many tabs are open."""
        return len(self._open)

    def forget(self, stream_id: StreamId) -> None:
        """Forget who drove a stream that has ended."""
        self._drivers.pop(stream_id, None)

    def _drives(self, tab: Tab, message: MessageView, stream_id: StreamId) -> bool:
        driver = self._drivers.setdefault(stream_id, message.tab)
        if driver not in self._open and message.asked_by == tab.who.user_id:
            # The tab that asked is gone: the next one of the same person to open the thread takes the role.
            driver = self._drivers[stream_id] = tab.token
        return driver == tab.token
