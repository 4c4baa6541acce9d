"""The machine, the versions and the commit that a run was made on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.support.chromium import find_chromium
from tests.support.server import PROJECT

PACKAGES = ("reflex", "openai", "sqlmodel", "sqlalchemy", "granian", "aiohttp", "playwright")


def description() -> dict[str, object]:
    """All of it as plain values."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _said("git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=10"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "chromium": _said(str(find_chromium()), "--version"),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
