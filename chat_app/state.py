"""The Reflex states that more than one component reads, and the live state that carries a tab's text.

Their handlers are thin: find out who asks, call one service, show the result. A handler that uses the database or the
network is a background event, so that it does not hold its tab's lock while it waits.
"""

import dataclasses
import functools
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import reflex as rx
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from chat_app import reflex_seams
from chat_app.data.models import Role, ThreadSettings
from chat_app.gate.allowances import HANDLERS_AT_ONCE, TOO_MUCH, AtOnce
from chat_app.live.directory import SidebarThread
from chat_app.live.presence import Crowd, PersonHere
from chat_app.live.tabs import TOUCH_EVERY, Frame, Tab, TabUpdate
from chat_app.people.identity import Identity, session_of
from chat_app.refusals import Refusal, SignedOut, ThreadUnknown, words
from chat_app.services import services
from chat_app.threads.access import Verb
from chat_app.threads.message_views import MessageView
from chat_app.threads.thread_views import LISTED
from tributary_streams import clean

TYPING_NAMED = 2
"""How many of the people who are typing the page names."""
FRESH = 8
"""How many changed rows of the sidebar are kept apart from the list: each change sends only these again. If there are
more, the whole list is sent once."""
QUEUE_STANDS = 20
"""How many packets may wait in a tab's socket queue. If there are more, the tab is sent nothing until it drains."""
TAB_NAME_LENGTH = 64
"""How many characters of a tab's name are used; Reflex's own names have 36."""

NO_TIMELINE = "How this reply grew is no longer stored."

_running = AtOnce(HANDLERS_AT_ONCE)


class Row(NamedTuple):
    """A message as the page lists it. Rows travel as frames, see `Live.r`.

    It is sent as an array, not as an object, because a hundred rows must stay near 3 KB. JavaScript gets the order of
    the fields from assets/shared.js, which `make shared` makes from this class and the other named tuples below.
    """

    message: int
    """The message's id. With `version` it names the text that the page shows in the row, as "message.version"."""
    author: int
    """A key of `Transcript.people`; for a reply, which has no author, minus the person who asked for it."""
    at: int
    """Seconds since the epoch."""
    status: str
    """A reply's status, as its stream has it; "" for a person's message."""
    version: int
    """The newest version of the text; for a person's message, how often it was edited."""
    reason: str
    """The sentence that says why a reply ended early."""


RowFrame = tuple[Literal["page", "news", "earlier"], list[Row], list[int], bool]
"""Rows on their way: (kind, rows, messages that are gone, whether there are earlier ones); see assets/row_store.js."""
NO_ROWS: RowFrame = ("page", [], [], False)


@dataclasses.dataclass(frozen=True)
class Person:
    """Someone who wrote in the thread, as everybody in it sees them; `hue` is their colour in degrees."""

    name: str
    hue: int


class SidebarRow(NamedTuple):
    """A thread as the sidebar lists it; also sent as an array."""

    thread: str
    title: str
    active: int
    """Seconds since the epoch."""
    unread: int
    """How many messages have come since this person was there."""
    live: int
    """1 while a reply is under way, else 0."""


def remote(handler: Callable[..., Awaitable[Any]]) -> Any:
    """Let any client call this handler, with any arguments, whatever its page shows.

    It becomes a background event. Its arguments are checked strictly against their annotations, because Reflex passes
    on what it cannot convert. A refusal is shown to the person. One socket may run `HANDLERS_AT_ONCE` at a time.
    """
    checked = _checked(handler)

    @functools.wraps(checked)
    async def bounded(self: rx.State, /, *args: Any, **kwargs: Any) -> Any:
        with _running.taken(self.router.session.session_id) as may_run:
            return await (checked(self, *args, **kwargs) if may_run else tell(self, TOO_MUCH))

    reflex_seams.mark_remote(bounded)
    return rx.event(background=True)(bounded)


def by_page_load(handler: Callable[..., Awaitable[Any]]) -> Any:
    """Let the load of a page start this handler, as a background event; no client may call it.

    Reflex ends it when the page is left or its socket closes. It does not end handlers that a client has called.
    """
    return rx.event(background=True)(_checked(handler))


def _checked(handler: Callable[..., Awaitable[Any]]) -> Any:
    signature = inspect.signature(handler)
    hints = get_type_hints(handler, include_extras=True)
    adapters = {
        name: TypeAdapter(hints[name], config=ConfigDict(strict=True)) for name in list(signature.parameters)[1:]
    }

    @functools.wraps(handler)
    async def checked(self: rx.State, /, *args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(self, *args, **kwargs).arguments
            arguments = {name: adapter.validate_python(given[name]) for name, adapter in adapters.items()}
        except (TypeError, KeyError, ValidationError):
            return await tell(self, "The page sent something unexpected. Reload it.")
        try:
            return await handler(self, **arguments)
        except SignedOut:
            return await show_signed_out(self)
        except Refusal as refusal:
            return await tell(self, words(refusal))

    checked.__annotations__ = {}  # otherwise Reflex first converts by them ("1" to 1), and logs what it cannot
    return checked


MessageId = Annotated[int, Field(ge=1, lt=2**31)]
TextName = Annotated[str, Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,4}$")]
Offset = Annotated[int, Field(ge=0, lt=2**31)]
Asked = Annotated[int, Field(ge=0, lt=2**53)]


async def tell(state: rx.State, notice: str) -> None:
    """Show a notice on the tab; "" removes it."""
    async with state:
        (await state.get_state(Viewer)).notice = notice


def notice_update(notice: str) -> dict[str, Any]:
    """The update that shows a notice on a tab without changing the state; the next notice replaces it."""
    return {"delta": {Viewer.get_full_name(): {reflex_seams.name_in_browser(Viewer.notice): notice}}}


async def show_signed_out(state: rx.State) -> None:
    """Show on the tab that this person was signed out, and remove what they saw before."""
    async with state:
        viewer = await state.get_state(Viewer)
        viewer._empty()
        update_vars(viewer, is_signed_out=True, notice=words(SignedOut()))
        (await state.get_state(Presence))._show(Crowd(), 0)
        transcript = await state.get_state(Transcript)
        transcript._empty()
        update_vars(transcript, is_missing=True)
    await _bring(rows=[NO_ROWS])


async def who_asks(state: rx.State) -> Identity:
    """The person whose browser sent this event, by the cookie of its socket's handshake.

    Raises:
        NotRecognised: the handshake had no valid cookie.
    """
    return await services().people.recognise(state.router.headers.cookie)


def tab_of(state: rx.State) -> str:
    """The tab's name. The client chooses it, so it proves nothing."""
    return clean(state.router.session.client_token)[:TAB_NAME_LENGTH]


def address_of(state: rx.State) -> str:
    """The address that the tab connects from: the socket's peer, or what a proxy in TRUSTED_PROXIES reports."""
    return state.router.session.client_ip


def thread_in_address(state: rx.State) -> str:
    """The thread in the tab's address. The route's variable exists only once the page is compiled."""
    return clean(str(getattr(state, "thread_id", "")))


def update_vars(state: rx.State, **values: Any) -> None:
    """Set only the vars whose value changes, because Reflex sends every var that is assigned, even an equal value."""
    for name, value in values.items():
        if getattr(state, name) != value:
            setattr(state, name, value)


def empty(state: rx.State, *, but: Set[str]) -> None:
    """Give all vars of a state their defaults, `but` for these, so that no new var is forgotten."""
    fields = state.get_fields()
    update_vars(state, **{name: fields[name].default_value() for name in state.base_vars if name not in but})


OF_THE_SERVER = frozenset({"is_demo", "models"})
"""Vars of `Viewer` that are the same for everybody."""


class Viewer(rx.State):
    """The person at this tab, and what they can choose from."""

    me: int = 0
    name: str = ""
    hue: int = 0
    threads: list[SidebarRow] = []
    """The rows of the sidebar, without those that have changed since they were last sent; these are in `fresh`."""
    fresh: list[SidebarRow] = []
    found: tuple[str, list[SidebarRow]] = ("", [])
    """The last query of the sidebar's search, and the threads that the server found for it."""
    is_demo: bool = False
    models: list[str] = []
    """The models that a thread's owner can choose from; the first is the server's default."""
    is_signed_out: bool = False
    notice: str = ""

    def _recognise(self, who: Identity) -> None:
        update_vars(self, me=who.user_id, name=who.name, hue=who.hue, is_signed_out=False, notice="")
        settings = services().settings
        update_vars(self, is_demo=settings.uses_demo_model, models=list(settings.models))

    def _empty(self) -> None:
        """Remove all that belongs to the person: they were signed out."""
        empty(self, but=OF_THE_SERVER)

    def _list(self, rows: Iterable[SidebarThread]) -> None:
        update_vars(self, threads=[sidebar_row_of(thread) for thread in rows], fresh=[])

    def _list_changes(self, changes: Mapping[str, SidebarThread | None]) -> None:
        fresh = {row.thread: row for row in self.fresh}
        fresh |= {thread.id: sidebar_row_of(thread) for thread in changes.values() if thread is not None}
        gone = {thread_id for thread_id, thread in changes.items() if thread is None}
        if len(fresh) <= FRESH and gone.isdisjoint(fresh) and not any(row.thread in gone for row in self.threads):
            update_vars(self, fresh=list(fresh.values()))
            return
        rows = {row.thread: row for row in self.threads} | fresh
        kept = [row for thread_id, row in rows.items() if thread_id not in gone]
        update_vars(self, threads=sorted(kept, key=lambda row: -row.active)[:LISTED], fresh=[])


OF_THE_TAB = frozenset({"thread", "is_loaded", "is_missing", "is_unsaved"})
"""Vars of `Transcript` that are about the tab, not about what people have written or set in the thread."""


class Transcript(rx.State):
    """The thread that this tab shows, and the people who wrote in it; its messages are only in the browser."""

    thread: str = ""
    title: str = ""
    settings: dict[str, str] = ThreadSettings().model_dump(mode="json")
    """The thread's settings, by their names in `ThreadSettings`."""
    people: dict[str, Person] = {}
    is_loaded: bool = False
    is_missing: bool = False
    may: list[str] = []
    """What this person may do with the thread, as values of `access.Verb`."""
    visibility: str = "open"
    read_up_to: int = 0
    """The last message that this person had read when they came or came back; 0 if there is nothing newer."""
    is_unsaved: bool = False
    looked_at: dict[str, int] = {}
    """The earlier versions of replies that this tab shows, by message."""

    def _show(self, update: TabUpdate) -> None:
        people = {str(user): Person(name, hue) for user, (name, hue) in update.people.items()}
        update_vars(self, people={**self.people, **people})
        if update.thread is not None:
            settings = update.thread.settings.model_dump(mode="json")
            update_vars(self, title=update.thread.title, settings=settings, is_loaded=True)
            update_vars(self, visibility=update.thread.visibility.value)
        if update.may is not None:
            update_vars(self, may=sorted(update.may))
        if update.is_unsaved is not None:
            update_vars(self, is_unsaved=update.is_unsaved)
        if update.read_up_to is not None:
            update_vars(self, read_up_to=update.read_up_to)
        if update.is_gone:
            self._empty()
            update_vars(self, is_missing=True)

    def _empty(self) -> None:
        """Remove all that belongs to the thread: the tab goes to another one, or may not show this one any more."""
        empty(self, but=OF_THE_TAB)


def fields_of(kind: type[tuple[Any, ...]], row: rx.Var[Any]) -> Any:
    """A named tuple of this kind whose fields are vars: those of the tuple that `row` holds."""
    parts = row.to(list)
    return kind(*(parts[place].to(of) for place, of in enumerate(get_type_hints(kind).values())))


def may(verb: Verb) -> rx.Var[bool]:
    """Whether the person at this tab may do this with its thread. Only for the page: the services check again."""
    return rx.Var.create(Transcript.may).contains(verb.value)  # pyright: ignore[reportAttributeAccessIssue]  # an array's


class Presence(rx.State):
    """Who is on the thread and who is typing, and what this tab tells the server about its own person."""

    opened: int = 0
    """Changes each time the tab opens a thread: the page must then tell the server again what it had told before."""
    people: list[PersonHere] = []
    """Up to twenty people who are on the thread."""
    count: int = 0
    """How many people are on the thread."""
    viewers: int = 0
    """How many tabs show the thread, besides the driver of a reply."""
    typing: list[str] = []
    """The names of some people who are typing, without this person."""
    typing_count: int = 0
    answered: int = 0
    """The number of the page's last connection check that was answered."""

    @remote
    async def answer(self, number: Asked) -> None:
        """Answer a page that checks whether its connection still works."""
        async with self:
            self.answered = number

    @remote
    async def look(self, is_looking: bool) -> None:
        """Note whether somebody looks at the end of the thread in this tab; meanwhile, all that it is sent is read."""
        if (tab := self._tab()) is not None:
            tab.look(is_looking=is_looking)

    @remote
    async def type(self) -> None:
        """Note that somebody is typing in this tab."""
        if (tab := self._tab()) is not None:
            tab.type()

    def _show(self, crowd: Crowd, me: int) -> None:
        typing = [person.name for person in crowd.typing if person.id != me]
        update_vars(
            self,
            people=list(crowd.people),
            count=crowd.count,
            viewers=max(0, crowd.tabs - 1),
            typing=typing[:TYPING_NAMED],
            typing_count=len(typing),
        )

    def _tab(self) -> Tab | None:
        return services().tabs.find(tab_of(self), session_of(self.router.headers.cookie))


class Live(rx.State):
    """The texts and rows on their way to this tab: only what is new, as the browser keeps them (transcript_feed.js).

    They bypass the state, whose lock and comparisons cost far more, and which would send them again at a reload. The
    vars only give the fields their names, and are always empty.
    """

    # One letter, because each frame repeats the name: (text name as "message.version", offset, text).
    f: list[Frame] = []
    r: list[RowFrame] = []
    t: tuple[str, list[tuple[int, int]]] = ("", [])
    """A text's name and its timeline, for a tab that has asked to see the text grow again."""

    @by_page_load
    async def watch(self) -> None:
        """Show a thread and keep it up to date, from its page's load until the page is left or the socket closes."""
        thread_id = thread_in_address(self)
        try:
            who = await who_asks(self)
            with services().tabs.open(tab_of(self), who, thread_id) as tab:
                await self._begin(who, thread_id)
                touch_at = -math.inf
                async for update in tab.updates(is_congested=_congestion(self)):
                    if update and update.is_live_only and time.monotonic() < touch_at:
                        await _bring(update.frames, row_frames(update))
                    else:
                        touch_at = time.monotonic() + TOUCH_EVERY
                        await self._send(update)
        except ThreadUnknown:
            await _bring(rows=[NO_ROWS])  # the tab may still show what this person saw before
            async with self:
                transcript = await self.get_state(Transcript)
                transcript._show(TabUpdate(is_gone=True))
                update_vars(transcript, is_loaded=True)
                (await self.get_state(Viewer))._list([])

    @remote
    async def catch_up(self, name: TextName, have: Offset) -> None:
        """Send a text again from `have` (code points) on, to a tab that has found a gap in the text."""
        message_id = int(name.partition(".")[0])
        message, text = await services().messages.text_of(
            await who_asks(self), thread_in_address(self), message_id, have
        )
        if text and message.name == name:
            await _bring([(name, have, text)])

    @remote
    async def show_earlier(self, before: MessageId) -> None:
        """Show the page of messages before the message `before`; the tab's own loop sends it."""
        await services().tabs.show_earlier(await who_asks(self), thread_in_address(self), before, tab=tab_of(self))

    @remote
    async def look_at(self, message_id: MessageId, version: Offset) -> None:
        """Show a version of a reply in this tab. The newest version is sent anyway, as it grows."""
        who = await who_asks(self)
        message, text = await services().replies.version_of(who, thread_in_address(self), message_id, version)
        if message.role is not Role.ASSISTANT or not 1 <= version <= message.version:
            return
        if version < message.version:
            await _bring([(f"{message_id}.{version}", 0, text)])
        async with self:
            transcript = await self.get_state(Transcript)
            looked_at = {key: seen for key, seen in transcript.looked_at.items() if key != str(message_id)}
            if version < message.version:
                looked_at[str(message_id)] = version
            update_vars(transcript, looked_at=looked_at)

    @remote
    async def replay(self, message_id: MessageId, version: Offset) -> None:
        """Send this tab the times at which a reply's chunks were stored, so that it can show how the reply grew."""
        who = await who_asks(self)
        message, timeline = await services().replies.timeline_of(who, thread_in_address(self), message_id, version)
        if not timeline or message.is_live:
            await tell(self, NO_TIMELINE)
            return
        await _bring(timeline=(f"{message_id}.{version}", timeline))

    async def _begin(self, who: Identity, thread_id: str) -> None:
        async with self:
            (await self.get_state(Viewer))._recognise(who)
            transcript = await self.get_state(Transcript)
            if transcript.thread != thread_id:
                transcript._empty()
                update_vars(transcript, is_loaded=False)
            update_vars(transcript, thread=thread_id, is_missing=False)
            presence = await self.get_state(Presence)
            presence._show(Crowd(), who.user_id)
            presence.opened = time.time_ns() // 1_000_000

    async def _send(self, update: TabUpdate) -> None:
        async with self:
            transcript = await self.get_state(Transcript)
            # Rows come after their authors' names, but before the state that shows a thread for the first time.
            comes_first = not (transcript.is_loaded and update.people)
            if comes_first:
                await _bring(update.frames, row_frames(update))
            transcript._show(update)
            viewer = await self.get_state(Viewer)
            if update.sidebar is not None:
                viewer._list(update.sidebar)
            if update.sidebar_changes:
                viewer._list_changes(update.sidebar_changes)
            if viewer.me in update.people:
                name, hue = update.people[viewer.me]
                update_vars(viewer, name=name, hue=hue)
            if update.crowd is not None:
                (await self.get_state(Presence))._show(update.crowd, viewer.me)
            if update.is_gone:
                (await self.get_state(Presence))._show(Crowd(), viewer.me)
        if not comes_first:
            await _bring(update.frames, row_frames(update))
        if update.is_signed_out:
            await show_signed_out(self)


async def _bring(
    frames: Sequence[Frame] = (),
    rows: Sequence[RowFrame] = (),
    timeline: tuple[str, list[tuple[int, int]]] | None = None,
) -> None:
    """Send texts, rows or a timeline to the tab of the current event."""
    told: tuple[tuple[Any, Any], ...] = ((Live.f, frames), (Live.r, rows), (Live.t, timeline))
    if fields := {reflex_seams.name_in_browser(field): value for field, value in told if value}:
        await reflex_seams.send_past_state(Live, fields)


def row_frames(update: TabUpdate) -> list[RowFrame]:
    """The row frames of an update."""
    if update.is_gone:
        return [NO_ROWS]
    frames: list[RowFrame] = []
    if update.is_page or update.messages:
        gone = [message.id for message in update.messages if message.is_deleted]
        rows = [row_of(message) for message in update.messages if not message.is_deleted]
        frames.append(("page" if update.is_page else "news", rows, gone, update.has_earlier))
    if update.earlier is not None:
        frames.append(("earlier", [row_of(message) for message in update.earlier], [], update.has_earlier))
    return frames


def row_of(message: MessageView) -> Row:
    """A message as a row."""
    status = "" if message.status is None else message.status.value
    author = message.author_id or -message.asked_by
    return Row(message.id, author, int(message.at.timestamp()), status, message.version, message.reason)


def sidebar_row_of(thread: SidebarThread) -> SidebarRow:
    """A thread of the sidebar as its row."""
    return SidebarRow(thread.id, thread.title, thread.active, thread.unread, int(thread.is_live))


def _congestion(state: rx.State) -> Callable[[], bool]:
    """A function that tells whether too many packets wait for this tab."""
    waiting = reflex_seams.waiting_packets(state.router.session.session_id)
    return lambda: waiting() > QUEUE_STANDS
