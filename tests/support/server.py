"""The real server, started as a newcomer starts it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

PROJECT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 180.0
"""Seconds that a first start may take: npm's downloads and the build are part of it."""
STOP_WITHIN = 15.0
BUILDS = PROJECT / ".web"
"""Where the pages of test servers are built, beside a developer's; kept, for a second build is a matter of seconds."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""Which of several processes runs these tests; each has build folders of its own."""

Mode = Literal["prod", "dev"]


@dataclass
class Server:
    """A running server: its page's address, its data, its log, and its process, which leads a group of its own."""

    url: str
    directory: Path
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


_built: dict[Path, int] = {}
"""The port for which the page in a folder was built in this run."""


@contextmanager
def running_server(directory: Path, mode: Mode = "prod", *, build: str = "once", **variables: str) -> Generator[Server]:
    """`reflex run` in this mode, with its data in `directory`; what the environment says of the app is left out.

    A page is built for a port. Production servers of the same `build`, one after the other, share both: the first
    builds the page. So servers that run at the same time need a `build` each.
    """
    folder = BUILDS / "-".join(filter(None, ("test", mode, build, WORKER)))
    port = _built.get(folder)
    is_built = port is not None and _is_free(port)
    port = port if port is not None and is_built else free_port()
    _begin_with_packages_of_another(folder)
    # The second is `reflex`, too, without a build.
    reflex = ["-m", "tests.support.reflex_again"] if is_built else [str(Path(sys.executable).parent / "reflex")]
    backend = port if mode == "prod" else free_port()
    command = [sys.executable, *reflex, "run"]
    command += ["--env", "prod"] if mode == "prod" else ["--backend-port", str(backend)]
    log = directory / f"{mode}-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=app_environment(
                PORT=str(port),
                DATABASE_URL=f"sqlite:///{directory}/tributary.db",
                REFLEX_WEB_WORKDIR=str(folder),
                **variables,
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(f"http://127.0.0.1:{port}", directory, log, process)
        try:
            # The development server's page, which another process serves, is there earlier than what it needs.
            for url in (server.url, f"http://127.0.0.1:{backend}/_health"):
                _wait_until_it_answers(server, url)
            if mode == "prod":
                _built[folder] = port
            yield server
        finally:
            server.stop()


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _begin_with_packages_of_another(folder: Path) -> None:
    """Let a new folder begin as a copy of one that has had its build, for npm takes longest; packages are linked."""
    whole = (other for other in BUILDS.glob("test-*") if (other / "build" / "client").exists())
    if folder.exists() or (other := next(whole, None)) is None:
        return
    new = folder.with_name(f"new-{folder.name}")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(other, new, symlinks=True, ignore=shutil.ignore_patterns("node_modules", "build"))
    shutil.copytree(other / "node_modules", new / "node_modules", symlinks=True, copy_function=os.link)
    new.rename(folder)


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
