"""Makes the screenshots in `docs/`: the real server, two people in Chromium, and a reply that is still being written.

Run it with `.venv/bin/python -m scripts.screenshots` once `make test` has set things up. Names and colours of the two
are made up anew each time.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from tests.support.chromium import find_chromium
from tests.support.server import PROJECT, running_server
from tests.support.visitor import Tab

PICTURES = PROJECT / "docs"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

Mode = Literal["light", "dark"]


@dataclass(frozen=True)
class Device:
    """A screen, in CSS pixels, and how many of its own it has for one of them."""

    name: str
    size: ViewportSize
    scale: float
    is_phone: bool = False


DESKTOP = Device("desktop", {"width": 1180, "height": 800}, 1.5)
PHONE = Device("phone", {"width": 390, "height": 800}, 1.5, is_phone=True)


@dataclass(frozen=True)
class Scene:
    """A conversation up to its picture: who asks sits at the desktop, the other one holds the phone."""

    asker_sees: Mode
    other_sees: Mode
    opening: str
    """What the other one says first; it becomes the thread's title."""
    before: str
    """A question whose reply is complete in the picture."""
    remark: str
    question: str
    taken_at: str
    """What the asker's page shows of the reply when the picture is taken; the reply has to go on after it."""


SCENES = (
    Scene(
        asker_sees="light",
        other_sees="dark",
        opening="Fibonacci, from the train",
        before="Everyone here sees the answer. @gpt write a Python function for Fibonacci numbers",
        remark="Got it! I am about to lose the network, though.",
        question="You will find it complete. @gpt what happens when I refresh?",
        taken_at="its end without you",
    ),
    Scene(
        asker_sees="dark",
        other_sees="light",
        opening="Picnic on Saturday",
        before="Six of us so far. @gpt compare the lake and the garden",
        remark="The lake, if it stays dry.",
        question="Then we need a plan. @gpt plan a picnic for six",
        taken_at="the rest bought",
    ),
)


async def open_page(browser: Browser, url: str, device: Device, mode: Mode) -> Tab:
    """A person of their own, on this device, with the thread open."""
    context = await browser.new_context(
        viewport=device.size,
        device_scale_factor=device.scale,
        color_scheme=mode,
        is_mobile=device.is_phone,
        has_touch=device.is_phone,
        locale="en-GB",
    )
    page = await context.new_page()
    await page.goto(url)
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible(timeout=60_000)
    return Tab(page)


async def begin_thread(tab: Tab) -> None:
    """Leave for a new thread."""
    before = tab.page.url
    await tab.page.get_by_role("button", name="New thread").click()
    await tab.page.wait_for_url(lambda now: now != before)
    await expect(tab.messages()).to_have_count(0)


async def play(browser: Browser, url: str, scene: Scene) -> None:
    """Have the conversation and take both pictures at the same moment."""
    asking = await open_page(browser, url, DESKTOP, scene.asker_sees)
    await begin_thread(asking)
    other = await open_page(browser, asking.page.url, PHONE, scene.other_sees)
    await other.send(scene.opening)
    await asking.shows(scene.opening)
    await asking.send(scene.before)
    await expect(asking.page.locator('article[data-status="done"]')).to_have_count(1, timeout=60_000)
    await other.send(scene.remark)
    await asking.shows(scene.remark)
    await asking.send(scene.question)
    reply = asking.page.locator('article[aria-busy="true"]')
    await expect(reply).to_contain_text(scene.taken_at, ignore_case=True, timeout=60_000)
    await asyncio.gather(
        take(asking, PICTURES / f"{DESKTOP.name}-{scene.asker_sees}.png"),
        take(other, PICTURES / f"{PHONE.name}-{scene.other_sees}.png"),
    )
    # Otherwise the pictures may show a reply that has ended: take them earlier.
    await expect(reply).to_have_count(1, timeout=1)
    for tab in (asking, other):
        await tab.page.context.close()


async def take(tab: Tab, file: Path) -> None:
    """Take a picture of what the tab shows now."""
    picture = await tab.page.screenshot(path=file, caret="initial")
    print(f"{file.relative_to(PROJECT)}: {len(picture) // 1024} KB")


async def make_screenshots() -> None:
    """Play the scenes on a server with nothing in it but the seeded conversation."""
    with tempfile.TemporaryDirectory() as directory, running_server(Path(directory)) as server:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            for scene in SCENES:
                await play(browser, server.url, scene)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(make_screenshots())
