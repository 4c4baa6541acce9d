"""A PostgreSQL server of the tests' own; run as a program, it sees to it that there is one to start."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.support.leash import end_with_parent

START_WITHIN = 30.0
FAST = signal.SIGINT
"""What ends it at once; after a SIGTERM it would wait for its clients to leave."""
NONE_FOUND = (
    "The tests of the database need PostgreSQL, and there is none. Install it (Debian: apt install postgresql)."
)


class PostgresMissing(Exception):
    """There is no PostgreSQL to start. The message says what to install."""


def find_postgres() -> Path:
    """The folder of the newest PostgreSQL's programs.

    Raises:
        PostgresMissing: there is none.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    for folder in (*reversed(installed), *on_path):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing(NONE_FOUND)


def get_postgres() -> Path:
    """Find PostgreSQL, or get Debian's as root where there is apt.

    Raises:
        PostgresMissing: none could be had.
    """
    try:
        return find_postgres()
    except PostgresMissing:
        apt = shutil.which("apt-get")
        if apt is None or os.geteuid() != 0:
            raise
    print("No PostgreSQL found; getting Debian's.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "postgresql"]):
        subprocess.run([apt, *arguments], stdin=subprocess.DEVNULL, env=environment, timeout=600, check=False)
    return find_postgres()


class Postgres:
    """A running server; each database is a fresh copy of the template, which the tests migrate once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count(1)
        self.template = self._url("template")
        self._execute("CREATE DATABASE template")

    def new_database(self) -> str:
        """The address of a new copy of the template."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template")
        return self._url(name)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]  # names of our own

    def _url(self, name: str) -> str:
        return f"postgresql://tests@127.0.0.1:{self._port}/{name}"


@contextmanager
def running_postgres() -> Generator[Postgres]:
    """A server on a loopback port, with its files in a temporary folder; nothing of it is durable."""
    # Not in pytest's folder: that is for its owner alone, and each other run that begins makes it so again.
    with TemporaryDirectory(prefix="tributary-postgres-", ignore_cleanup_errors=True) as directory:
        yield from _run(Path(directory))


def _run(directory: Path) -> Generator[Postgres]:
    programs, data = find_postgres(), directory / "data"
    data.mkdir()
    user = _who_may_run(data)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
        user=user,
        cwd=data,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    # Nothing has to outlive it, and it has hundreds of databases, each of which would be looked at all the time.
    options |= {"fsync": "off", "full_page_writes": "off", "max_wal_size": "2GB", "autovacuum": "off"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (directory / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *settings],
            user=user,
            cwd=data,
            stdout=log,
            stderr=log,
            preexec_fn=partial(end_with_parent, FAST),
        )
        try:
            _wait_until_it_answers(port, server)
            yield Postgres(port)
        finally:
            server.send_signal(FAST)
            server.wait(START_WITHIN)


def _who_may_run(data: Path) -> str | None:
    """PostgreSQL refuses to run as root: then as its own user, or as nobody."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    shutil.chown(data, user)
    data.parent.chmod(0o711)
    return user


def _wait_until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(f"postgresql://tests@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    msg = "PostgreSQL did not start"
    raise RuntimeError(msg)


if __name__ == "__main__":
    try:
        print(f"Database tests use {get_postgres()}.")
    except PostgresMissing as error:
        sys.exit(str(error))
