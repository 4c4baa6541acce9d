"""The transcript: a thread's messages, as rows."""

from typing import cast

import reflex as rx

from chat_app.access import Verb
from chat_app.components import actions as action
from chat_app.components import words
from chat_app.components.actions import Actions
from chat_app.components.client import local_time, message_text, scroll_follow
from chat_app.components.composer import from_composer_js
from chat_app.components.icons import icon
from chat_app.components.people import viewers
from chat_app.state import Person, Row, Transcript, Viewer, may

_COLUMN = "mx-auto w-full max-w-3xl px-4 md:px-6"


class _RowView:
    """The parts of a `Row` by name, as vars."""

    def __init__(self, row: rx.vars.ArrayVar[Row]) -> None:
        self.message = cast("rx.vars.NumberVar[int]", row[0])
        self.author = cast("rx.vars.NumberVar[int]", row[1])
        self.at = cast("rx.vars.NumberVar[int]", row[2])
        self.status = cast("rx.vars.StringVar", row[3])
        self.attempt = cast("rx.vars.NumberVar[int]", row[4])
        self.reason = cast("rx.vars.StringVar", row[5])

    @property
    def shown(self) -> rx.vars.NumberVar[int]:
        """The version that this tab shows: the newest, unless somebody looks at an earlier one."""
        looked_at = cast("rx.vars.ObjectVar[dict[str, int]]", Transcript.looked_at)
        return cast(
            "rx.vars.NumberVar[int]",
            rx.Var(
                f"({looked_at[self.message.to_string()]!s} ?? {self.attempt!s})",
                _var_data=looked_at._get_all_var_data(),
            ).to(int),
        )

    @property
    def text_name(self) -> rx.Var[str]:
        return rx.Var.create(f"{self.message}.{self.shown}")

    @property
    def is_cut_off(self) -> rx.Var[bool]:
        """Whether there is more to be had of a reply that has ended."""
        return ~self.is_live & ((self.status != "done") | (self.reason != ""))

    @property
    def is_live(self) -> rx.Var[bool]:
        return (self.status == "pending") | (self.status == "streaming")

    @property
    def is_mine(self) -> rx.Var[bool]:
        return self.author == Viewer.me

    @property
    def may_delete(self) -> rx.Var[bool]:
        """All where one may clear; else what one wrote, and the replies that one asked for."""
        is_theirs = self.is_mine | (self.author == -cast("rx.vars.NumberVar[int]", Viewer.me))
        return may(Verb.CLEAR) | (may(Verb.POST) & is_theirs)

    @property
    def person(self) -> Person:
        people = cast("rx.vars.ObjectVar[dict[str, Person]]", Transcript.people)
        return cast("Person", people[self.author.to_string()])


def _text(row: _RowView, by_ai: bool) -> rx.Component:
    return message_text(row.text_name, row.is_live & (row.shown == row.attempt), rx.Var.create(by_ai), words.THINKING)


def _time(row: _RowView) -> rx.Component:
    return local_time(row.at, "text-xs text-muted-foreground")


def _edited(row: _RowView) -> rx.Component:
    return rx.cond(row.attempt > 0, rx.el.span(f"({words.EDITED})", class_name="text-xs text-muted-foreground"))


def _mine(row: _RowView, actions: Actions) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.span(words.YOU, class_name="sr-only"),
            rx.cond(may(Verb.POST), action.edit(row.text_name)),
            rx.cond(row.may_delete, action.delete(actions, row.message)),
            _edited(row),
            _time(row),
            class_name="flex items-center justify-end gap-1 pb-1 pe-1",
        ),
        rx.el.div(
            _text(row, by_ai=False),
            class_name="ms-auto w-fit max-w-[88%] rounded-2xl rounded-se-md bg-accent px-4 py-2.5 md:max-w-[80%]",
        ),
    )


def _header(name: rx.Component, row: _RowView, *more: rx.Component) -> rx.Component:
    return rx.el.div(name, _time(row), *more, class_name="flex flex-wrap items-baseline gap-x-2 pb-0.5")


def _with_mark(mark: rx.Component, *children: rx.Component) -> rx.Component:
    return rx.el.div(mark, rx.el.div(*children, class_name="min-w-0 flex-1"), class_name="flex gap-3")


def _from_person(row: _RowView, actions: Actions) -> rx.Component:
    name = rx.cond(row.person.name, row.person.name, words.UNKNOWN_PERSON).to(str)
    return _with_mark(
        rx.el.span(
            name[0],
            class_name=(
                "person-mark flex size-8 shrink-0 items-center justify-center rounded-full text-sm font-semibold "
                "uppercase"
            ),
            style={"--hue": row.person.hue},
            custom_attrs={"aria-hidden": "true"},
        ),
        _header(
            rx.el.span(name, class_name="person text-sm font-semibold", style={"--hue": row.person.hue}),
            row,
            _edited(row),
            rx.cond(row.may_delete, action.delete(actions, row.message)),
        ),
        _text(row, by_ai=False),
    )


def _ending(icon_name: str, tone: str, row: _RowView) -> rx.Component:
    return rx.el.p(
        icon(icon_name, "mt-0.5 size-4"),
        rx.el.span(row.reason, class_name="min-w-0"),
        class_name=f"mt-2 flex w-fit max-w-full gap-2 rounded-xl px-3 py-2 text-sm {tone}",
    )


def _reason(row: _RowView) -> rx.Component:
    """Why a reply ended otherwise than well, or does not go on."""
    return rx.fragment(
        rx.match(
            row.status,
            ("stopped", _ending("halted", "bg-muted text-muted-foreground", row)),
            ("timeout", _ending("clock", "bg-caution-tint text-caution", row)),
            ("error", _ending("warning", "bg-danger-tint text-danger", row)),
            # Well done needs no word; done with a reason, such as a limit of length, does.
            rx.cond(row.reason != "", _ending("clock", "bg-muted text-muted-foreground", row)),
        )
    )


def _buttons(row: _RowView, actions: Actions) -> rx.Component:
    ended = rx.fragment(
        rx.cond(row.is_cut_off & may(Verb.CONTINUE), action.go_on(actions, row.message)),
        rx.cond(may(Verb.RETRY), action.retry(actions, row.message)),
    )
    return rx.el.div(
        rx.cond(row.is_live, rx.fragment(rx.cond(may(Verb.STOP), action.stop(actions, row.message)), viewers()), ended),
        rx.cond(row.attempt > 1, action.versions(actions, row.message, row.shown, row.attempt)),
        rx.cond(row.may_delete, action.delete(actions, row.message)),
        class_name="message-actions mt-2 flex flex-wrap items-center gap-2",
    )


def _from_ai(row: _RowView, actions: Actions) -> rx.Component:
    return _with_mark(
        rx.el.span(
            icon("river"),
            class_name=(
                "flex size-8 shrink-0 items-center justify-center rounded-full bg-primary text-primary-foreground"
            ),
        ),
        _header(
            rx.el.span(
                words.AI_NAME,
                rx.el.span(
                    words.AI_BADGE,
                    class_name="ms-1.5 rounded bg-accent px-1 py-0.5 text-[0.6875rem] font-medium text-primary",
                ),
                rx.cond(row.status == "streaming", rx.el.span(words.WRITING, class_name="sr-only")),
                class_name="text-sm font-semibold",
            ),
            row,
        ),
        _text(row, by_ai=True),
        rx.cond(row.shown == row.attempt, _reason(row)),
        _buttons(row, actions),
    )


def _row(row: _RowView, actions: Actions) -> rx.Component:
    return rx.el.article(
        rx.cond(
            row.author <= 0,
            _from_ai(row, actions),
            rx.cond(row.is_mine, _mine(row, actions), _from_person(row, actions)),
        ),
        key=row.message.to_string(),
        class_name="py-3",
        custom_attrs={
            "data-message": row.message,
            "data-status": row.status,
            "aria-busy": row.is_live,
        },
    )


def _suggestion(text: str) -> rx.Component:
    return rx.el.button(
        text,
        type="button",
        class_name=(
            "cursor-pointer rounded-xl border border-border bg-card px-3.5 py-2 text-start text-sm "
            "text-muted-foreground hover:border-primary hover:text-foreground"
        ),
        custom_attrs={"data-compose": text, "onClick": from_composer_js("compose")},
    )


def _invitation() -> rx.Component:
    return rx.fragment(
        rx.el.h2(words.EMPTY_TITLE, class_name="text-xl font-semibold tracking-tight text-balance"),
        rx.el.p(
            rx.cond(
                Transcript.reply_mode == "always",
                words.EMPTY_TEXT_ALWAYS,
                rx.fragment(
                    words.EMPTY_TEXT_BEFORE,
                    rx.el.code(
                        words.MENTION, class_name="rounded bg-accent px-1.5 py-0.5 font-mono text-sm text-primary"
                    ),
                    words.EMPTY_TEXT_AFTER,
                ),
            ),
            class_name="max-w-md text-muted-foreground text-pretty",
        ),
        rx.el.div(*(_suggestion(text) for text in words.SUGGESTIONS), class_name="flex flex-col gap-2 pt-2"),
    )


def _empty() -> rx.Component:
    return rx.el.div(
        rx.el.span(
            icon("river", "size-7"),
            class_name="flex size-14 items-center justify-center rounded-2xl bg-accent text-primary",
        ),
        rx.cond(
            may(Verb.POST),
            _invitation(),
            rx.el.p(words.EMPTY_READ_ONLY, class_name="text-muted-foreground"),
        ),
        class_name=f"{_COLUMN} flex flex-col items-center gap-4 py-[12dvh] text-center",
    )


def _skeleton() -> rx.Component:
    widths = (("w-24", "w-2/3"), ("w-16", "w-11/12"), ("w-28", "w-1/2"))
    return rx.el.div(
        *(
            rx.el.div(
                rx.el.span(class_name="size-8 shrink-0 rounded-full bg-muted"),
                rx.el.div(
                    rx.el.div(class_name=f"h-3 rounded bg-muted {name}"),
                    rx.el.div(class_name=f"h-3 rounded bg-muted {text}"),
                    class_name="flex flex-1 flex-col gap-3 pt-1",
                ),
                class_name="flex gap-3",
            )
            for name, text in widths
        ),
        role="status",
        class_name=f"{_COLUMN} skeleton flex flex-col gap-8 py-8",
        custom_attrs={"aria-label": words.LOADING},
    )


def transcript(actions: Actions) -> rx.Component:
    """The messages, following the newest."""
    # One list, so that a row that moves from the recent to the older ones is the same row on the page.
    rows = cast("rx.vars.ArrayVar[list[Row]]", Transcript.older + Transcript.recent)
    return scroll_follow(
        rx.cond(
            Transcript.is_loaded,
            rx.cond(
                rows.length() > 0,
                rx.el.div(
                    rx.foreach(rows, lambda row: _row(_RowView(row), actions)),
                    class_name=f"{_COLUMN} pb-4 pt-3",
                ),
                _empty(),
            ),
            _skeleton(),
        ),
        key=Transcript.thread,
        label=words.MESSAGES,
        new_label=words.NEW_BELOW,
        end_label=words.TO_END,
    )
