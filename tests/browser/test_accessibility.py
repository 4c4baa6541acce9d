"""Everyone: what axe-core finds on each page, what the keyboard reaches, and whom the pages ask for anything."""

from collections.abc import Callable

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, expect

from tests.support.scripted_model import Hang, Say, Status
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

MakeVisitor = Callable[[], Visitor]

SCAN = """
async (mode) => {
  const root = document.documentElement;
  root.classList.remove("light", "dark");
  root.classList.add(mode);
  root.style.colorScheme = mode;
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const line = (id, { html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`;
  return grave.flatMap(({ id, nodes }) => nodes.map((node) => line(id, node)));
}
"""
WRITTEN = """# A heading

Words with `code`, a [link](https://example.com) and ![a picture](https://example.com/picture.png).

- [x] done
- open

| a | b |
|---|---|
| 1 | 2 |

> as was said

```python
def greet(name: str) -> str:
    # says hello
    return f"Hello {name}" if name else 1
```
"""


async def is_open_to_all(page: Page, where: str) -> None:
    """Find nothing serious on the page as it is now, light and dark."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE_SCRIPT)
    for mode in ("dark", "light"):
        assert (where, mode, await page.evaluate(SCAN, mode)) == (where, mode, [])


async def test_axe_finds_nothing_serious_on_any_page_and_none_asks_another_host(
    production_site: Site, visitor: MakeVisitor
) -> None:
    url, model = production_site.server.url, production_site.model
    ada, noor = visitor(), visitor()
    tab = await ada.begin(url)
    page = tab.page
    asked: list[str] = []
    ada.context.on("request", lambda request: asked.append(request.url))
    await is_open_to_all(page, "an empty thread")

    model.enqueue(Say([WRITTEN]), Status(400), Say(["It begins ", Hang()]))
    await tab.send("@gpt write")
    await tab.shows("says hello", status="done")
    await tab.send("@gpt fail")
    await tab.shows("", status="error")
    other = await noor.open(page.url)
    await other.send("Hello **there**")
    await tab.shows("Hello there")
    await tab.send("@gpt go on")
    await tab.shows("It begins", status="streaming")
    await is_open_to_all(page, "a thread")

    box = page.get_by_role("textbox", name="Message")
    await box.press_sequentially("@")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await is_open_to_all(page, "names to choose from")
    await box.fill("x" * 16_001)
    await is_open_to_all(page, "too long a text")
    await box.fill("")
    await box.press("ArrowUp")
    await is_open_to_all(page, "an edit")
    await box.press("Escape")
    await page.get_by_role("button", name="Stop this reply").click()

    await page.get_by_role("button", name="Thread menu").click()
    await is_open_to_all(page, "the menu")
    for item in ("Rename…", "Share…", "Clear all messages…", "Delete…"):
        if not await page.locator("#thread-menu").is_visible():
            await page.get_by_role("button", name="Thread menu").click()
        await page.get_by_role("button", name=item, exact=True).click()
        await expect(page.locator("dialog[open]")).to_be_visible()
        await is_open_to_all(page, item)
        await page.keyboard.press("Escape")

    nowhere = await ada.context.new_page()
    for path, text in (
        ("/me", "Tokens for scripts"),
        ("/t/there-is-no-such-one", "There is nothing here"),
        ("/nowhere", "There is nothing here"),
        ("/join/nobody", "does not work any more"),
    ):
        await nowhere.goto(url + path)
        await expect(nowhere.get_by_text(text).first).to_be_visible()
        await is_open_to_all(nowhere, path)
    assert [one for one in asked if not one.startswith((f"{url}/", "data:", "blob:"))] == []


async def test_the_keyboard_skips_the_sidebar_and_opens_a_sheet_of_its_keys(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    page, here = tab.page, tab.page.url
    box, sheet = page.get_by_role("textbox", name="Message"), page.get_by_role("dialog", name="Keyboard shortcuts")

    await box.press("?")
    await expect(box).to_have_value("?")
    await expect(sheet).to_be_hidden()
    await box.fill("")
    await page.locator("#main").focus()
    await page.keyboard.press("?")
    await expect(sheet).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()

    await page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
    await page.get_by_role("link", name="Skip the list of threads").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    assert page.url == here
    await page.keyboard.press("Shift+Escape")
    await expect(box).to_be_focused()
    await page.keyboard.press("Control+Shift+O")
    await page.wait_for_url(lambda now: now != here)
    current = page.locator("#sidebar a[aria-current=page]")
    await expect(current).to_have_attribute("href", page.url.removeprefix(production_site.server.url))
    below = await page.locator("#sidebar li:has(a[aria-current=page]) + li a").get_attribute("href") or ""
    await page.keyboard.press("Alt+ArrowDown")
    await page.wait_for_url(f"**{below}")


RECORDED = """
window.notices = [];
window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (window.Notification.permission = "granted"); }
  constructor(title, { body }) { window.notices.push([title, body]); }
};
window.said = [];
new MutationObserver(() => {
  for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live=polite]")) {
    const text = `${region.id}: ${region.textContent}`;
    if (!window.said.includes(text)) window.said.push(text);
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


async def test_who_looks_elsewhere_learns_that_their_reply_is_done_and_nobody_hears_its_deltas(
    production_site: Site, visitor: MakeVisitor
) -> None:
    tab = await visitor().begin(production_site.server.url)
    page = tab.page
    await page.context.add_init_script(RECORDED)
    await page.reload()
    other = await visitor().open(page.url)
    await tab.send("Rivers")
    await expect(page).to_have_title("Rivers · Tributary")
    await page.get_by_role("button", name="Notify me when replies to me are done").click()
    await page.evaluate("document.hasFocus = () => false")

    production_site.model.enqueue(Say(["to ", "the ", "sea ", "and ", "back ", "it ", "goes"], pace=0.05))
    await tab.send("@gpt where to?")
    await tab.shows("back it goes", status="done")
    await other.send("Thanks")

    await expect(page).to_have_title("✓ (1) Rivers · Tributary")
    assert await page.evaluate("window.notices") == [["GPT has answered.", "Rivers"]]
    name = await other.page.locator("#my-name").text_content()
    said = await page.evaluate("window.said")
    announced = [text.partition(": ")[2] for text in said if text.startswith("browser-notifications: ")]
    assert announced == ["", "GPT is answering.", "GPT has answered.", f"New message from {name}."]
    assert not [text for text in said if "sea" in text]
    await page.evaluate("document.hasFocus = () => true; window.dispatchEvent(new Event('focus'))")
    await expect(page).to_have_title("Rivers · Tributary")
