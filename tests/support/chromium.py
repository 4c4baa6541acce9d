"""The Chromium that the browser tests open: the system's, otherwise Playwright's; run as a program, it gets one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MAC_APPS = ("Chromium", "Google Chrome")
NONE_FOUND = (
    "The browser tests need Chromium, and there is none. Install one (Debian: apt install chromium)"
    f" or run `{Path(sys.executable).parent / 'playwright'} install --with-deps chromium`, then try again."
)


class ChromiumMissing(Exception):
    """There is no Chromium that starts. The message says what to install."""


@cache
def find_chromium() -> Path:
    """The first Chromium that starts. Downloads nothing.

    Raises:
        ChromiumMissing: if there is none.
    """
    for candidate in _candidates():
        # Ubuntu's `chromium-browser` only tells people to use snap, and Playwright's may lack a system library.
        if candidate.exists() and _succeeds([str(candidate), "--version"]):
            return candidate
    raise ChromiumMissing(NONE_FOUND)


def get_chromium() -> Path:
    """Find a Chromium, or get one: Playwright's, then, as root where there is apt, Debian's.

    Raises:
        ChromiumMissing: if none could be had.
    """
    for install in (None, _playwright_install, _apt_install):
        if install is not None:
            install()
            find_chromium.cache_clear()
        try:
            return find_chromium()
        except ChromiumMissing:
            continue
    raise ChromiumMissing(NONE_FOUND)


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in SYSTEM_NAMES if (found := shutil.which(name)))
    yield from (Path(f"/Applications/{app}.app/Contents/MacOS/{app}") for app in MAC_APPS)
    # In a process of its own, for Playwright's synchronous side refuses to run where an event loop does.
    ask = "from playwright.sync_api import sync_playwright as p\nwith p() as play: print(play.chromium.executable_path)"
    answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
    if path := answer.stdout.strip():
        yield Path(path)


def _playwright_install() -> None:
    print("No Chromium found; getting Playwright's.")
    _succeeds([sys.executable, "-m", "playwright", "install", "chromium"], shows_output=True)


def _apt_install() -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    print("Playwright's Chromium does not start; getting Debian's.")
    _succeeds([apt, "update", "-qq"], shows_output=True)
    _succeeds([apt, "install", "-y", "-qq", "chromium"], shows_output=True)


def _succeeds(command: Sequence[str], *, shows_output: bool = False) -> bool:
    """Whether the command ends well; one that cannot be started or is stuck does not."""
    output = None if shows_output else subprocess.DEVNULL
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    try:
        print(f"Browser tests use {get_chromium()}.")
    except ChromiumMissing as error:
        sys.exit(str(error))
