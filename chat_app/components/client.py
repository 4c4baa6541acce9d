"""Wrappers for the components that are written in JavaScript, in `assets/`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx
from reflex.vars import VarData

from chat_app.components import words
from chat_app.components.finder import Finder
from chat_app.reflex_seams import name_in_browser
from chat_app.state import Live, Presence, Row, SidebarRow, Transcript, Viewer

_LIST_WORDS = "threadListWords"
_MARKDOWN_WORDS = "markdownWords"


@dataclass(frozen=True)
class Entry:
    """A row at its place on the page, as assets/row_store.js makes it."""

    row: Row
    leads: bool
    """Whether it shows its author's name; if not, it continues under the name above it."""
    dated: bool
    """Whether it is the first of its day."""
    above: int
    """The message above it, or 0."""


def _library(name: str) -> str:
    return f"$/public/{name}.js"


def _gap_spec(name: rx.Var[str], have: rx.Var[int]) -> tuple[rx.Var[str], rx.Var[int]]:
    return (name, have)


def _message_spec(message: rx.Var[int]) -> tuple[rx.Var[int]]:
    return (message,)


class _TranscriptFeed(rx.Component):
    library = _library("transcript_feed")
    tag = "TranscriptFeed"

    state: rx.Var[str]
    text_field: rx.Var[str]
    row_field: rx.Var[str]
    timeline_field: rx.Var[str]
    on_gap: rx.EventHandler[_gap_spec]


class _MessageText(rx.Component):
    library = _library("message_text")
    tag = "MessageText"
    lib_dependencies: list[str] = [
        # Markdown as models write it: parsed, made safe, and completed while it grows.
        "unified@11.0.5",
        "remark-parse@11.0.0",
        "remark-gfm@4.0.1",
        "remark-breaks@4.0.0",
        "remark-rehype@11.1.2",
        "rehype-sanitize@6.0.0",
        "hast-util-to-jsx-runtime@2.3.7",
        "remend@1.4.0",
        # For emphasis beside Chinese, Japanese and Korean punctuation.
        "remark-cjk-friendly@2.3.3",
        "remark-cjk-friendly-gfm-strikethrough@2.3.2",
        # For code, in a worker.
        "@shikijs/primitive@4.6.0",
        "@shikijs/engine-javascript@4.6.0",
        "@shikijs/langs@4.6.0",
        # For mathematics.
        "katex@0.16.27",
        "remark-math@6.0.0",
        "hast-util-from-html@2.0.3",
    ]

    name: rx.Var[str]
    live: rx.Var[bool]
    by_ai: rx.Var[bool]
    reason: rx.Var[str]
    since: rx.Var[int]
    thinking: rx.Var[str]
    replay_end: rx.Var[str]
    replay_speed: rx.Var[str]
    words: rx.Var[dict[str, str]]

    def add_custom_code(self) -> list[str]:
        """The words, one object for all texts: a new object would make each text render again."""
        return [f"const {_MARKDOWN_WORDS} = {json.dumps(words.MARKDOWN)};"]


class _ReplayButton(rx.Component):
    library = _library("replay")
    tag = "ReplayButton"

    name: rx.Var[str]
    label: rx.Var[str]
    on_replay: rx.EventHandler[rx.event.no_args_event_spec]


class _CopyText(rx.Component):
    library = _library("message_text")
    tag = "CopyText"

    name: rx.Var[str]
    label: rx.Var[str]
    copied_label: rx.Var[str]


class _LocalTime(rx.Component):
    library = _library("local_time")
    tag = "LocalTime"

    at: rx.Var[int]
    alone: rx.Var[bool]


class _LocalDay(rx.Component):
    library = _library("local_time")
    tag = "LocalDay"

    at: rx.Var[int]
    today_label: rx.Var[str]
    yesterday_label: rx.Var[str]


class _ScrollFollow(rx.Component):
    library = _library("scroll_follow")
    tag = "ScrollFollow"

    label: rx.Var[str]
    new_label: rx.Var[str]
    one_label: rx.Var[str]
    growing_label: rx.Var[str]
    end_label: rx.Var[str]
    earlier_label: rx.Var[str]
    busy_label: rx.Var[str]
    on_earlier: rx.EventHandler[_message_spec]


def _query_spec(query: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (query,)


def _look_spec(is_looking: rx.Var[bool]) -> tuple[rx.Var[bool]]:
    return (is_looking,)


class _ThreadList(rx.Component):
    library = _library("thread_list")
    tag = "ThreadList"

    threads: rx.Var[list[SidebarRow]]
    fresh: rx.Var[list[SidebarRow]]
    found: rx.Var[tuple[str, list[SidebarRow]]]
    current: rx.Var[str]
    words: rx.Var[dict[str, str]]
    on_search: rx.EventHandler[_query_spec]

    def add_custom_code(self) -> list[str]:
        """The words, outside of the page's function: always the same object, so that nothing renders again."""
        return [f"const {_LIST_WORDS} = {json.dumps(words.THREAD_LIST)};"]


class _Attention(rx.Component):
    library = _library("attention")
    tag = "Attention"

    opened: rx.Var[int]
    on_look: rx.EventHandler[_look_spec]
    on_type: rx.EventHandler[rx.event.no_args_event_spec]


class _Toast(rx.Component):
    library = _library("toast")
    tag = "Toast"

    ms: rx.Var[int]
    on_over: rx.EventHandler[rx.event.no_args_event_spec]


def toast(*children: rx.Component, seconds: float, on_over: Any, **props: Any) -> rx.Component:
    """Shows its children for some seconds, longer while they have the pointer or the focus; then calls `on_over()`."""
    return _Toast.create(*children, ms=round(seconds * 1000), on_over=on_over, **props)


def thread_list() -> rx.Component:
    """The threads in the sidebar, with the tab's own marked, and the field that searches them."""
    return _ThreadList.create(
        threads=Viewer.threads,
        fresh=Viewer.fresh,
        found=Viewer.found,
        current=Transcript.thread,
        words=rx.Var(_LIST_WORDS),
        on_search=Finder.find,
    )


def attention() -> rx.Component:
    """Tells the server whether somebody looks at the end of the thread, and whether they type; shows nothing."""
    return _Attention.create(opened=Presence.opened, on_look=Presence.look, on_type=Presence.type)


def transcript_feed(on_gap: Callable[..., Any]) -> rx.Component:
    """Passes the frames of `Live` to the page; `on_gap(name, have)` asks for the text that follows `have`."""
    return _TranscriptFeed.create(
        state=Live.get_full_name(),
        text_field=name_in_browser(Live.f),
        row_field=name_in_browser(Live.r),
        timeline_field=name_in_browser(Live.t),
        on_gap=on_gap,
    )


def _from_feed(hook: str, name: str) -> rx.Var[Any]:
    imports = {_library("transcript_feed"): [rx.ImportVar(tag=hook)]}
    return rx.Var(name, _var_data=VarData(imports=imports, hooks={f"const {name} = {hook}();": None}))


def entries() -> rx.vars.ArrayVar[list[Entry]]:
    """The rows of the transcript that the browser has, oldest first."""
    return _from_feed("useEntries", "entries").to(list[Entry])


def message_text(
    name: rx.Var[str], live: rx.Var[bool], by_ai: rx.Var[bool], reason: rx.Var[str], since: rx.Var[int], thinking: str
) -> rx.Component:
    """The text called `name`, as it grows.

    While a live text is empty, it shows the `reason` why it waits, or `thinking` and how long it has waited. That time
    counts from `since`, in seconds since the epoch.
    """
    return _MessageText.create(
        name=name,
        live=live,
        by_ai=by_ai,
        reason=reason,
        since=since,
        thinking=thinking,
        replay_end=words.REPLAY_END,
        replay_speed=words.REPLAY_SPEED,
        words=rx.Var(_MARKDOWN_WORDS),
    )


def replay_button(name: rx.Var[str], mark: rx.Component, class_name: str, on_replay: Any) -> rx.Component:
    """A button that replays how the text called `name` grew; `on_replay` asks for its timeline."""
    return _ReplayButton.create(mark, name=name, label=words.REPLAY, class_name=class_name, on_replay=on_replay)


def copy_text(name: rx.Var[str], mark: rx.Component, done_mark: rx.Component, class_name: str) -> rx.Component:
    """A button that copies the text called `name`, and then shows `done_mark` in place of `mark` for a moment."""
    return _CopyText.create(
        mark,
        done_mark,
        name=name,
        label=words.COPY_MESSAGE,
        copied_label=words.COPIED,
        class_name=f"{class_name} copy-text",
    )


def local_time(at: rx.Var[int], class_name: str, *, is_alone: bool = True) -> rx.Component:
    """The time `at`, in seconds since the epoch, in the reader's language and zone; with `is_alone`, also the day."""
    return _LocalTime.create(at=at, alone=is_alone, class_name=class_name)


def local_day(at: rx.Var[int], class_name: str) -> rx.Component:
    """The day of the time `at`, in seconds since the epoch, in the reader's language and zone."""
    return _LocalDay.create(at=at, today_label=words.TODAY, yesterday_label=words.YESTERDAY, class_name=class_name)


def scroll_follow(*children: rx.Component, key: rx.Var[str] | str, on_earlier: Callable[..., Any]) -> rx.Component:
    """The transcript's box, which stays at its end while the reader is there; a new `key` starts at the end again.

    `on_earlier(message)` asks for the messages before that one.
    """
    return _ScrollFollow.create(
        *children,
        key=key,
        label=words.MESSAGES,
        new_label=words.NEW_BELOW,
        one_label=words.ONE_BELOW,
        growing_label=words.MORE_BELOW,
        end_label=words.TO_END,
        earlier_label=words.EARLIER,
        busy_label=words.EARLIER_BUSY,
        on_earlier=on_earlier,
    )
