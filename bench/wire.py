"""The wire: bytes, frames and rows of replies to a driver and a follower, and of messages to an idle tab."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass

from bench.figures import delays, gaps, quantile, reached
from bench.findings import Findings
from bench.plan import Plan
from bench.replies import Reply
from bench.site import Reading, Site
from bench.tab import Tab

SETTLE = 1.5
"""Seconds in which what a deed has caused comes to an end."""
REPEATS = 3
"""Replies of which the middle one counts."""
TABLES = ("user", "thread", "message", "attempt", "stream", "chunk")


@dataclass(frozen=True)
class Told:
    """What one tab was sent of a reply, from the question to its status."""

    bytes: int
    frames: int
    beyond: int
    """Bytes of the largest frame of text beyond its text."""
    delays: Sequence[float]
    """Seconds from the sending of each delta to its frame."""
    gaps: Sequence[float]
    """Seconds from frame to frame."""


@dataclass(frozen=True)
class Cost:
    """What a reply cost, from the question to its status on all tabs."""

    reply: Reply
    driver: Told
    followers: Sequence[Told]
    used: Reading
    rows: int


async def cost_of(site: Site, reply: Reply, driver: Tab, followers: Sequence[Tab] = ()) -> Cost:
    """Ask for a reply, and measure it."""
    everybody = (driver, *followers)
    rows, used = _rows(site), await site.read()
    before = [(tab.bytes, tab.frames) for tab in everybody]
    message = await driver.asks(reply.order)
    for tab in everybody:
        assert await tab.ends(message, within=60 + 2 * reply.seconds) == reply.text
    said = await site.endpoint.said(reply)
    await asyncio.sleep(SETTLE)
    told = [
        Told(
            tab.bytes - was_bytes,
            tab.frames - was_frames,
            max((each.size - each.new for each in tab.of(message) if each.is_alone), default=0),
            delays(said.deltas, reply.ends, reached(tab.of(message))),
            gaps([each.at for each in tab.of(message)]),
        )
        for tab, (was_bytes, was_frames) in zip(everybody, before, strict=True)
    ]
    return Cost(reply, told[0], told[1:], (await site.read()).since(used), _rows(site) - rows)


def _rows(site: Site) -> int:
    with closing(sqlite3.connect(f"file:{site.server.database}?mode=ro", uri=True)) as database:
        return sum(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)


async def measure_replies(site: Site, plan: Plan, findings: Findings) -> None:
    """The reference reply at two speeds, and one that is longer."""
    path = await site.new_thread()
    async with site.tab(path) as driver, site.tab(path) as follower:
        for rate in (100, 50):
            reply = Reply(plan.deltas if rate == 100 else plan.deltas // 2, rate)
            cost = await cost_of(site, reply, driver, [follower])
            size = len(reply.text)
            findings.note(**{f"driver_times_text_at_{rate}": cost.driver.bytes / size})
            if rate != 100:
                continue
            (told,) = cost.followers
            findings.note(
                driver_frame_beyond_text=max(cost.driver.beyond, told.beyond),
                follower_times_text=told.bytes / size,
                rows_per_reply=cost.rows,
                sentences=size / 200,
                chunks_per_reply=cost.used.chunks,
                statements_per_reply=cost.used.statements,
                cpu_per_1000_deltas=cost.used.usage.cpu / plan.deltas * 1000,
            )
            findings.add("reply length", plan.deltas, _costs(cost))
        if plan.times_as_long:
            long = await cost_of(site, Reply(plan.times_as_long * plan.deltas, 100), driver, [follower])
            findings.add("reply length", long.reply.deltas, _costs(long))
            short = findings.series["reply length"][plan.deltas]
            findings.note(
                long_driver_ratio=long.driver.bytes / short["driver bytes"],
                long_follower_ratio=long.followers[0].bytes / short["follower bytes"],
            )


def _costs(cost: Cost) -> dict[str, float]:
    used = cost.used
    return {
        "driver bytes": cost.driver.bytes,
        "follower bytes": cost.followers[0].bytes,
        "rows": cost.rows,
        "statements": used.statements,
        "CPU seconds": used.usage.cpu,
    }


async def measure_messages(site: Site, plan: Plan, findings: Findings) -> None:
    """A message of 200 characters to an idle tab, in a thread in which every second message is an 8 KB reply."""
    path = await site.new_thread()
    for _ in range(plan.messages // 2):
        await site.ask(path, Reply(rate=0))
    text = ("A message of ordinary length, to somebody who only looks. " * 4)[:200]
    async with site.tab(path) as tab:
        had = -1
        while tab.bytes > had:  # until its history, of half as many long replies, is there
            had = tab.bytes
            await asyncio.sleep(1)
        costs: list[int] = []
        for number in range(plan.messages):
            before = tab.bytes
            await site.post(path, f"{number:03}{text[3:]}")
            await tab.until(lambda tab, before=before: tab.bytes > before + len(text))
            await asyncio.sleep(0.05)  # whatever else it brings
            costs.append(tab.bytes - before)
    findings.note(message_to_idle_tab=max(costs), message_to_idle_tab_p50=quantile(costs, 0.5))


async def measure_threads(site: Site, plan: Plan, findings: Findings) -> None:
    """How a reply's cost and a page's first load grow with the thread's messages, and with the threads beside it."""
    reply = Reply(200, 100)
    path, there = await site.new_thread(), 0
    for size in plan.thread_messages:
        for _ in range(size - there):
            await site.post(path, "One of many messages, none of which is asked to be answered. " * 3)
        there = size
        findings.add("messages in the thread", size, await _cost_here(site, reply, path))
        there += 2 * REPEATS
    there = 0
    for size in plan.threads:
        for _ in range(size - there):
            await site.new_thread()
        there = size + 1
        findings.add("threads", size, await _cost_here(site, reply, await site.new_thread()))


async def _cost_here(site: Site, reply: Reply, path: str) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        driver, follower = [await stack.enter_async_context(site.tab(path)) for _ in range(2)]
        await asyncio.sleep(SETTLE)
        opened = follower.bytes
        costs = [await cost_of(site, Reply(reply.deltas, reply.rate), driver, [follower]) for _ in range(REPEATS)]
        memory = (await site.read()).usage.memory
    # The first may carry what else was new, and the machine has moments: the middle one.
    return {"page bytes": opened, "server memory": memory} | {
        name: quantile([_costs(cost)[name] for cost in costs], 0.5) for name in _costs(costs[0])
    }
