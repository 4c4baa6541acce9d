"""The transcript: a thread's messages, as rows."""

import functools
import operator
from dataclasses import dataclass
from typing import Any, cast

import reflex as rx

from chat_app.components import words
from chat_app.components.client import entries, local_day, local_time, message_text, scroll_follow
from chat_app.components.dialogs.details_dialog import details_dialog
from chat_app.components.icons import icon
from chat_app.components.thread import actions as action
from chat_app.components.thread.actions import Actions
from chat_app.components.thread.composer import from_composer_js
from chat_app.components.thread.people import viewers
from chat_app.state import Person, Row, Transcript, Viewer, fields_of, may
from chat_app.threads.access import Verb
from tributary_streams import LIVE_STATUSES

_COLUMN = "mx-auto w-full max-w-3xl px-4 md:px-6"


class _RowView:
    """A message on the page, as vars."""

    def __init__(self, row: rx.Var[Row], context: "_Context") -> None:
        fields = fields_of(Row, row)
        self.message: rx.vars.NumberVar[int] = fields.message
        self.author: rx.vars.NumberVar[int] = fields.author
        self.at: rx.vars.NumberVar[int] = fields.at
        self.status: rx.vars.StringVar = fields.status
        self.version: rx.vars.NumberVar[int] = fields.version
        self.reason: rx.vars.StringVar = fields.reason
        self.leads = context.leads
        self.shown = context.shown
        self.name = rx.cond(context.name, context.name, words.UNKNOWN_PERSON).to(str)
        self.hue = context.hue
        self.is_mine = self.author == context.me
        self.is_by_ai = self.author <= 0
        is_theirs = self.is_mine | (self.author == -cast("rx.vars.NumberVar[int]", context.me))
        self._rights = cast("rx.vars.ArrayVar[list[str]]", context.rights)
        self.may_delete = self.may(Verb.CLEAR) | (self.may(Verb.POST) & is_theirs)
        """A person who may clear the thread may delete every message; others their own, and replies they asked for."""

    def may(self, verb: Verb) -> rx.Var[bool]:
        """Whether the person at this tab may do this with the thread; the services check again."""
        return self._rights.contains(verb.value)

    @property
    def text_name(self) -> rx.Var[str]:
        return rx.Var.create(f"{self.message}.{self.shown}")

    @property
    def is_cut_off(self) -> rx.Var[bool]:
        """Whether an ended reply is incomplete, so that it can be continued."""
        return ~self.is_live & ((self.status != "done") | (self.reason != ""))

    @property
    def is_live(self) -> rx.Var[bool]:
        return functools.reduce(operator.or_, (self.status == status.value for status in sorted(LIVE_STATUSES)))

    @property
    def is_newest(self) -> rx.Var[bool]:
        """Whether the shown version is the newest, the only one that can still change."""
        return self.shown == self.version


@dataclass(frozen=True)
class _Context:
    """What a row gets from its surroundings, as vars. A change of one of them concerns only a few rows."""

    leads: rx.Var[bool]
    shown: rx.Var[int]
    name: rx.Var[str]
    hue: rx.Var[int]
    me: rx.Var[int]
    rights: rx.Var[list[str]]


def _text(row: _RowView, by_ai: bool) -> rx.Component:
    return message_text(
        row.text_name, row.is_live & row.is_newest, rx.Var.create(by_ai), row.reason, row.at, words.THINKING
    )


def _time(row: _RowView, class_name: str = "") -> rx.Component:
    return local_time(row.at, f"text-xs text-muted-foreground {class_name}", is_alone=False)


def _tools(row: _RowView, actions: Actions) -> rx.Component:
    """The buttons of a person's message, over its end; shown only for the message that is looked at."""
    return rx.el.div(
        action.copy(row.text_name),
        rx.cond(row.is_mine & row.may(Verb.POST), action.edit(row.text_name)),
        rx.cond(row.may_delete, action.delete(actions, row.message)),
        class_name="message-tools",
        role="group",
        custom_attrs={"aria-label": words.MESSAGE_TOOLS},
    )


def _edited(row: _RowView) -> rx.Component:
    return rx.cond(row.version > 0, rx.el.span(f"({words.EDITED})", class_name="text-xs text-muted-foreground"))


def _mine(row: _RowView, actions: Actions) -> rx.Component:
    return rx.el.div(
        rx.el.span(words.YOU, class_name="sr-only"),
        rx.cond(row.leads, rx.el.div(_time(row), class_name="pb-1 pe-1 text-end")),
        rx.el.div(
            _text(row, by_ai=False),
            class_name="ms-auto w-fit max-w-[88%] rounded-2xl rounded-se-md bg-accent px-4 py-2.5 md:max-w-[80%]",
        ),
        rx.cond(row.version > 0, rx.el.div(_edited(row), class_name="pe-1 text-end")),
        _tools(row, actions),
    )


def _header(name: rx.Component, row: _RowView) -> rx.Component:
    return rx.el.div(name, _time(row), class_name="flex flex-wrap items-baseline gap-x-2 pb-0.5")


def _with_mark(mark: rx.Component, *children: rx.Component) -> rx.Component:
    return rx.el.div(mark, rx.el.div(*children, class_name="min-w-0 flex-1"), class_name="flex gap-3")


def _person_mark(row: _RowView) -> rx.Component:
    return rx.el.span(
        row.name[0],
        class_name=(
            "person-mark flex size-8 shrink-0 items-center justify-center rounded-full text-sm font-semibold uppercase"
        ),
        style={"--hue": row.hue},
        custom_attrs={"aria-hidden": "true"},
    )


def _from_person(row: _RowView, actions: Actions) -> rx.Component:
    person = rx.el.span(row.name, class_name="person text-sm font-semibold", style={"--hue": row.hue})
    return rx.fragment(
        _with_mark(
            rx.cond(row.leads, _person_mark(row), _time(row, "message-aside w-8 shrink-0 pt-1.5")),
            rx.cond(row.leads, _header(person, row), rx.el.span(row.name, class_name="sr-only")),
            _text(row, by_ai=False),
            _edited(row),
        ),
        _tools(row, actions),
    )


def _ending(icon_name: str, tone: str, row: _RowView) -> rx.Component:
    return rx.el.p(
        icon(icon_name, "mt-0.5 size-4"),
        rx.el.span(row.reason, class_name="min-w-0"),
        class_name=f"mt-2 flex w-fit max-w-full gap-2 rounded-xl px-3 py-2 text-sm {tone}",
    )


def _reason(row: _RowView) -> rx.Component:
    """Why a reply ended early."""
    return rx.fragment(
        rx.match(
            row.status,
            ("stopped", _ending("halted", "bg-muted text-muted-foreground", row)),
            ("timeout", _ending("clock", "bg-caution-tint text-caution", row)),
            ("error", _ending("warning", "bg-danger-tint text-danger", row)),
            # A normal end needs no words; one with a reason, such as a limit of length, does.
            ("done", rx.cond(row.reason != "", _ending("cut", "bg-muted text-muted-foreground", row))),
            rx.fragment(),
        )
    )


@rx.memo
def _viewers() -> rx.Component:
    # A component of its own, so that only this renders again when somebody comes or goes.
    return viewers()


def _buttons(row: _RowView, actions: Actions) -> rx.Component:
    cut_off = rx.fragment(
        rx.cond(row.may(Verb.CONTINUE), action.go_on(actions, row.message)),
        rx.cond(row.may(Verb.RETRY), action.retry(actions, row.message)),
    )
    ended = rx.fragment(
        rx.cond(row.is_cut_off, cut_off),
        action.copy(row.text_name),
        rx.cond(~row.is_cut_off & row.may(Verb.RETRY), action.retry_quietly(actions, row.message)),
        action.replay(actions, row.message, row.shown, row.text_name),
        action.details(row.message),
    )
    return rx.el.div(
        rx.cond(
            row.is_live,
            rx.fragment(
                rx.cond(row.may(Verb.STOP), action.stop(actions, row.message)),
                rx.cond(row.status == "streaming", action.copy(row.text_name)),
                _viewers(),
            ),
            ended,
        ),
        rx.cond(row.version > 1, action.versions(actions, row.message, row.shown, row.version)),
        rx.cond(row.may_delete, action.delete(actions, row.message)),
        class_name="message-actions",
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
        rx.cond(row.is_newest, _reason(row)),
        _buttons(row, actions),
    )


def _message(row: _RowView, actions: Actions) -> rx.Component:
    return rx.el.article(
        rx.cond(
            row.is_by_ai,
            _from_ai(row, actions),
            rx.cond(row.is_mine, _mine(row, actions), _from_person(row, actions)),
        ),
        class_name="message",
        # So that a tap gives it the focus, which shows its buttons.
        tab_index=-1,
        custom_attrs={
            "data-message": row.message,
            "data-status": row.status,
            "data-leads": rx.cond(row.leads, "", rx.Var("undefined")),
            "aria-busy": row.is_live,
        },
    )


def _day(at: rx.Var[int]) -> rx.Component:
    return rx.el.h2(
        local_day(at, "rounded-full bg-background px-3 text-xs font-medium text-muted-foreground"),
        class_name="day-line",
    )


def _unread() -> rx.Component:
    return rx.el.div(rx.el.span(words.UNREAD), class_name="unread-line", role="note")


def _shown(row: Any) -> rx.Var[int]:
    """The version that this tab shows: the newest, unless the person has chosen an earlier one."""
    looked_at = cast("rx.vars.ObjectVar[dict[str, int]]", Transcript.looked_at)
    message = row.message.to_string()
    return cast("rx.Var[int]", rx.cond(looked_at.contains(message), looked_at[message], row.version))


def _rows(actions: Actions) -> rx.Component:
    # A component for each row, because React skips components that have not changed.
    @rx.memo
    def message_row(
        row: rx.Var[Row],
        leads: rx.Var[bool],
        shown: rx.Var[int],
        name: rx.Var[str],
        hue: rx.Var[int],
        me: rx.Var[int],
        rights: rx.Var[list[str]],
    ) -> rx.Component:
        return _message(_RowView(row, _Context(leads, shown, name, hue, me, rights)), actions)

    def entry(each: Any) -> rx.Component:  # an `Entry`, as a var
        row = fields_of(Row, each.row)
        people = cast("rx.vars.ObjectVar[dict[str, Person]]", Transcript.people)
        author = cast("Person", people[row.author.to_string()])
        read_up_to = cast("rx.vars.NumberVar[int]", Transcript.read_up_to)
        is_first_unread = (read_up_to > 0) & (each.above <= read_up_to) & (row.message > read_up_to)
        return rx.fragment(
            rx.cond(each.dated, _day(row.at)),
            rx.cond(is_first_unread, _unread()),
            message_row(
                row=each.row,
                leads=each.leads | is_first_unread,
                shown=_shown(row),
                name=author.name,
                hue=author.hue,
                me=Viewer.me,
                rights=Transcript.may,
            ),
            key=row.message.to_string(),
        )

    return rx.el.div(rx.foreach(entries(), entry), class_name=f"{_COLUMN} pb-4 pt-3")


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
                Transcript.settings["reply_mode"] == "always",
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
    """The messages, scrolled to the newest."""
    return rx.fragment(
        scroll_follow(
            rx.cond(
                Transcript.is_loaded,
                rx.cond(entries().length() > 0, _rows(actions), _empty()),
                _skeleton(),
            ),
            key=Transcript.thread,
            on_earlier=actions.on_earlier,
        ),
        details_dialog(),
    )
