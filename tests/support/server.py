"""The real server, started as a newcomer starts it."""

import os
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


@contextmanager
def running_server(
    directory: Path, mode: Mode = "prod", *, port: int | None = None, build: str = "once", **variables: str
) -> Generator[Server]:
    """`reflex run` in this mode, with its data in `directory`; what the environment says of the app is left out.

    The page is built anew for each port, so servers that run at the same time need a `build` folder each.
    """
    port = port or free_port()
    command = [str(Path(sys.executable).parent / "reflex"), "run"]
    command += ["--env", "prod"] if mode == "prod" else ["--backend-port", str(free_port())]
    log = directory / f"{mode}-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=app_environment(
                PORT=str(port),
                DATABASE_URL=f"sqlite:///{directory}/tributary.db",
                # Of their own, beside a developer's; kept, for the second build is a matter of seconds.
                REFLEX_WEB_WORKDIR=str(PROJECT / ".web" / f"test-{mode}-{build}"),
                **variables,
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(f"http://127.0.0.1:{port}", directory, log, process)
        try:
            _wait_until_it_answers(server)
            yield server
        finally:
            server.stop()


def app_environment(**variables: str) -> Mapping[str, str]:
    ours = ("OPENAI_", "CHAT_", "REFLEX_", "DATABASE_URL", "PORT", "HOST", "ALLOW", "GRANIAN_", "TRUSTED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # An empty variable is its default, whatever a developer's .env says.
    own = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "HOST": "127.0.0.1", "TRUSTED_PROXIES": ""}
    # All of a test's people come from one address, and write faster than people do.
    hasty = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_MESSAGES_PER_MINUTE_PER_ADDRESS": "0", "CHAT_THREADS_PER_DAY": "0"}
    return kept | own | hasty | {"CHAT_THREADS_PER_DAY_PER_ADDRESS": "0"} | variables


def _wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(server.url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    msg = f"the server did not start:\n{server.log.read_text()[-4000:]}"
    raise RuntimeError(msg)
