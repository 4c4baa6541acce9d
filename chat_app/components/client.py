"""The wrappers of the components written in JavaScript, `assets/transcript_text.js`."""

import json
from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.components import words
from chat_app.finder import Finder
from chat_app.state import Line, Live, Presence, Transcript, Viewer

_LIBRARY = "$/public/transcript_text.js"
_LIST_WORDS = "threadListWords"


def _gap_spec(name: rx.Var[str], have: rx.Var[int]) -> tuple[rx.Var[str], rx.Var[int]]:
    return (name, have)


class _TextFeed(rx.Component):
    library = _LIBRARY
    tag = "TextFeed"

    state: rx.Var[str]
    field: rx.Var[str]
    on_gap: rx.EventHandler[_gap_spec]


class _MessageText(rx.Component):
    library = _LIBRARY
    tag = "MessageText"
    lib_dependencies: list[str] = ["streamdown@2.7.1", "@streamdown/code@2.0.0"]

    name: rx.Var[str]
    live: rx.Var[bool]
    by_ai: rx.Var[bool]
    thinking: rx.Var[str]


class _LocalTime(rx.Component):
    library = _LIBRARY
    tag = "LocalTime"

    at: rx.Var[int]


class _ScrollFollow(rx.Component):
    library = _LIBRARY
    tag = "ScrollFollow"

    label: rx.Var[str]
    new_label: rx.Var[str]
    end_label: rx.Var[str]


def _query_spec(query: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (query,)


def _look_spec(is_looking: rx.Var[bool]) -> tuple[rx.Var[bool]]:
    return (is_looking,)


class _ThreadList(rx.Component):
    library = "$/public/thread_list.js"
    tag = "ThreadList"

    threads: rx.Var[list[Line]]
    fresh: rx.Var[list[Line]]
    found: rx.Var[tuple[str, list[Line]]]
    current: rx.Var[str]
    words: rx.Var[dict[str, str]]
    on_search: rx.EventHandler[_query_spec]

    def add_custom_code(self) -> list[str]:
        """The words, outside of the page's function: the same object each time, so that nothing is drawn anew."""
        return [f"const {_LIST_WORDS} = {json.dumps(words.THREAD_LIST)};"]


class _Attention(rx.Component):
    library = "$/public/attention.js"
    tag = "Attention"

    opened: rx.Var[int]
    on_look: rx.EventHandler[_look_spec]
    on_type: rx.EventHandler[rx.event.no_args_event_spec]


class _Passing(rx.Component):
    library = "$/public/passing.js"
    tag = "Passing"

    ms: rx.Var[int]
    on_over: rx.EventHandler[rx.event.no_args_event_spec]


def passing(*children: rx.Component, seconds: float, on_over: Any, **props: Any) -> rx.Component:
    """Shows its children for some seconds, longer while somebody is at them; then `on_over()` is called."""
    return _Passing.create(*children, ms=round(seconds * 1000), on_over=on_over, **props)


def thread_list() -> rx.Component:
    """The threads in the sidebar, the tab's own marked among them, and the field that narrows them."""
    return _ThreadList.create(
        threads=Viewer.threads,
        fresh=Viewer.fresh,
        found=Finder.found,
        current=Transcript.thread,
        words=rx.Var(_LIST_WORDS),
        on_search=Finder.find,
    )


def attention() -> rx.Component:
    """Tells the server whether somebody looks at the end of the thread, and that they type; shows nothing."""
    return _Attention.create(opened=Presence.opened, on_look=Presence.look, on_type=Presence.type)


def text_feed(on_gap: Callable[..., Any]) -> rx.Component:
    """Brings the frames of `Live.f` to the texts of the page; `on_gap(name, have)` asks for what follows `have`."""
    return _TextFeed.create(
        state=Live.get_full_name(),
        # The var's name in the browser, which Reflex marks with a suffix of its own.
        field=str(Live.f).rpartition(".")[2],
        on_gap=on_gap,
    )


def message_text(name: rx.Var[str], live: rx.Var[bool], by_ai: rx.Var[bool], thinking: str) -> rx.Component:
    """The text called `name`, as it grows; three dots labelled `thinking` while a live one has no character yet."""
    return _MessageText.create(name=name, live=live, by_ai=by_ai, thinking=thinking)


def local_time(at: rx.Var[int], class_name: str) -> rx.Component:
    """The time `at`, in seconds since the epoch, in the reader's language and zone."""
    return _LocalTime.create(at=at, class_name=class_name)


def scroll_follow(
    *children: rx.Component, key: rx.Var[str] | str, label: str, new_label: str, end_label: str
) -> rx.Component:
    """A scrolling box that stays at its end while the reader is there; another `key` starts at the end again."""
    return _ScrollFollow.create(*children, key=key, label=label, new_label=new_label, end_label=end_label)
