"""What a server's processes use: CPU, memory and handles, of the whole tree, as Linux tells it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds since they began, bytes of memory with shared pages divided among those who share, open handles."""

    cpu: float
    memory: int
    handles: int


def usage(root: int) -> Usage:
    """What a process and all that came of it use now."""
    cpu, memory, handles = 0.0, 0, 0
    for pid in _tree(root):
        try:
            cpu += _cpu(pid)
            memory += _pss(pid)
            handles += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return Usage(cpu, memory, handles)


def busiest(root: int) -> int:
    """The process of the tree that has used the most CPU: of a server, the one that serves."""
    return max(_tree(root), key=_cpu)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _tree(root: int) -> Iterator[int]:
    yield root
    for thread in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            yield from _tree(int(child))


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
