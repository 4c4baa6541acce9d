"""`python -m bench.soak`: tabs that come and go and replies all the time; what is left over of it in the end."""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.processes import usage
from bench.replies import Reply
from bench.site import Site, running_site
from tests.support.raw_socket import new_token

logger = logging.getLogger("bench")

MINUTES = 20.0
TABS = 200
REPLIES = 20
"""At a time; the tabs that drive them are among the tabs."""
STAYS = (5.0, 60.0)
"""Seconds that a tab stays."""
DELTAS = (100, 1500)
RATE = 50
REPLIES_PER_THREAD = 5
SAMPLE_EVERY = 15.0
SETTLE = 15.0
"""Seconds in which a server that everybody has left comes to rest."""
MAY_GROW = 1.10
"""Memory at the end over that after the first quarter."""
LEFT_OVER = {"tasks": 5, "handles": 60}
"""How many may be more than before the first tab: the pools of connections, to database and model, fill once."""


@dataclass(frozen=True)
class Sample:
    """What the server held at a moment."""

    minute: float
    memory: int
    handles: int
    tasks: float
    tabs: float
    watched: float
    replies: float


class Soak:
    """One run."""

    def __init__(self, site: Site, minutes: float, seed: int = 1) -> None:
        self.site = site
        self.samples: list[Sample] = []
        self.replies = self.openings = self.reloads = 0
        self._paths: list[str] = []
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self._until = self._began + 60 * minutes

    async def run(self) -> None:
        """Let everybody come and go until the time is over, and all leave."""
        self._paths = [await self.site.new_thread() for _ in range(REPLIES)]
        await self._sample()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for number in range(REPLIES):
                group.create_task(self._drive(number))
            for _ in range(TABS - REPLIES):
                group.create_task(self._follow())
        await self._sample()
        await asyncio.sleep(SETTLE)
        await self._sample()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    async def _watch(self) -> None:
        while not self._is_over:
            await asyncio.sleep(min(SAMPLE_EVERY, max(0.0, self._until - time.monotonic())))
            await self._sample()

    async def _sample(self) -> None:
        metrics = await self.site.metrics()
        held = usage(self.site.server.process.pid)
        self.samples.append(
            Sample(
                (time.monotonic() - self._began) / 60,
                held.memory,
                held.handles,
                metrics["tributary_tasks"],
                metrics["tributary_tabs"],
                metrics["tributary_watched"],
                metrics["tributary_replies_writing"],
            )
        )
        logger.info("%s", ", ".join(f"{name} {value:,.4g}" for name, value in asdict(self.samples[-1]).items()))

    async def _follow(self) -> None:
        while not self._is_over:
            async with self.site.tab(self._random.choice(self._paths)):
                self.openings += 1
                await self._stay(self._random.uniform(*STAYS))

    async def _stay(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, min(seconds, self._until - time.monotonic())))

    async def _drive(self, number: int) -> None:
        while not self._is_over:
            self._paths[number] = await self.site.new_thread()
            cookie, token = await self.site.new_cookie(), new_token()
            for _ in range(REPLIES_PER_THREAD):
                if self._is_over:
                    return
                await self._ask(number, cookie, token)

    async def _ask(self, number: int, cookie: str, token: str) -> None:
        """One reply to its end; every third is reloaded in its middle by the same tab, every fifth is stopped."""
        reply = Reply(self._random.randint(*DELTAS), RATE)
        self.replies += 1
        turn = self.replies
        async with self.site.tab(self._paths[number], cookie, token=token) as tab:
            message = await tab.asks(reply.order)
            if turn % 3:
                if turn % 5 == 0:
                    await asyncio.sleep(reply.seconds / 2)
                    await tab.call("stop", message_id=message)
                await tab.over(message, within=120)
                return
            await asyncio.sleep(reply.seconds / 2)
        self.reloads += 1
        async with self.site.tab(self._paths[number], cookie, token=token) as tab:
            text = await tab.ends(message)
            assert text == reply.text, f"a reload shows {len(text)} of {len(reply.text)} characters"


def faults(samples: list[Sample]) -> list[str]:
    """What was left over, in words.

    The first sample is of the empty server, the last two are of the empty one again, at once and at rest.
    """
    first, *_, last, _, rested = samples
    quarter = next(sample for sample in samples if sample.minute >= last.minute / 4)
    found: list[str] = []
    if last.memory > MAY_GROW * quarter.memory:
        grown = 100 * (last.memory / quarter.memory - 1)
        found.append(f"memory grew by {grown:.0f} % after the first quarter")
    for name, may_be in LEFT_OVER.items():
        more = getattr(rested, name) - getattr(first, name)
        if more > may_be:
            found.append(f"{more:.0f} {name} are left over")
    found += [
        f"{getattr(rested, name):.0f} {name} are left over"
        for name in ("tabs", "watched", "replies")
        if getattr(rested, name)
    ]
    return found


@asynccontextmanager
async def _soaked(minutes: float) -> AsyncGenerator[Soak]:
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        async with running_site(Path(directory)) as site:
            soak = Soak(site, minutes)
            await soak.run()
            yield soak


async def _run(minutes: float) -> dict[str, Any]:
    description = machine.description()
    async with _soaked(minutes) as soak:
        found = faults(soak.samples)
        return {
            "machine": description,
            "minutes": minutes,
            "replies": soak.replies,
            "openings": soak.openings,
            "reloads": soak.reloads,
            "faults": found,
            "samples": [asdict(sample) for sample in soak.samples],
        }


def main() -> int:
    """Soak; 1 where something is left over."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    results = asyncio.run(_run(arguments.minutes))
    if arguments.minutes >= MINUTES:
        report.keep("soak", results)
    print(report.soak(results))
    for fault in results["faults"]:
        logger.warning("%s", fault)
    return 1 if results["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
