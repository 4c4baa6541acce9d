"""The theme: the colours and fonts of `assets/theme.css` for Tailwind, and what every page's head loads."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import reflex as rx
from reflex.plugins.shared_tailwind import TailwindConfig

from chat_app.components import words

_COLORS = (
    "background",
    "foreground",
    "card",
    "muted",
    "muted-foreground",
    "border",
    "sidebar",
    "primary",
    "primary-foreground",
    "accent",
    "danger",
    "danger-tint",
    "caution",
    "caution-tint",
)

TAILWIND_CONFIG: TailwindConfig = {
    # `app` and `app_components` hold the compiled pages, `public` our own JavaScript.
    "content": [
        "./app/**/*.{js,jsx}",
        "./app_components/**/*.{js,jsx}",
        "./utils/**/*.{js,jsx}",
        "./public/*.js",
    ],
    # Reflex puts the class "dark" or "light" on the html element.
    "darkMode": "selector",
    "theme": {
        "extend": {
            "colors": {name: f"var(--{name})" for name in _COLORS},
            "fontFamily": {"sans": "var(--font-sans)", "mono": "var(--font-mono)"},
        }
    },
}

STYLESHEETS = ["/theme.css"]


# The browser's frame has the page's colour: `--background` of assets/theme.css, in a form that a meta element takes.
_FRAMES = {"light": "#fbfdfd", "dark": "#13191c"}
_SHARE_IMAGE = "/share.png"
_LOCAL = ("localhost", "127.", "[::1]")


def public_address(origins: Sequence[str]) -> str:
    """The first of these origins that other machines can reach; "" if there is none."""
    reachable = (origin for origin in origins if origin != "*" and not urlsplit(origin).netloc.startswith(_LOCAL))
    return next(reachable, "")


def head(address: str) -> list[rx.Component]:
    """The head of every page: icons, the preview of a link to it, and the early choice of light or dark.

    The preview says what Tributary is and never names the thread, because people who may not read the thread may see
    the preview. Its image needs an absolute URL, which begins with `address`.
    """
    preview = {
        "og:type": "website",
        "og:site_name": words.BRAND,
        "og:title": words.PREVIEW_TITLE,
        "og:description": words.PREVIEW_TEXT,
        "og:image": f"{address}{_SHARE_IMAGE}",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": words.PREVIEW_IMAGE,
    }
    return [
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.link(rel="apple-touch-icon", href="/icon-180.png"),
        rx.el.link(rel="manifest", href="/tributary.webmanifest"),
        rx.el.meta(name="color-scheme", content="light dark"),
        *(
            rx.el.meta(name="theme-color", content=color, media=f"(prefers-color-scheme: {mode})")
            for mode, color in _FRAMES.items()
        ),
        rx.el.meta(name="description", content=words.PREVIEW_TEXT),
        *(rx.el.meta(property=name, content=content) for name, content in preview.items()),
        rx.el.meta(name="twitter:card", content="summary_large_image"),
        rx.el.script(src="/color_mode.js"),
    ]
