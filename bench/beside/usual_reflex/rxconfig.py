"""How Reflex runs the usual pattern."""

import reflex as rx

config = rx.Config(
    app_name="usual_reflex",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    disable_plugins=[rx.plugins.SitemapPlugin],
)
