"""The real server, started as a newcomer starts it.

Its page is built once in a run, by `reflex run --env prod` itself; each production server has a copy of it for its own
port, so that any number of them run beside each other and each starts in seconds.
"""

import fcntl
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import urlsplit

import httpx

from tests.support import canary

PROJECT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 180.0
"""Seconds that a first start may take: npm's downloads and the build are part of it."""
STOP_WITHIN = 15.0
REFLEX = str(Path(sys.executable).parent / "reflex")
BUILDS = PROJECT / ".web"
"""Where the pages of test servers are built, beside a developer's; kept, for a second build is a matter of seconds."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""Which of several processes runs these tests."""
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
"""The run that this process is part of."""

Mode = Literal["prod", "dev"]


@dataclass
class Server:
    """A running server: its page's address, its data, its log, and its process, which leads a group of its own."""

    url: str
    directory: Path
    web: Path
    """Its page."""
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.directory / "tributary.db"

    def kill(self) -> None:
        """End it at once, with no chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


_ports: dict[Path, int] = {}
"""The port of the production server that has had its data in a folder."""


@contextmanager
def running_server(
    directory: Path, mode: Mode = "prod", *, has_page: bool = True, **variables: str
) -> Generator[Server]:
    """`reflex run` in this mode, with its data in `directory`; what the environment says of the app is left out.

    A production server that has the data of an earlier one has its address, too. Without a page, the backend is alone.
    """
    backend = _ports.setdefault(directory, free_port()) if mode == "prod" else free_port()
    port = free_port() if mode == "dev" and has_page else backend
    if not has_page:
        command, web = ["-m", "tests.support.backend_alone", mode, str(port)], directory / "backend"
    elif mode == "prod":
        web = _moved(built_page(), directory / "page", port)
        command = ["-m", "tests.support.reflex_again", "run", "--env", "prod"]
    else:
        command = [REFLEX, "run", "--backend-port", str(backend)]
        web = _with_packages_of(built_page(), BUILDS / "-".join(filter(None, ("test-dev", WORKER))))
    variables = {"PORT": str(port), "DATABASE_URL": f"sqlite:///{directory}/tributary.db", **variables}
    with _started(command, directory, web, port, **variables) as server:
        # The development server's page, which another process serves, is there earlier than what it needs.
        for url in (*([server.url] if has_page else []), f"http://127.0.0.1:{backend}/_health"):
            _wait_until_it_answers(server, url)
        yield server


@contextmanager
def _started(command: Sequence[str], directory: Path, web: Path, port: int, **variables: str) -> Generator[Server]:
    log = directory / f"{web.name}-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.leash", *command],
            cwd=PROJECT,
            env=app_environment(REFLEX_WEB_WORKDIR=str(web), **variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", directory, web, log, process)
    try:
        yield server
    finally:
        server.stop()


def built_page() -> Path:
    """The folder of the page; the first in a run that asks for it builds it, while others wait."""
    BUILDS.mkdir(exist_ok=True)
    web, built_by = BUILDS / "test-prod", BUILDS / "test-prod.run"
    with (BUILDS / "test-prod.lock").open("w") as lock, TemporaryDirectory(prefix="tributary-build-") as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built_by.exists() or built_by.read_text() != RUN:
            built_by.unlink(missing_ok=True)
            port, data = free_port(), f"sqlite:///{directory}/tributary.db"
            command = [REFLEX, "run", "--env", "prod"]
            # With a key, which must not get into the page.
            variables = {"PORT": str(port), "DATABASE_URL": data, "OPENAI_API_KEY": canary.KEY}
            with _started(command, Path(directory), web, port, **variables) as server:
                _wait_until_it_answers(server, server.url)
                server.kill()
            built_by.write_text(RUN)
    return web


def _moved(built: Path, web: Path, port: int) -> Path:
    """A copy of the page for a server on another port: one of its scripts has the addresses of the backend."""
    if web.exists():
        return web
    shutil.copytree(built, web, ignore=shutil.ignore_patterns("node_modules"))
    before = urlsplit(json.loads((web / "env.json").read_text())["EVENT"]).port
    (script,) = (web / "build" / "client" / "assets").glob("reflex-env-*.js")
    for file in (script, web / "env.json"):
        text = file.read_text()
        assert f"localhost:{before}/" in text
        file.write_text(text.replace(f"localhost:{before}/", f"localhost:{port}/"))
    script.with_name(f"{script.name}.gz").write_bytes(gzip.compress(script.read_bytes()))
    return web


def _with_packages_of(built: Path, web: Path) -> Path:
    """A folder for another page; it begins with the packages of one that was built, for npm takes longest: as links."""
    if not web.exists():
        new = web.with_name(f"new-{web.name}")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(built, new, symlinks=True, ignore=shutil.ignore_patterns("node_modules", "build"))
        shutil.copytree(built / "node_modules", new / "node_modules", symlinks=True, copy_function=os.link)
        new.rename(web)
    return web


def app_environment(**variables: str) -> Mapping[str, str]:
    ours = ("OPENAI_", "CHAT_", "REFLEX_", "DATABASE_URL", "PORT", "HOST", "ALLOW", "GRANIAN_", "TRUSTED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # An empty variable is its default, whatever a developer's .env says.
    own = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "HOST": "127.0.0.1", "TRUSTED_PROXIES": ""}
    # All of a test's people come from one address, and write faster than people do.
    hasty = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_MESSAGES_PER_MINUTE_PER_ADDRESS": "0", "CHAT_THREADS_PER_DAY": "0"}
    return kept | own | hasty | {"CHAT_THREADS_PER_DAY_PER_ADDRESS": "0"} | variables


def _wait_until_it_answers(server: Server, url: str) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    msg = f"the server did not start:\n{server.log.read_text()[-4000:]}"
    raise RuntimeError(msg)
