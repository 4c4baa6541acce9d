"""Latency: from the model's delta to the DOM of a page in Chromium, and from Enter to the first text."""

import asyncio

from playwright.async_api import Browser

from bench.figures import delays, quantile
from bench.findings import Findings
from bench.plan import Plan
from bench.replies import Reply
from bench.screen import Screen, chromium, screen
from bench.site import Site

TEXTS = "article[data-message] .message-text"
SETTLE = 3.0
"""Seconds in which a page that was opened comes to rest."""
TOGETHER = 50
"""Deltas a second of each of several replies in one tab."""


async def measure_latency(site: Site, plan: Plan, findings: Findings) -> None:
    """One reply to a driver and a follower, several in one tab, and short ones for their beginnings."""
    path = await site.new_thread(reply_mode="always")
    async with (
        chromium() as browser,
        screen(browser, site.server.url + path, TEXTS) as driver,
        screen(browser, site.server.url + path, TEXTS) as follower,
    ):
        for each in (driver, follower):
            await _ready(each)
        await _measure_one(site, driver, follower, Reply(plan.deltas, 100), findings)
        await _measure_beginnings(site, driver, plan.openings, findings)
        await _measure_together(site, browser, plan, findings)


async def _ready(page: Screen) -> None:
    await page.box.wait_for(timeout=60_000)
    await asyncio.sleep(SETTLE)


async def _measure_one(site: Site, driver: Screen, follower: Screen, reply: Reply, findings: Findings) -> None:
    for each in (driver, follower):
        await each.expect(reply)
    await driver.ask(reply)
    said = await site.endpoint.said(reply, within=60 + reply.seconds)
    for name, each in (("driver", driver), ("follower", follower)):
        await each.shown(reply)
        late = delays(said.deltas, _ends(reply), await each.steps(reply))
        findings.note(**{f"{name}_dom_p50": quantile(late, 0.5), f"{name}_dom_p95": quantile(late, 0.95)})


async def _measure_beginnings(site: Site, driver: Screen, times: int, findings: Findings) -> None:
    waits: list[float] = []
    for _ in range(times):
        reply = Reply(20, 50)
        await driver.expect(reply)
        sent = await driver.ask(reply)
        said = await site.endpoint.said(reply)
        await driver.shown(reply)
        steps = await driver.steps(reply)
        waits.append(steps[0][0] - sent - (said.deltas[0] - said.asked))
    findings.note(send_to_first_text_p50=quantile(waits, 0.5), send_to_first_text_max=max(waits))


async def _measure_together(site: Site, browser: Browser, plan: Plan, findings: Findings) -> None:
    path = await site.new_thread(reply_mode="always")
    async with screen(browser, site.server.url + path, TEXTS) as page:
        await _ready(page)
        replies = [Reply(round(plan.load_seconds * TOGETHER), TOGETHER) for _ in range(plan.in_one_tab)]
        await page.expect(*replies)
        for reply in replies:
            await page.ask(reply)
        late: list[float] = []
        for reply in replies:
            said = await site.endpoint.said(reply, within=120)
            await page.shown(reply)
            late += delays(said.deltas, _ends(reply), await page.steps(reply))
    findings.note(together=len(replies), together_dom_p50=quantile(late, 0.5), together_dom_p95=quantile(late, 0.95))


def _ends(reply: Reply) -> list[int]:
    """How far the text reaches after each delta as a page shows it, which drops what is blank at the end."""
    text = reply.text
    return [len(text[:end].rstrip()) for end in reply.ends]
