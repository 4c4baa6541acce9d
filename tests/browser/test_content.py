"""What is written runs nothing, loads nothing and takes nothing from the page, with the policy and without it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from chat_app.db import Database
from tests.browser.conftest import Site
from tests.browser.vectors import SAMPLE, VECTORS
from tests.support.planted import PER_PAGE, STEPS, Planted
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

AUDIT = """
() => {
  const found = [];
  const note = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
  const TAGS = `script,iframe,frame,object,embed,applet,link,meta,base,style,form,input,textarea,select,video,audio,
    source,track,img,picture,image,use,animate,set,foreignObject,feImage,math,template,dialog,title,portal`;
  for (const text of document.querySelectorAll(".message-text")) {
    for (const element of text.querySelectorAll(TAGS)) note(element, "tag");
    for (const element of text.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        if (/^(on|src|srcset|action|formaction|ping|background|name|accesskey|tabindex|popover|is$|item)/.test(name))
          note(element, name);
        if (name === "id" && !value.startsWith("user-content-")) note(element, "id");
        if (name === "style" && /url|image|position|@import/i.test(value)) note(element, "style");
      }
      if (getComputedStyle(element).position === "fixed") note(element, "position");
    }
    for (const link of text.querySelectorAll("[href]")) {
      const isSafe = ["http:", "https:", "mailto:"].includes(link.protocol);
      if (!isSafe || link.target !== "_blank" || !/noopener noreferrer/.test(link.rel)) note(link, "link");
    }
  }
  for (const line of document.querySelectorAll("header h1, nav a, .person, #my-name"))
    if (line.querySelector(":not(svg, svg *, span)")) note(line, "markup");
  for (const element of document.head.querySelectorAll("*"))
    if (/evil|hit\\(/.test(element.outerHTML)) note(element, "head");
  const title = document.querySelector("title");
  if (!document.title.includes("Tributary")) note(title, "title");
  if (document.baseURI !== location.href) found.push(`base: ${document.baseURI}`);
  if (document.getElementById("composer")?.tagName !== "TEXTAREA") found.push("the composer is another");
  if (typeof document.createElement !== "function" || typeof document.body !== "object") found.push("clobbered");
  return found;
}
"""
"""What of the page is not as it should be, whether or not it has done anything yet."""


@dataclass
class Watched:
    """A page, and what happened on it that should not have."""

    page: Page
    happened: list[str] = field(default_factory=list)


@asynccontextmanager
async def watched(chromium: Browser, site: Site, *, has_policy: bool) -> AsyncGenerator[Watched]:
    """A new browser's page, with the server's policy or as if it had none; ends it."""
    context = await chromium.new_context(bypass_csp=not has_policy, viewport={"width": 1200, "height": 800})
    try:
        page = await context.new_page()
        watch = Watched(page)
        await _watch(context, watch, site.server.url)
        yield watch
    finally:
        await context.close()


async def _watch(context: BrowserContext, watch: Watched, own: str) -> None:
    page, happened = watch.page, watch.happened

    async def refuse(route: Route) -> None:
        happened.append(f"request: {route.request.url}")
        await route.abort()

    await context.route(lambda url: not url.startswith((own, "data:", "blob:")), refuse)
    # A binding is there in every frame, whatever its origin.
    await context.expose_binding("hit", lambda source, what: happened.append(f"script in {source['frame'].url}"))
    for call in ("alert", "confirm", "prompt", "print", "open"):
        await context.add_init_script(f"window.{call} = () => hit('{call}')")
    context.on("page", lambda other: happened.append(f"window: {other.url}"))
    page.on("dialog", lambda dialog: happened.append(f"dialog: {dialog.message}"))
    page.on("pageerror", lambda error: happened.append(f"error: {error}"))
    page.on("download", lambda download: happened.append(f"download: {download.url}"))
    page.on("frameattached", lambda frame: happened.append(f"frame: {frame.url}"))
    page.on("console", lambda line: happened.append(f"console: {line.text}") if line.type == "error" else None)


@asynccontextmanager
async def planted(site: Site, texts: Sequence[str]) -> AsyncGenerator[Planted]:
    """The texts in a thread of their own, for as long as the block runs."""
    # The server is not alone meanwhile, and lets another one's replies live.
    presence = Database(f"sqlite:///{site.server.database}")
    presence.take_part()
    plants = Planted(site.server.database, texts)
    try:
        yield plants
    finally:
        plants.close()
        await presence.close()


async def nothing_happens(chromium: Browser, site: Site, texts: Sequence[str], *, has_policy: bool) -> None:
    """Show the texts everywhere, let them grow, and use the page after that."""
    async with planted(site, texts) as plants, watched(chromium, site, has_policy=has_policy) as watch:
        page = watch.page
        address = f"{site.server.url}/t/{plants.thread}"
        await page.goto(address)
        progress = page.locator("article[data-message]").last
        for step in range(STEPS):
            plants.grow(step)
            await expect(progress).to_contain_text(f"{step + 1}", timeout=20_000)
            assert await page.evaluate(AUDIT) == []
        plants.end()
        await expect(page.locator('article[data-status="streaming"]')).to_have_count(0, timeout=20_000)
        await expect(page.locator("article[data-message]")).to_have_count(3 * len(texts) + 1)
        await expect(page.locator(".message-plain")).to_have_count(0, timeout=20_000)
        assert await page.evaluate(AUDIT) == []

        await page.get_by_role("textbox", name="Message").fill("The page still works")
        await page.keyboard.press("Enter")
        await expect(page.locator("article", has_text="The page still works")).to_be_visible()
        assert page.url == address
        assert watch.happened == []


POLICY = pytest.mark.parametrize("has_policy", [True, False], ids=["with the policy", "without it"])


@POLICY
async def test_a_sample_of_attacks_does_nothing(chromium: Browser, production_site: Site, has_policy: bool) -> None:
    await nothing_happens(chromium, production_site, SAMPLE, has_policy=has_policy)


@pytest.mark.security
@POLICY
@pytest.mark.parametrize("start", range(0, len(VECTORS), PER_PAGE))
async def test_no_attack_does_anything(chromium: Browser, production_site: Site, has_policy: bool, start: int) -> None:
    await nothing_happens(chromium, production_site, VECTORS[start : start + PER_PAGE], has_policy=has_policy)
