"""What is written runs nothing, loads nothing and takes nothing from the page, with the policy and without it."""

import os
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, Route, expect

from chat_app.components import words
from chat_app.data.db import Database
from tests.browser.pathological import PATHOLOGICAL
from tests.browser.vectors import EVIL, SAMPLE, VECTORS
from tests.support.planted import PER_PAGE, STEPS, Planted
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

CORPUS = "XSS_CORPUS"
"""The variable that may name a folder of texts, one a file: others' collections are not ours to pass on."""
AUDIT = """
() => {
  const found = [];
  const note = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
  const TAGS = `script,iframe,frame,object,embed,applet,link,meta,base,style,form,input,textarea,select,video,audio,
    source,track,img,picture,image,use,animate,set,foreignObject,feImage,math,template,dialog,title,portal`;
  for (const text of document.querySelectorAll(".message-text")) {
    for (const element of text.querySelectorAll(TAGS))
      if (!element.matches(".katex-mathml > math")) note(element, "tag"); // the typesetter's own
    for (const element of text.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        if (/^(on|src|srcset|action|formaction|ping|background|name|accesskey|tabindex|popover|is$|item)/.test(name))
          note(element, name);
        if (name === "id" && !value.startsWith("user-content-")) note(element, "id");
        if (name === "style" && /url|image|@import|position(?!: relative)/i.test(value)) note(element, "style");
      }
      if (getComputedStyle(element).position === "fixed") note(element, "position");
    }
    // What a formula moves or makes as large as it likes is seen nowhere else, and pushes nothing away.
    if (getComputedStyle(text).overflow !== "clip") note(text, "leaves its message");
    if (text.getBoundingClientRect().height > 8_000) note(text, "height");
    for (const link of text.querySelectorAll("[href]")) {
      const isSafe = ["http:", "https:", "mailto:"].includes(link.protocol);
      if (!isSafe || link.target !== "_blank" || !/noopener noreferrer/.test(link.rel)) note(link, "link");
    }
  }
  for (const line of document.querySelectorAll("header h1, nav a, .person, #my-name"))
    if (line.querySelector(":not(svg, svg *, span)")) note(line, "markup");
  for (const element of document.head.querySelectorAll("*"))
    if (element.tagName !== "TITLE" && /evil|hit\\(/.test(element.outerHTML)) note(element, "head"); // a title is text
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
            await expect(progress).to_contain_text(f"{step + 1}")
            assert await page.evaluate(AUDIT) == []
        plants.end()
        await expect(page.locator('article[data-status="streaming"]')).to_have_count(0)
        await expect(page.locator("article[data-message]")).to_have_count(3 * len(texts) + 1)
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


def collection(folder: Path) -> list[str]:
    """The texts of a folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [file.read_text(errors="surrogateescape") for file in files]


@pytest.mark.security
@pytest.mark.skipif(CORPUS not in os.environ, reason=f"{CORPUS} names no folder with a collection of attacks")
@POLICY
async def test_no_attack_of_a_collection_does_anything(
    chromium: Browser, production_site: Site, has_policy: bool
) -> None:
    texts = collection(Path(os.environ[CORPUS]))
    for start in range(0, len(texts), PER_PAGE):
        print(f"{start} of {len(texts)} have done nothing")
        some = texts[start : start + PER_PAGE]
        await nothing_happens(chromium, production_site, some, has_policy=has_policy)


async def test_an_image_from_elsewhere_loads_in_a_tab_of_its_own_and_only_on_click(
    chromium: Browser, production_site: Site
) -> None:
    """The other origin is a name that only this browser's route knows; what it is asked for is counted."""
    asked: list[Request] = []

    async def answer(route: Route) -> None:
        asked.append(route.request)
        await route.fulfill(content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')

    text = "![A *map* of it](https://images.example/map.svg)\n\n[![in a link](https://images.example/2)](https://a.example)"
    async with planted(production_site, [text]) as plants:
        context = await chromium.new_context()
        await context.route("https://images.example/**", answer)
        page = await context.new_page()
        await page.goto(f"{production_site.server.url}/t/{plants.thread}")
        image = page.get_by_role("link", name="A map of it Show image from images.example").first
        await expect(image).to_be_visible()
        await expect(page.locator(".message-text img")).to_have_count(0)
        assert asked == []

        async with context.expect_page() as opened:
            await image.click()
        shown = await opened.value
        await shown.wait_for_load_state()

        assert [request.url for request in asked] == ["https://images.example/map.svg"]
        assert "referer" not in await asked[0].all_headers()
        assert await shown.evaluate("window.opener") is None
        await context.close()


async def test_what_the_renderer_says_around_a_text_are_words_of_the_page(
    chromium: Browser, production_site: Site
) -> None:
    async with planted(production_site, ["```text\ncode\n```\n\n" + "x" * 2_100]) as plants:
        page = await chromium.new_page()
        await page.goto(f"{production_site.server.url}/t/{plants.thread}")
        await expect(page.get_by_role("button", name=words.MARKDOWN["copyCode"]).first).to_be_visible()
        await expect(page.get_by_text(words.MARKDOWN["tooMuch"]).first).to_be_attached()
        await page.close()


PAST_THE_RENDERER = """
async () => {
  const done = [];
  window.hit = (what) => done.push(what);
  const script = document.createElement("script");
  script.textContent = "hit('inline script')";
  document.head.append(script);
  const handler = document.createElement("div");
  handler.setAttribute("onclick", "hit('attribute')");
  handler.click();
  const style = document.createElement("style");
  style.textContent = "body { --hit: 1 }";
  document.head.append(style);
  if (getComputedStyle(document.body).getPropertyValue("--hit")) done.push("style sheet");
  const frame = document.createElement("iframe");
  frame.srcdoc = "<script>parent.hit('frame')<" + "/script>";
  const image = new Image();
  const ended = new Promise((resolve) => { image.onload = image.onerror = resolve; });
  image.src = "https://evil.example/image";
  document.body.append(frame, image);
  await ended;
  await fetch("https://evil.example/fetch").catch(() => null);
  // Only here, for what a test's own script does at once may evaluate whatever the policy says.
  try { (0, eval)("hit('eval')"); } catch { /* as it should be */ }
  return done;
}
"""


async def test_the_policy_stops_what_would_get_past_the_renderer(chromium: Browser, production_site: Site) -> None:
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(body="")

    context = await chromium.new_context()
    await context.route(f"https://{EVIL}/**", answer)
    page = await context.new_page()
    await page.goto(production_site.server.url)
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible(timeout=60_000)
    assert await page.evaluate(PAST_THE_RENDERER) == []
    assert asked == []
    await context.close()


UNGUARD = re.compile(r"depth:20\b")
PATIENCE_MS = 20_000
"""A page that froze does not answer within it; a slow machine's does."""


async def stays_alive(chromium: Browser, site: Site, name: str, text: str) -> None:
    """Show a text as it is stored and while it grows; the page must answer all the time."""
    async with planted(site, [text]) as plants, watched(chromium, site, has_policy=True) as watch:
        page = watch.page
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(f"{site.server.url}/t/{plants.thread}")
        rows = page.locator("article[data-message]")
        await expect(rows).to_have_count(4, timeout=PATIENCE_MS)
        for step in range(STEPS):
            plants.grow(step)
            await expect(rows.last).to_contain_text(f"{step + 1}", timeout=PATIENCE_MS)
        plants.end()
        await expect(rows.nth(2)).to_have_attribute("data-status", "done", timeout=PATIENCE_MS)
        await page.get_by_role("textbox", name="Message").fill("Alive")
        await page.keyboard.press("Enter")
        await expect(page.locator("article", has_text="Alive")).to_be_visible(timeout=PATIENCE_MS)
        assert (name, watch.happened) == (name, [])


@pytest.mark.security
@pytest.mark.parametrize("name", PATHOLOGICAL)
async def test_no_text_freezes_the_page(chromium: Browser, production_site: Site, name: str) -> None:
    await stays_alive(chromium, production_site, name, PATHOLOGICAL[name])


async def test_a_text_that_the_renderer_cannot_bear_costs_only_its_own_message(
    chromium: Browser, production_site: Site
) -> None:
    """The guard is taken off in this browser, so that the renderer's stack overflows: at once, and while text grows."""
    text = ">" * 1_900 + " a"

    async def unguarded(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=UNGUARD.sub("depth:1e9", await answer.text()))

    async with planted(production_site, [text]) as plants:
        context = await chromium.new_context()
        await context.route("**/assets/*.js", unguarded)
        page = await context.new_page()
        failures: list[str] = []
        page.on("console", lambda line: failures.append(line.text) if "RangeError" in line.text else None)
        await page.goto(f"{production_site.server.url}/t/{plants.thread}")
        rows = page.locator("article[data-message]")
        for step in range(STEPS):
            plants.grow(step)
            await expect(rows.last).to_contain_text(f"{step + 1}", timeout=PATIENCE_MS)
        plants.end()
        await expect(rows.nth(2)).to_have_attribute("data-status", "done", timeout=PATIENCE_MS)
        for row in (rows.nth(1), rows.nth(2)):
            await expect(row.locator(".message-plain")).to_have_text(text, timeout=PATIENCE_MS)
        assert failures  # it did overflow
        await context.close()
