"""A key that shows where it has flown: all tests of the production server run with it, and it may turn up nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.server import Server

MARK = "CANARY"
"""Part of the key that is looked for, so that a masked or cut one is found too."""
KEY = f"sk-{MARK}-0123456789-{MARK}"
STATES = Path(__file__).parent.parent.parent / ".states"
NOT_OURS = frozenset({"node_modules", ".git"})


def leaks(server: Server, *needles: str) -> list[str]:
    """The files of a server (database, log, what is served, states of tabs) in which one of these can be read."""
    wanted = [needle.encode() for needle in needles]
    files = [
        server.log,
        *server.directory.glob(f"{server.database.name}*"),
        *_files(server.web),
        *_files(STATES),
    ]
    return [str(file) for file in files if any(needle in file.read_bytes() for needle in wanted)]


def _files(folder: Path) -> Iterable[Path]:
    """The files below a folder, those of packages left out."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and path.name not in NOT_OURS:
            yield from _files(path)
        elif path.is_file():
            yield path
