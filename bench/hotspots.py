"""`python -m bench.hotspots`: where the server's time goes under load, by samples that py-spy takes from outside."""

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.beside.rivals import WORK
from bench.processes import busiest
from bench.replies import Reply
from bench.site import Site, running_site

PY_SPY = "0.4.3"
RATE = 50
"""Deltas a second of each reply."""
SECONDS = 15
SHOWN = 40
LOOP = "run_forever"
"""In every stack of the event loop's thread."""


async def hotspots(case: str, count: int) -> list[str]:
    """The most costly functions, a line each, under `count` replies at once or `count` followers of one."""
    spy = await asyncio.to_thread(_install)
    with tempfile.TemporaryDirectory(prefix="hotspots-") as directory:
        async with running_site(Path(directory)) as site, _loaded(site, case, count):
            stacks = Path(directory) / "stacks.txt"
            pid = str(busiest(site.server.process.pid))
            command = (str(spy), "record", "--pid", pid, "--duration", str(SECONDS), "--format", "raw")
            process = await asyncio.create_subprocess_exec(
                *command, "--output", str(stacks), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            _, said = await process.communicate()
            if process.returncode:
                msg = f"py-spy failed, which needs leave to trace: {said.decode()[-300:]}"
                raise RuntimeError(msg)
            return list(table(stacks.read_text().splitlines()))


@asynccontextmanager
async def _loaded(site: Site, case: str, count: int) -> AsyncGenerator[None]:
    is_many_replies = case == "replies"
    paths = [await site.new_thread() for _ in range(count if is_many_replies else 1)]
    followed = [] if is_many_replies else paths * count
    async with site.tabs(paths) as drivers, site.tabs(followed, 50):
        replies = [Reply((SECONDS + 15) * RATE, RATE) for _ in drivers]
        messages = await asyncio.gather(
            *(tab.asks(reply.order, within=180) for tab, reply in zip(drivers, replies, strict=True))
        )
        began = time.monotonic()
        yield
        logging.getLogger("bench").info("profiled for %.0f s", time.monotonic() - began)
        for tab, message in zip(drivers, messages, strict=True):
            await tab.ends(message, within=300)


def table(stacks: Iterable[str]) -> Iterable[str]:
    """Each function with its share of the event loop's time, with all that it calls and by itself."""
    inclusive: Counter[str] = Counter()
    own: Counter[str] = Counter()
    total = 0
    for line in stacks:
        stack, _, number = line.rpartition(" ")
        if LOOP not in stack:
            continue
        names = [frame.rpartition(":")[0] for frame in stack.split(";")]
        count = int(number)
        total += count
        own[names[-1]] += count
        inclusive.update(dict.fromkeys(names, count))
    yield f"{total} samples of the event loop"
    for name, count in inclusive.most_common():
        if count < total and any(
            part in name
            for part in (
                "chat_app",
                "reflex",
                "socketio",
                "engineio",
                "openai",
                "httpx",
                "sqlalchemy",
                "aiosqlite",
                "json",
                "asyncio",
            )
        ):
            yield f"{100 * count / total:5.1f} % {100 * own[name] / total:5.1f} %  {name}"


def _install() -> Path:
    environment = WORK / "py-spy"
    spy = environment / "bin" / "py-spy"
    if not spy.exists():
        venv.create(environment, with_pip=True, clear=True)
        command = (str(environment / "bin" / "python"), "-m", "pip", "--quiet", "install", f"py-spy=={PY_SPY}")
        subprocess.run(command, check=True)
    return spy


def main() -> int:
    """Profile what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.hotspots", description=__doc__)
    parser.add_argument("case", choices=("replies", "followers"))
    parser.add_argument("--count", type=int, help="100 replies, or 1,000 followers, unless given")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    count = arguments.count or {"replies": 100, "followers": 1000}[arguments.case]
    print("\n".join(asyncio.run(hotspots(arguments.case, count))[:SHOWN]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
