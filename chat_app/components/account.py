"""The parts of the account page: a person's name and colour, tokens for scripts, and signing out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import reflex as rx

from chat_app.components import words
from chat_app.components.client import local_time
from chat_app.components.dialogs.dialog import FIELD, PLAIN, QUIET, confirm, opens
from chat_app.components.dialogs.secret import shown_once
from chat_app.components.sidebar import person_dot
from chat_app.people.names import NAME_LENGTH
from chat_app.people.tokens import TOKEN_NAME_LENGTH
from chat_app.state import Viewer

SHOWN_ONCE_ID = "new-token"
"""The id of the field that shows a new token."""
_ME = "who-i-am"
# The dot shows the colour while it is being chosen.
_SHOW_HUE = rx.Var(
    f'(event) => document.querySelector("#{_ME} .person-dot").style.setProperty("--hue", event.target.value)'
)
_SIGN_OUT = "sign-out"
_CARD = "mx-auto mt-5 w-full max-w-2xl rounded-2xl border border-border bg-card p-4 md:p-5"
_HEADING = "text-base font-semibold tracking-tight"
_TEXT = "mt-1 text-sm text-muted-foreground text-pretty"

Handler = Callable[..., Any]


@dataclass(frozen=True)
class AccountActions:
    """The page's handlers of tokens: `on_make` takes a name, `on_revoke` a token's id."""

    on_make: Handler
    on_revoke: Handler


def person(on_rename: Handler) -> rx.Component:
    """The name and colour that everybody sees, and the form that changes them: `on_rename(name, hue)`."""

    def submit(form: rx.Var[dict[str, str]]) -> Any:
        fields = form.to(dict[str, str])
        return on_rename(fields["name"], fields["hue"])

    return rx.el.section(
        rx.el.p(
            person_dot(Viewer.hue),
            rx.el.span(Viewer.name, class_name="min-w-0 truncate"),
            id=_ME,
            class_name="flex items-center gap-3 text-xl font-semibold tracking-tight",
        ),
        rx.el.p(words.NAME_TEXT, class_name=_TEXT),
        rx.el.form(
            rx.el.label(
                rx.el.span(words.NAME, class_name="text-sm font-medium"),
                rx.el.input(
                    name="name",
                    # The fields keep their own values; a new key resets them to the new name and colour.
                    key=Viewer.name,
                    default_value=Viewer.name,
                    max_length=NAME_LENGTH,  # a browser counts UTF-16 units
                    required=True,
                    auto_complete="nickname",
                    class_name=f"{FIELD} w-full",
                    custom_attrs={"dir": "auto", "spellCheck": "false"},
                ),
                class_name="flex min-w-48 flex-1 flex-col gap-1",
            ),
            rx.el.label(
                rx.el.span(words.COLOUR, class_name="text-sm font-medium"),
                rx.el.input(
                    type="range",
                    name="hue",
                    key=Viewer.hue.to_string(),  # pyright: ignore[reportAttributeAccessIssue]  # a var's
                    default_value=Viewer.hue.to_string(),  # pyright: ignore[reportAttributeAccessIssue]  # a var's
                    min=0,
                    max=359,
                    class_name="hue-slider",
                    custom_attrs={"onInput": _SHOW_HUE},
                ),
                class_name="flex min-w-40 flex-1 flex-col gap-1",
            ),
            rx.el.button(words.SAVE, type="submit", class_name=PLAIN),
            on_submit=submit,
            class_name="mt-3 flex flex-wrap items-end gap-x-4 gap-y-3",
        ),
        class_name=_CARD.replace("mt-5 ", ""),
    )


def _token(token: Any, on_revoke: Handler) -> rx.Component:
    return rx.el.li(
        rx.el.span(
            rx.el.span(token.name, class_name="block truncate text-sm font-medium"),
            rx.el.span(
                f"{words.TOKEN_USED} ",
                local_time(cast("rx.Var[int]", token.seen), ""),
                class_name="block text-xs text-muted-foreground",
            ),
            class_name="min-w-0 flex-1",
        ),
        rx.el.button(
            words.REVOKE,
            type="button",
            on_click=on_revoke(token.id),
            class_name=QUIET,
            custom_attrs={"aria-label": f"{words.REVOKE} {token.name}"},
        ),
        key=token.id,
        class_name="flex items-center gap-2 py-2",
    )


def _new_token(on_make: Handler) -> rx.Component:
    def submit(form: rx.Var[dict[str, str]]) -> Any:
        return on_make(form.to(dict[str, str])["name"])

    return rx.el.form(
        rx.el.input(
            name="name",
            placeholder=words.TOKEN_PLACEHOLDER,
            max_length=TOKEN_NAME_LENGTH,
            required=True,
            auto_complete="off",
            class_name=f"{FIELD} min-w-40 flex-1",
            custom_attrs={"aria-label": words.TOKEN_NAME, "dir": "auto"},
        ),
        rx.el.button(words.MAKE_TOKEN, type="submit", class_name=PLAIN),
        on_submit=submit,
        reset_on_submit=True,
        class_name="mt-3 flex flex-wrap gap-2",
    )


def tokens(listed: Any, actions: AccountActions) -> rx.Component:
    """The tokens `listed`, a form for a new one, and the one just made, once `rx.set_value` has set it."""
    return rx.el.section(
        rx.el.h2(words.TOKENS, class_name=_HEADING),
        rx.el.p(words.TOKENS_TEXT, class_name=_TEXT),
        rx.cond(
            listed.length() > 0,
            rx.el.ul(
                rx.foreach(listed, lambda token: _token(token, actions.on_revoke)),
                class_name="mt-2 divide-y divide-border",
            ),
            rx.el.p(words.NO_TOKENS, class_name=f"{_TEXT} mt-3"),
        ),
        _new_token(actions.on_make),
        shown_once(SHOWN_ONCE_ID, words.TOKEN, words.TOKEN_ONCE),
        class_name=_CARD,
    )


def signing_out(is_alone: Any, on_others: Handler, on_all: Handler) -> rx.Component:
    """Buttons that end the other sessions of this person, or all; `is_alone` is true once the others have ended."""
    return rx.el.section(
        rx.el.h2(words.SIGN_OUT, class_name=_HEADING),
        rx.el.p(words.SIGN_OUT_OTHERS_TEXT, class_name=_TEXT),
        rx.el.button(words.SIGN_OUT_OTHERS, type="button", on_click=on_others, class_name=f"{PLAIN} mt-3"),
        rx.el.p(rx.cond(is_alone, words.SIGNED_OUT_OTHERS, ""), role="status", class_name=f"{_TEXT} empty:hidden"),
        rx.el.p(words.SIGN_OUT_ALL_TEXT, class_name=f"{_TEXT} mt-5"),
        rx.el.button(
            words.SIGN_OUT_ALL_MENU,
            type="button",
            class_name=f"{PLAIN} mt-3 text-danger",
            custom_attrs=opens(_SIGN_OUT),
        ),
        confirm(_SIGN_OUT, words.SIGN_OUT_ALL_TITLE, words.SIGN_OUT_ALL_ASK, words.SIGN_OUT_ALL, on_all),
        class_name=_CARD,
    )
