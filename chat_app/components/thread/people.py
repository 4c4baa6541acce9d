"""The people on a thread: who is here, who is typing, and how many tabs watch a reply."""

from typing import Any, cast

import reflex as rx

from chat_app.components import words
from chat_app.components.icons import icon
from chat_app.components.sidebar import person_dot
from chat_app.live.presence import PersonHere
from chat_app.state import Presence, Viewer, fields_of

_HERE = "people-here"
_FACES = 3
"""How many people's marks the header shows."""


def _face(person: Any) -> rx.Component:
    who = fields_of(PersonHere, person)
    return rx.el.span(
        who.name[0],
        key=who.id.to_string(),
        class_name=(
            "person-mark -ms-1.5 flex size-6 items-center justify-center rounded-full text-[0.6875rem] font-semibold "
            "uppercase ring-2 ring-background first:ms-0"
        ),
        style={"--hue": who.hue},
    )


def _person(person: Any) -> rx.Component:
    who = fields_of(PersonHere, person)
    return rx.el.li(
        person_dot(who.hue),
        rx.el.span(
            who.name,
            rx.cond(who.id == Viewer.me, rx.el.span(f" ({words.YOU})", class_name="text-muted-foreground")),
            class_name="min-w-0 truncate",
        ),
        key=who.id.to_string(),
        class_name="flex items-center gap-2.5 px-3 py-1.5 text-sm",
    )


def people_here() -> rx.Component:
    """A button with a few of the people on the thread and their number; it opens their names. Hidden for one alone."""
    people = cast("rx.vars.ArrayVar[list[PersonHere]]", Presence.people)
    count = cast("rx.vars.NumberVar[int]", Presence.count)
    more = count - people.length()
    return rx.cond(
        count > 1,
        rx.el.div(
            rx.el.button(
                rx.el.span(rx.foreach(people[:_FACES], _face), class_name="flex", custom_attrs={"aria-hidden": "true"}),
                rx.el.span(count, class_name="tabular-nums"),
                type="button",
                class_name=(
                    "flex h-9 shrink-0 cursor-pointer items-center gap-2 rounded-lg px-2 text-sm "
                    "text-muted-foreground hover:bg-muted hover:text-foreground"
                ),
                custom_attrs={"aria-label": f"{count} {words.PEOPLE_HERE}", "popoverTarget": _HERE},
            ),
            rx.el.div(
                rx.el.h2(
                    f"{count} {words.PEOPLE_HERE}", class_name="px-3 py-1.5 text-xs font-medium text-muted-foreground"
                ),
                rx.el.ul(rx.foreach(people, _person)),
                rx.cond(
                    more > 0,
                    rx.el.p(f"{words.AND} {more} {words.MORE}", class_name="px-3 py-1.5 text-sm text-muted-foreground"),
                ),
                id=_HERE,
                class_name="menu max-h-[70dvh] max-w-72 overflow-y-auto",
                custom_attrs={"popover": "auto"},
            ),
        ),
    )


def typing_line() -> rx.Component:
    """Who is typing. It takes up its space even if nobody is, so that nothing jumps."""
    names = cast("rx.vars.ArrayVar[list[str]]", Presence.typing)
    count = cast("rx.vars.NumberVar[int]", Presence.typing_count)
    line = rx.fragment(
        rx.match(
            count,
            (1, rx.fragment(names[0], f" {words.IS_TYPING}")),
            (2, rx.fragment(names[0], f" {words.AND} ", names[1], f" {words.ARE_TYPING}")),
            rx.fragment(names[0], f" {words.AND} ", count - 1, f" {words.OTHERS_ARE_TYPING}"),
        )
    )
    return rx.el.p(
        rx.cond(count > 0, line),
        role="status",
        class_name="typing-line mx-auto w-full max-w-3xl px-4 text-xs text-muted-foreground md:px-7",
    )


def viewers() -> rx.Component:
    """How many tabs watch a reply that is being written, besides the driver; hidden if there are none."""
    count = cast("rx.vars.NumberVar[int]", Presence.viewers)
    return rx.cond(
        count > 0,
        rx.el.span(
            icon("eye", "size-3.5"),
            count,
            rx.cond(count == 1, f" {words.ONE_VIEWER}", f" {words.VIEWERS}"),
            class_name="inline-flex items-center gap-1 text-xs text-muted-foreground tabular-nums whitespace-pre",
        ),
    )
