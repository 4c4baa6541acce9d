"""Load: many viewers of one reply, many replies at once, and more than the server can carry."""

import asyncio
import time
from collections.abc import Sequence

from bench.figures import delays, gaps, quantile, reached
from bench.findings import Findings
from bench.plan import Plan
from bench.replies import Reply
from bench.site import Site
from bench.tab import Tab
from bench.wire import SETTLE, cost_of

RATE = 50
"""Deltas a second of each reply."""
FLUSH_AGE = 1.0
"""Seconds at which text is stored at the latest (`CHAT_FLUSH_AGE`)."""
SAMPLED = 100
"""Followers whose delays are looked at."""
OPEN_AT_ONCE = 50
LONGER = 3
"""Times as long as others are the replies of an overload: when the last has begun, the first are still under way."""


async def measure_followers(site: Site, plan: Plan, findings: Findings) -> None:
    """One live reply with more and more viewers, each somebody else; and what their coming costs who is there."""
    reply_size = round(plan.load_seconds * RATE)
    updates: dict[int, tuple[float, float]] = {}
    for count in plan.followers:
        path = await site.new_thread()
        async with site.tab(path) as driver, site.tab(path) as witness:
            await asyncio.sleep(SETTLE)
            before, started = await site.read(), time.monotonic()
            seen = witness.bytes, witness.frames
            async with site.tabs([path] * (count - 1), OPEN_AT_ONCE) as others:
                joined_in = time.monotonic() - started
                await asyncio.sleep(2 * SETTLE)
                opened = await site.read()
                if count > 1:
                    _note_joins(findings, count, joined_in, (witness.bytes - seen[0], witness.frames - seen[1]))
                    findings.note(memory_per_idle_tab=(opened.usage.memory - before.usage.memory) / (count - 1))
                cost = await cost_of(site, Reply(reply_size, RATE), driver, [witness, *others])
        late = [each for told in cost.followers[:: max(1, count // SAMPLED)] for each in told.delays]
        frames = sum(told.frames for told in cost.followers)
        updates[count] = (frames, cost.used.usage.cpu)
        findings.add(
            "followers",
            count,
            {
                "bytes to each": sum(told.bytes for told in cost.followers) / count,
                "bytes to all": sum(told.bytes for told in cost.followers),
                "rows": cost.rows,
                "statements": cost.used.statements,
                "CPU seconds": cost.used.usage.cpu,
                "server memory": opened.usage.memory,
                "follower delay p95": quantile(late, 0.95),
                "driver delay p95": quantile(cost.driver.delays, 0.95),
            },
        )
    most, least = max(updates), min(updates)
    findings.note(
        viewers=most,
        viewers_lag_beyond_flush_age=findings.series["followers"][most]["follower delay p95"] - FLUSH_AGE,
        viewers_driver_delay=findings.series["followers"][most]["driver delay p95"],
        cpu_per_1000_follower_updates=1000
        * (updates[most][1] - updates[least][1])
        / max(1.0, updates[most][0] - updates[least][0]),
    )


def _note_joins(findings: Findings, count: int, seconds: float, seen: tuple[int, int]) -> None:
    """What somebody was sent while others came: presence, typing and marks, in all (there is no other cause)."""
    findings.note(
        joins=count - 1,
        joins_bytes_a_minute=seen[0] / max(1.0, (seconds + 2 * SETTLE) / 60),
        joins_frames_in_2_s=max(0, seen[1] - 1) / ((seconds + 2 * SETTLE) / 2),  # one at either end
    )


async def measure_replies_at_once(site: Site, plan: Plan, findings: Findings) -> None:
    """More and more replies at once, each in a thread of its own with its driver."""
    for count in plan.at_once:
        paths = [await site.new_thread() for _ in range(count)]
        async with site.tabs(paths) as tabs:
            await asyncio.sleep(2 * SETTLE)
            before = await site.read()
            replies = [Reply(round(plan.load_seconds * RATE), RATE) for _ in tabs]
            messages = await asyncio.gather(*map(_asked, tabs, replies))
            await asyncio.sleep(plan.load_seconds / 2)
            halfway = await site.read()
            late, apart = await _ended(site, tabs, replies, messages)
            await asyncio.sleep(SETTLE)
            used = (await site.read()).since(before)
        findings.add(
            "replies at once",
            count,
            {
                "bytes to all": sum(tab.bytes for tab in tabs),
                "rows": used.chunks + 4 * count,
                "statements": used.statements,
                "CPU seconds": used.usage.cpu,
                "delay p95": quantile(late, 0.95),
                "frames apart p50": quantile(apart, 0.5),
                "frames apart p95": quantile(apart, 0.95),
            },
        )
        findings.note(
            memory_per_live_stream=max(0, halfway.usage.memory - before.usage.memory) / count,
            replies_at_once=count,
            replies_at_once_delay=quantile(late, 0.95),
            replies_at_once_frames_p50=quantile(apart, 0.5),
        )


async def measure_overload(site: Site, plan: Plan, findings: Findings) -> None:
    """More replies at once than the server can carry, each with a follower; then one alone, as before."""
    if not plan.overload:
        return
    paths = [await site.new_thread() for _ in range(plan.overload)]
    async with site.tabs(paths) as drivers, site.tabs(paths) as followers:
        await asyncio.sleep(2 * SETTLE)
        replies = [Reply(round(LONGER * plan.load_seconds * RATE), RATE) for _ in drivers]
        messages = await asyncio.gather(*map(_asked, drivers, replies))
        late, apart = await _ended(site, drivers, replies, messages)
        texts = await asyncio.gather(
            *(tab.ends(message, within=300) for tab, message in zip(followers, messages, strict=True))
        )
        assert texts == [reply.text for reply in replies], "a follower lost text"
        rarer = [gap for tab, message in zip(followers, messages, strict=True) for gap in _gaps(tab, message)]
        lost = sum(tab.is_closed for tab in (*drivers, *followers))
        await asyncio.sleep(SETTLE)
        again = await cost_of(site, Reply(5 * RATE, RATE), drivers[0])
    findings.note(
        overload_replies=plan.overload,
        overload_delay_p95=quantile(late, 0.95),
        overload_frames_apart_p50=quantile(apart, 0.5),
        overload_frames_apart_p95=quantile(apart, 0.95),
        overload_follower_frames_apart_p50=quantile(rarer, 0.5),
        overload_lost_texts=0,
        overload_lost_connections=lost,
        recovered_delay_p95=quantile(again.driver.delays, 0.95),
        recovered_frames_apart_p50=quantile(again.driver.gaps, 0.5),
    )


async def _asked(tab: Tab, reply: Reply) -> int:
    return await tab.asks(reply.order, within=180)


async def _ended(
    site: Site, tabs: Sequence[Tab], replies: Sequence[Reply], messages: Sequence[int]
) -> tuple[list[float], list[float]]:
    late: list[float] = []
    apart: list[float] = []
    for tab, reply, message in zip(tabs, replies, messages, strict=True):
        assert await tab.ends(message, within=300) == reply.text, "a driver lost text"
        said = await site.endpoint.said(reply)
        late += delays(said.deltas, reply.ends, reached(tab.of(message)))
        apart += _gaps(tab, message)
    return late, apart


def _gaps(tab: Tab, message: int) -> list[float]:
    return gaps([each.at for each in tab.of(message)])
