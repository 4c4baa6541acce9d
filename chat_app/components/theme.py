"""The theme: what Tailwind is told of the colours and fonts in `assets/theme.css`, and what every page's head loads."""

import reflex as rx
from reflex.plugins.shared_tailwind import TailwindConfig

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
    # `app` and `app_components` hold the compiled pages, `public` our own JavaScript; streamdown has class names too.
    "content": [
        "./app/**/*.{js,jsx}",
        "./app_components/**/*.{js,jsx}",
        "./utils/**/*.{js,jsx}",
        "./public/*.js",
        "./node_modules/streamdown/dist/*.js",
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


def head() -> list[rx.Component]:
    """What every page's head holds: the icon, the colour of the browser's frame, the early choice of light or dark."""
    return [
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.meta(name="color-scheme", content="light dark"),
        rx.el.script(src="/color_mode.js"),
    ]
