"""The doctor: checks a deployment, and says what is wrong and what to do about it.

`python -m chat_app.doctor` prints a line for each check and exits with 1 if there is a danger. The production server
runs these checks when it starts, and refuses to start if there is a danger that the operator has not accepted by name
(CHAT_ACCEPTED_DANGERS). A development server always starts, with warnings if other machines can connect to it.
"""

import argparse
import asyncio
import ipaddress
import logging
import os
import sqlite3
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from chat_app.data.db import Database
from chat_app.ops import log
from chat_app.settings import PROJECT, Check, Settings, get_settings
from tributary_streams import BUSY_TIMEOUT_MS

logger = logging.getLogger(__name__)

OLDEST_SQLITE = (3, 35, 0)
"""The first version with RETURNING."""
MENDED_SQLITE = (3, 51, 3)
"""The first version without the WAL-reset bug, a race of two connections (sqlite.org/wal.html#walresetbug)."""
TESTED_POSTGRESQL = 15
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}
"""The settings of our engine, as SQLite reports them."""


class Verdict(StrEnum):
    """How bad a finding is. Only a danger keeps a server from starting."""

    OK = "ok"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True)
class Finding:
    """What one check has found: a fact, and what to do if something is wrong. It contains no secret."""

    check: Check
    verdict: Verdict
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:8}{self.check:10}{self.text}"


async def examine(settings: Settings, *, is_production: bool = True) -> list[Finding]:
    """Run all checks; dangers that the operator has accepted become warnings."""
    found = [
        mode(settings, is_production=is_production),
        workers(settings),
        origins(settings),
        cookie(settings),
        model(settings),
        files(settings),
        sqlite_version(settings),
        await database(settings),
    ]
    return [
        replace(finding, verdict=Verdict.WARNING)
        if finding.verdict is Verdict.DANGER and finding.check in settings.chat_accepted_dangers
        else finding
        for finding in found
    ]


def refusal(findings: Sequence[Finding]) -> str:
    """Why a server may not start, for a terminal; "" if it may."""
    dangers = [finding for finding in findings if finding.verdict is Verdict.DANGER]
    if not dangers:
        return ""
    override = f"To start all the same, set CHAT_ACCEPTED_DANGERS={','.join(finding.check for finding in dangers)}"
    return "\n".join(("Not started, because it would be dangerous:", *map(str, dangers), override))


async def admit(settings: Settings, *, is_production: bool) -> None:
    """Let a server start; if it may not, print the reasons on stderr and end its process with status 1."""
    if not is_production and settings.is_loopback:
        return
    findings = await examine(settings, is_production=is_production)
    for finding in findings:
        if finding.verdict is not Verdict.OK:
            logger.warning("%s: %s", finding.check, finding.text)
    if is_production and (reasons := refusal(findings)):
        print(reasons, file=sys.stderr, flush=True)  # noqa: T201  # for the person who typed the command
        os._exit(1)  # Starlette 1.x prints a traceback for any exception, even SystemExit; nothing is open yet


def mode(settings: Settings, *, is_production: bool) -> Finding:
    """Whether the development server is open to others. It serves the source code, and shows errors with their text."""
    if is_production:
        return Finding(Check.MODE, Verdict.OK, "production")
    if settings.is_loopback:
        return Finding(Check.MODE, Verdict.OK, "development, for this machine alone")
    text = f"the development server is open to other machines (HOST={settings.host}): use `make run` for them"
    return Finding(Check.MODE, Verdict.WARNING, text)


def workers(settings: Settings) -> Finding:
    """Whether there is one worker process. A tab's state is in one process, but a request may reach any of them."""
    if settings.granian_workers == 1:
        return Finding(Check.WORKERS, Verdict.OK, "one process")
    text = (
        f"GRANIAN_WORKERS={settings.granian_workers}, but a tab's state lives in one process: unset it, and start more"
        " servers on one database instead, each at a port of its own"
    )
    return Finding(Check.WORKERS, Verdict.DANGER, text)


def origins(settings: Settings) -> Finding:
    """Which pages may connect."""
    allowed = settings.allowed_origins
    if "*" in allowed:
        # The operator has already accepted this danger: "*" works only with ALLOW_ANY_ORIGIN.
        text = "any website may act as a person whose browser visits it: list your own addresses in ALLOWED_ORIGINS"
        return Finding(Check.ORIGINS, Verdict.WARNING, text)
    if not settings.is_loopback and not settings.names_origins:
        text = "other machines can connect only from an address that ALLOWED_ORIGINS names; it names none"
        return Finding(Check.ORIGINS, Verdict.WARNING, text)
    return Finding(Check.ORIGINS, Verdict.OK, ", ".join(allowed))


def cookie(settings: Settings) -> Finding:
    """Whether the identity cookie is sent only over https: it is a person's only proof of who they are."""
    open_ones = [origin for origin in settings.allowed_origins if not _is_private(origin)]
    if open_ones:
        text = f"without Secure at {', '.join(open_ones)}, and in clear on the way: serve these over https"
        return Finding(Check.COOKIE, Verdict.WARNING, text)
    return Finding(Check.COOKIE, Verdict.OK, "HttpOnly, SameSite=Lax; Secure over https")


def model(settings: Settings) -> Finding:
    """Which model answers, and whether the key and messages are encrypted on the way to it."""
    if settings.uses_demo_model:
        verdict = Verdict.WARNING if _is_shared(settings) else Verdict.OK
        text = "the demo model answers: set OPENAI_API_KEY, OPENAI_BASE_URL or both for another"
        return Finding(Check.MODEL, verdict, text)
    address = settings.openai_base_url or "https://api.openai.com/v1"
    has_secret = settings.openai_api_key is not None or "@" in urlsplit(address).netloc
    if has_secret and not _is_private(address):
        text = (
            f"the key and all messages would go in clear to {urlsplit(address).hostname}: give OPENAI_BASE_URL an"
            " https:// address, unless every machine on the way is yours"
        )
        return Finding(Check.MODEL, Verdict.WARNING if _is_nearby(address) else Verdict.DANGER, text)
    return Finding(Check.MODEL, Verdict.OK, f"{settings.openai_model} at {urlsplit(address).hostname}")


def files(settings: Settings) -> Finding:
    """Whether other accounts of this machine can read private files, or write files that the server runs."""
    if os.name != "posix":
        return Finding(Check.FILES, Verdict.OK, "not looked at: this system has no file modes")
    data = _database_file(settings)
    private = [PROJECT / ".env", PROJECT / ".states", *([data, Path(f"{data}-wal")] if data else [])]
    code = [PROJECT, *(PROJECT / name for name in ("chat_app", "tributary_streams", ".web"))]
    trusted = [*code, *private, *([data.parent] if data else [])]
    if written := [path for path in trusted if _others_may(path, stat.S_IWOTH)]:
        text = f"other accounts of this machine can write {_names(written)}: chmod o-w {_names(written)}"
        return Finding(Check.FILES, Verdict.DANGER, text)
    if read := [path for path in private if _others_may(path, stat.S_IROTH)]:
        verdict = Verdict.DANGER if _is_shared(settings) else Verdict.WARNING
        text = f"other accounts of this machine can read {_names(read)}: chmod o= {_names(read)}"
        return Finding(Check.FILES, verdict, text)
    return Finding(Check.FILES, Verdict.OK, "other accounts of this machine can neither read nor change them")


def sqlite_version(settings: Settings, version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> Finding:
    """Whether this Python's SQLite is new enough."""
    name = f"SQLite {'.'.join(map(str, version))}"
    if _database_file(settings) is None:
        return Finding(Check.SQLITE, Verdict.OK, f"{name}, not used")
    if version < OLDEST_SQLITE:
        return Finding(Check.SQLITE, Verdict.DANGER, f"{name} is older than 3.35, which is needed: use a newer Python")
    if version < MENDED_SQLITE:
        text = (
            f"{name} may have a rare bug by which two connections can damage the file, mended in 3.51.3"
            " (sqlite.org/wal.html#walresetbug): keep backups, and use a newer SQLite or PostgreSQL where you can"
        )
        return Finding(Check.SQLITE, Verdict.WARNING, text)
    return Finding(Check.SQLITE, Verdict.OK, name)


async def database(settings: Settings) -> Finding:
    """Whether the database answers and has the settings that durability needs."""
    file = _database_file(settings)
    if file is not None and not file.exists():
        return Finding(Check.DATABASE, Verdict.OK, f"{file} is not there yet; the first start makes it")
    opened = Database(settings.database_url)
    try:
        async with opened.engine.connect() as connection:

            async def ask(query: str) -> object:
                return (await connection.exec_driver_sql(query)).scalar_one()

            if not opened.is_sqlite:
                return _postgresql(await ask("SHOW server_version"), await ask("SHOW statement_timeout"))
            return _sqlite({pragma: await ask(f"PRAGMA {pragma}") for pragma in PRAGMAS})
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        # The driver's message may name users and addresses, so only the error's type is shown.
        text = f"it cannot be opened ({type(error).__name__}): look at DATABASE_URL and at whether the database runs"
        return Finding(Check.DATABASE, Verdict.DANGER, text)
    finally:
        await opened.close()


def _sqlite(pragmas: dict[str, object]) -> Finding:
    wrong = [f"{name} is {value}, not {PRAGMAS[name]}" for name, value in pragmas.items() if value != PRAGMAS[name]]
    if wrong:
        text = f"{'; '.join(wrong)}: put the file on a local disk, where SQLite can lock and share it"
        return Finding(Check.DATABASE, Verdict.DANGER, text)
    return Finding(Check.DATABASE, Verdict.OK, ", ".join(f"{name} {value}" for name, value in pragmas.items()))


def _postgresql(version: object, timeout: object) -> Finding:
    name = f"PostgreSQL {version}, statements end after {timeout}"
    if int(str(version).partition(".")[0]) < TESTED_POSTGRESQL:
        text = f"{name}: older than {TESTED_POSTGRESQL}, with which it is tested"
        return Finding(Check.DATABASE, Verdict.WARNING, text)
    return Finding(Check.DATABASE, Verdict.OK, name)


def _is_shared(settings: Settings) -> bool:
    """Whether people on other machines use this server, directly or through a proxy on this machine."""
    return not settings.is_loopback or any(not _is_loopback(origin) for origin in settings.allowed_origins)


def _is_private(address: str) -> bool:
    """Whether nobody on the way can read what is sent to an address and what comes back."""
    return address.startswith("https://") or _is_loopback(address)


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_nearby(address: str) -> bool:
    """Whether an address is in a local network: a container's name, or a private IP address."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))


def _database_file(settings: Settings) -> Path | None:
    url = make_url(settings.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _others_may(path: Path, bit: int) -> bool:
    """Whether accounts outside of a file's group may do this with it, and can reach it."""
    try:
        return bool(path.stat().st_mode & bit) and all(
            up.stat().st_mode & stat.S_IXOTH for up in path.resolve().parents
        )
    except OSError:
        return False


def _names(paths: Sequence[Path]) -> str:
    return " ".join(map(str, paths))


def main() -> int:
    """Print all findings; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chat_app.doctor", description="Check a deployment.")
    parser.add_argument("--env", choices=["prod", "dev"], default="prod", help="how the server is started")
    is_production = parser.parse_args().env == "prod"
    settings = get_settings()
    log.set_up(settings)
    findings = asyncio.run(examine(settings, is_production=is_production))
    print(*findings, sep="\n")  # noqa: T201
    return int(bool(refusal(findings)))


if __name__ == "__main__":
    sys.exit(main())
