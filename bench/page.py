"""Measures the page while a long reply streams into it: frame times, long tasks, layout shift, and keys to paint.

    .venv/bin/python -m bench.page [--deltas 10000] [--rate 200]

The production server, a scripted model and Chromium, headless and without a GPU, share this machine.
"""

import argparse
import asyncio
import math
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright, expect

from tests.support.chromium import find_chromium
from tests.support.scripted_model import Say
from tests.support.site import running_site
from tests.support.visitor import Tab

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
DELTA = 4
"""Characters of a delta."""
KEY_EVERY = 0.15
"""Seconds between two keys, as somebody types who knows how."""
WINDOW_GAP, WINDOW = 1_000, 5_000
"""Milliseconds after which layout shifts belong to a new window: since the last one, and since the first."""
PARAGRAPH = (
    "A river finds its way to the sea by trying every slope that there is, and *most* of what it tries is `lost`. "
    "So does a long reply: what matters is that whoever reads it can still write. "
)
CODE = "\n\n```python\ndef way(slope: int) -> int:\n    return slope if slope < 2 else way(slope - 1)\n```\n\n"
LIST = "\n\n1. The first of three things that are worth a line of their own.\n2. The **second**.\n3. The third.\n\n"

WATCH = """
() => {
  const seen = (window.seen = { frames: [], tasks: [], keys: [], shifts: [] });
  let last = performance.now();
  const frame = (now) => {
    seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => list.getEntries().forEach((task) => seen.tasks.push(task.duration))).observe({
    type: "longtask",
  });
  // Keys are pressed all the time, so that the shifts beside them count as any.
  new PerformanceObserver((list) => {
    for (const { startTime, value } of list.getEntries()) seen.shifts.push([startTime, value]);
  }).observe({ type: "layout-shift" });
  document.addEventListener(
    "keydown",
    ({ timeStamp }) =>
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => seen.keys.push(performance.now() - timeStamp); // after the paint that follows
        port2.postMessage(null);
      }),
    { capture: true },
  );
}
"""


def script(deltas: int) -> list[str]:
    """A reply of so many deltas: prose, lists and code, as replies are."""
    section = PARAGRAPH * 3 + LIST + PARAGRAPH * 2 + CODE
    text = section * (deltas * DELTA // len(section) + 1)
    return [text[start : start + DELTA] for start in range(0, deltas * DELTA, DELTA)]


async def typing(page: Page, is_over: asyncio.Event) -> int:
    """Type until the reply has ended; return how many keys were pressed."""
    await page.get_by_role("textbox", name="Message").focus()
    pressed = 0
    while not is_over.is_set():
        await page.keyboard.press("abcdefghijklmnop "[pressed % 17])
        pressed += 1
        await asyncio.sleep(KEY_EVERY)
    return pressed


def summary(name: str, values: Sequence[float], unit: str = "ms") -> str:
    """A line: how many, their median, 95th percentile and maximum."""
    if not values:
        return f"{name:<28} none"
    ranked = sorted(values)
    p95 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.95))]
    middle = statistics.median(ranked)
    return f"{name:<28} {len(ranked):>6}   p50 {middle:7.1f}   p95 {p95:7.1f}   max {ranked[-1]:7.1f} {unit}"


def cumulative_layout_shift(shifts: Iterable[tuple[float, float]]) -> float:
    """The greatest sum of shifts, each after its time in milliseconds, in a window as web.dev/articles/cls has it."""
    greatest, start, last, total = 0.0, -math.inf, -math.inf, 0.0
    for time, value in shifts:
        if time - last > WINDOW_GAP or time - start > WINDOW:
            start, total = time, 0.0
        last, total = time, total + value
        greatest = max(greatest, total)
    return greatest


async def measure(deltas: int, rate: float) -> None:
    """Stream one reply into one tab and print what it was like there."""
    with tempfile.TemporaryDirectory() as directory, running_site(Path(directory), "prod") as site:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            page = await (await browser.new_context(viewport={"width": 1200, "height": 800})).new_page()
            await page.goto(site.server.url)
            tab = Tab(page)
            await expect(page.get_by_role("textbox", name="Message")).to_be_visible(timeout=60_000)
            said = script(deltas)
            site.model.enqueue(Say(said, pace=1 / rate))
            await tab.send("@gpt tell me of rivers")
            await expect(page.locator('article[data-status="streaming"] .message-text')).to_be_visible(timeout=60_000)
            await page.evaluate(WATCH)
            is_over = asyncio.Event()
            keys = asyncio.create_task(typing(page, is_over))
            reply = page.locator("article[data-message]").last
            await expect(reply).to_have_attribute("data-status", "done", timeout=600_000)
            is_over.set()
            pressed = await keys
            seen: dict[str, list[Any]] = await page.evaluate("window.seen")
            shown: Any = await reply.locator(".message-text").text_content()
            await browser.close()
    print(f"{deltas} deltas of {DELTA} characters at {rate:g} a second, {pressed} keys; {len(shown)} characters shown")
    print(summary("time between two frames", seen["frames"]))
    print(summary("tasks longer than 50 ms", seen["tasks"]))
    print(summary("key, from press to paint", seen["keys"]))
    every = sum(value for _, value in seen["shifts"])
    print(f"layout shift, in one window  {cumulative_layout_shift(seen['shifts']):8.4f}, in all {every:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures the page while a long reply streams into it.")
    parser.add_argument("--deltas", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200.0, help="deltas a second")
    given = parser.parse_args()
    asyncio.run(measure(given.deltas, given.rate))
