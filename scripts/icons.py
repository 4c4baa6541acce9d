"""Draws the pictures in `assets/` that cannot be SVG, from `favicon.svg`: what phones and links to a page show.

Run it with `.venv/bin/python -m scripts.icons` once `make test` has set things up.
"""

import asyncio

from playwright.async_api import Browser, async_playwright

from scripts.screenshots import FLAGS
from tests.support.chromium import find_chromium
from tests.support.server import PROJECT

ASSETS = PROJECT / "assets"
MARK = (ASSETS / "favicon.svg").read_text()
SQUARE = "<style>body{margin:0} svg{display:block;width:100vw;height:100vh} rect{rx:0}</style>" + MARK
"""Without its own round corners: phones cut the icon as they like."""
SHARE = f"""
<style>
  body {{ margin: 0; height: 630px; display: flex; gap: 56px; align-items: center; justify-content: center;
    background: #e3f3f5; color: #14252b; font: 600 104px system-ui, sans-serif }}
  svg {{ width: 200px }}
  p {{ margin: 16px 0 0; color: #48616a; font-size: 34px; font-weight: 400 }}
</style>
{MARK}<div>Tributary<p>Several people and an AI in one thread</p></div>
"""


async def draw(browser: Browser, name: str, page: str, width: int, height: int) -> None:
    """Save a page of this size as a picture."""
    tab = await browser.new_page(viewport={"width": width, "height": height})
    await tab.set_content(page)
    picture = await tab.screenshot(path=ASSETS / name)
    print(f"assets/{name}: {len(picture) // 1024} KB")


async def draw_all() -> None:
    """Draw them."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for size in (180, 512):
            await draw(browser, f"icon-{size}.png", SQUARE, size, size)
        await draw(browser, "share.png", SHARE, 1200, 630)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw_all())
