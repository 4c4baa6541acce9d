"""The comparison: in Chromium, somebody asks each chat for the same replies, and reloads the page within one."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError

from bench.beside.rivals import Rival, chainlit, usual_reflex
from bench.endpoint import Endpoint
from bench.figures import delays, quantile
from bench.findings import Findings
from bench.plan import Plan
from bench.processes import usage
from bench.replies import Reply
from bench.screen import Screen, chromium, screen
from bench.site import Site

logger = logging.getLogger(__name__)

OURS, USUAL, CHAINLIT = "Tributary", "usual Reflex pattern", "Chainlit"
SETTLE = 3.0
"""Seconds in which a page has connected, and a server that has answered has nothing left to do."""
REFRESH_AFTER = 3.0
"""Seconds into a reply at which the page is reloaded."""
LEFT_WITHIN = 6.0
"""Seconds in which a reloaded page shows what it will."""


@dataclass(frozen=True)
class Answer:
    """What one reply cost in one chat. Bytes are websocket payload; times are seconds to the DOM."""

    text: int
    bytes: int
    frames: int
    first_text: float
    """From Enter to the first text, less what the model took for it."""
    delay_p50: float
    """From the sending of a delta to its text."""
    delay_p95: float
    cpu: float
    """Of the server's processes, in seconds."""
    memory: int
    """Of the server's processes at the end, in bytes."""


async def measure_beside(site: Site, plan: Plan, findings: Findings) -> None:
    """Measure all of them; one that cannot be installed or started is left out, and the findings say so."""
    found = findings.beside
    if not plan.beside:
        return
    async with chromium() as browser:
        model = site.endpoint.base_url
        chats = {OURS: _ours(site), USUAL: usual_reflex(model), CHAINLIT: chainlit(model)}
        for name, opened in chats.items():
            try:
                async with opened as rival:
                    found[name] = await _measure(browser, site.endpoint, rival, plan)
            except (RuntimeError, OSError, PlaywrightError) as error:  # a TimeoutError is an OSError
                logger.warning("%s is left out: %s", name, error)
                findings.failures[name] = str(error)[:500]


@asynccontextmanager
async def _ours(site: Site) -> AsyncGenerator[Rival]:
    path = await site.new_thread(reply_mode="always")
    texts = "article[data-message] .message-text"
    yield Rival(site.server.url + path, site.server.process.pid, texts)


async def _measure(browser: Browser, endpoint: Endpoint, rival: Rival, plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for rate in plan.beside:
        async with _opened(browser, rival) as page:
            answer = await _answer(page, endpoint, rival, Reply(round(rate * plan.beside_seconds), rate))
        found[str(rate)] = asdict(answer)
    async with _opened(browser, rival) as page:
        found["left after a refresh"] = await _left_after_refresh(page, endpoint)
    return found


@asynccontextmanager
async def _opened(browser: Browser, rival: Rival) -> AsyncGenerator[Screen]:
    async with screen(browser, rival.url, rival.texts) as page:
        await page.box.wait_for(timeout=60_000)
        await page.connected()
        await asyncio.sleep(SETTLE)
        yield page


async def _answer(page: Screen, endpoint: Endpoint, rival: Rival, reply: Reply) -> Answer:
    await page.expect(reply)
    before, frames, received = usage(rival.process), page.frames, page.bytes
    sent = await page.ask(reply)
    said = await endpoint.said(reply, within=60 + reply.seconds)
    await page.shown(reply, within=120)
    await asyncio.sleep(SETTLE)
    used = usage(rival.process)
    steps = await page.steps(reply)
    text = reply.text
    ends = [len(text[:end].rstrip()) for end in reply.ends]
    late = delays(said.deltas, ends, steps)
    return Answer(
        text=len(text),
        bytes=page.bytes - received,
        frames=page.frames - frames,
        first_text=steps[0][0] - sent - (said.deltas[0] - said.asked),
        delay_p50=quantile(late, 0.5),
        delay_p95=quantile(late, 0.95),
        cpu=used.cpu - before.cpu,
        memory=used.memory,
    )


async def _left_after_refresh(page: Screen, endpoint: Endpoint) -> dict[str, Any]:
    """How many characters of a reply a page shows before its reload in the middle, soon after it, and at last."""
    reply = Reply(500, 50)
    await page.expect(reply)
    await page.ask(reply)
    await asyncio.sleep(REFRESH_AFTER)
    before = await page.steps(reply)
    await page.page.reload()
    await page.expect(reply)
    await asyncio.sleep(LEFT_WITHIN)
    soon = await page.steps(reply)
    try:
        await endpoint.said(reply, within=20)
        is_completed = True
    except TimeoutError:
        is_completed = False
    await asyncio.sleep(SETTLE)
    last = await page.steps(reply)
    reached = [steps[-1][1] if steps else 0 for steps in (before, soon, last)]
    return {
        "shown before": reached[0],
        "shown after": reached[1],
        "shown at last": reached[2],
        "of": len(reply.text),
        "model was read to its end": is_completed,
    }
