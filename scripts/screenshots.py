"""Makes the pictures in `docs/`: the real server, two people in Chromium, and a reply that is still being written.

Run it with `.venv/bin/python -m scripts.screenshots` once `make test` has set things up. Names and colours of the two
are made up anew each time. The recording is a reply of the last scene, as both of them see it.
"""

import asyncio
import io
import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from tests.support.chromium import find_chromium
from tests.support.scripted_model import Drop, Say
from tests.support.scripted_model import ScriptedModelThread as Model
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
BESIDE = (Device("left", {"width": 800, "height": 600}, 1), Device("right", {"width": 340, "height": 600}, 1, True))
"""The two screens of the recording."""
FRAMES, FRAMES_AROUND, LAST_MS = 120, 4, 2_000
"""Of the recording: how many at most, before and after the reply, and how long the last one stays, in milliseconds."""
COLORS = 128
"""Of a picture: enough for letters on a few plain colours, and a third of the bytes."""


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
        opening="Counting words, from the train",
        before="Everyone here sees the answer. @gpt write a Python function that counts words",
        remark="Got it! I am about to lose the network, though.",
        question="You will find it complete. @gpt what happens when I refresh?",
        taken_at="its end without you",
    ),
    Scene(
        asker_sees="dark",
        other_sees="light",
        opening="Which database?",
        before="We begin with one server. @gpt compare SQLite and PostgreSQL in a table",
        remark="Then SQLite will do.",
        question="And our replies? @gpt what makes a reply here different from other chats?",
        taken_at="whole sentences from the database",
    ),
)


CODE = """Count them in one pass:

```python
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

WORD = re.compile(r"[^\\W\\d_]+(?:['’][^\\W\\d_]+)?")


def words_of(text: str) -> Iterable[str]:
    \"\"\"The words of a text, in lower case, with their apostrophes.\"\"\"
    return (match.group().lower() for match in WORD.finditer(text))


def most_common(folder: Path, count: int = 10) -> list[tuple[str, int]]:
    \"\"\"The words that occur most often in the text files below a folder, however deep they lie in it.\"\"\"
    counter: Counter[str] = Counter()
    for file in sorted(folder.rglob("*.txt")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                counter.update(words_of(line))
    return counter.most_common(count)


if __name__ == "__main__":
    for word, times in most_common(Path("library")):
        print(f"{times:>8,}  {word}")
```

It reads line by line, so a file may be larger than memory.
"""
STILLS = {
    "empty": (None, None),
    "error": ("@gpt how do rivers find the sea?", Say(["They follow the slope of the land, ", Drop()])),
    "code": ("@gpt count the words of many files", Say([CODE])),
}
"""By name, what is asked, if anything, and what the model does."""


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
    pictures = await asyncio.gather(take(asking), take(other))
    # Otherwise the pictures may show a reply that has ended: take them earlier.
    await expect(reply).to_have_count(1, timeout=1)
    for picture, name in zip(pictures, (f"desktop-{scene.asker_sees}", f"phone-{scene.other_sees}"), strict=True):
        save(picture, name)
    for tab in (asking, other):
        await tab.page.context.close()


async def take(tab: Tab) -> Image.Image:
    """A picture of what the tab shows now."""
    return Image.open(io.BytesIO(await tab.page.screenshot(caret="initial"))).convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Save it with few colours."""
    file = PICTURES / f"{name}.png"
    picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"docs/{file.name}: {file.stat().st_size // 1024} KB")


async def take_stills(browser: Browser, url: str, model: Model) -> None:
    """Take each of the stills on both devices, light and dark."""
    for name, (question, answer) in STILLS.items():
        asking = await open_page(browser, url, DESKTOP, "light")
        await begin_thread(asking)
        if question and answer:
            model.enqueue(answer)
            await asking.send(question)
            await expect(asking.page.locator("article[data-status=done], article[data-status=error]")).to_have_count(1)
        for device in (DESKTOP, PHONE):
            for mode in ("light", "dark"):
                tab = await open_page(browser, asking.page.url, device, mode)
                await expect(tab.messages()).to_have_count(2 if question else 0)
                await tab.page.wait_for_load_state("networkidle")  # the colours of code come last
                save(await take(tab), f"{name}-{device.name}-{mode}")
                await tab.page.context.close()
        await asking.page.context.close()


async def record(browser: Browser, url: str, scene: Scene) -> None:
    """Film both screens, side by side, from the question to the end of the reply, at the pace that it really had."""
    left, right = BESIDE
    asking = await open_page(browser, url, left, "light")
    await begin_thread(asking)
    other = await open_page(browser, asking.page.url, right, "dark")
    await other.send(scene.opening)
    await asking.shows(scene.opening)
    frames: list[Image.Image] = []
    times: list[float] = []
    width, height = left.size["width"] + right.size["width"], left.size["height"]
    done = asking.page.locator('article[data-status="done"]')
    after = 0
    while after < FRAMES_AROUND and len(frames) < FRAMES:
        shots = await asyncio.gather(asking.page.screenshot(), other.page.screenshot())
        times.append(time.monotonic())
        frame = Image.new("RGB", (width, height))
        for shot, at in zip(shots, (0, left.size["width"]), strict=True):
            frame.paste(Image.open(io.BytesIO(shot)), (at, 0))
        frames.append(frame)
        if len(frames) == FRAMES_AROUND:
            await asking.send(scene.question)
        after += await done.count()
    lasts = [round(1000 * (to - since)) for since, to in itertools.pairwise(times)] + [LAST_MS]
    film = {"save_all": True, "append_images": frames[1:], "duration": lasts, "loop": 0}
    file = io.BytesIO()
    frames[0].save(file, "webp", **film, quality=70, method=4, minimize_size=True)
    (PICTURES / "together.webp").write_bytes(file.getvalue())
    print(f"docs/together.webp: {len(frames)} frames, {len(file.getvalue()) // 1024} KB")
    for tab in (asking, other):
        await tab.page.context.close()


async def make_pictures() -> None:
    """Play the scenes with the demo model, and the stills with one that does as it is told."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        with tempfile.TemporaryDirectory() as directory, running_server(Path(directory)) as server:
            for scene in SCENES:
                await play(browser, server.url, scene)
            await record(browser, server.url, SCENES[1])
        with (
            tempfile.TemporaryDirectory() as directory,
            Model() as model,
            running_server(Path(directory), OPENAI_BASE_URL=model.base_url, CHAT_SEED="false") as server,
        ):
            await take_stills(browser, server.url, model)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(make_pictures())
