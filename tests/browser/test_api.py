"""The HTTP interface as the real server serves it, to scripts and to pages."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from tests.support.scripted_model import Hold, Say
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

FOREIGN = "https://evil.example"
TEXT = "Zoë 👩‍👩‍👧‍👦 and e\u0301, 漢字."
HEADERS = "authorization,content-type,idempotency-key,last-event-id"

FOLLOW = """url => new Promise((resolve, reject) => {
    let text = "", opened = 0;
    const source = new EventSource(url, { withCredentials: true });
    source.onopen = () => { opened += 1; };
    source.addEventListener("text", event => {
        const data = JSON.parse(event.data);
        if (data.offset !== Array.from(text).length) reject(new Error(`text at ${data.offset}`));
        text += data.text;
    });
    source.addEventListener("end", event => { text += `|${JSON.parse(event.data).status}`; });
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve([text, opened]); };
})"""


async def test_an_event_source_resumes_where_it_was_cut_and_stops_at_the_end(
    production_site: Site, chromium: Browser
) -> None:
    """It reads through a proxy that breaks the first connection after the first delta."""
    site, url = production_site, production_site.server.url
    was_cut = asyncio.Event()

    async def passes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        asking = asyncio.create_task(passes_requests(reader, inner_writer))
        while data := await inner_reader.read(4096):
            writer.write(data)
            if b"event: text" in data and not was_cut.is_set():
                break
        await writer.drain()
        asking.cancel()
        writer.close()
        inner_writer.close()
        was_cut.set()

    async def passes_requests(reader: asyncio.StreamReader, inner_writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            inner_writer.write(data)

    # The proxy is another origin, to which the page's own policy lets it not speak.
    page = await (await chromium.new_context(bypass_csp=True)).new_page()
    await page.goto(url)
    await page.wait_for_url("**/t/*")
    asked = site.asked
    site.model.enqueue(Say([*TEXT[:9], Hold(), *TEXT[9:]]))
    posted = await page.request.post(
        f"{url}/api/threads/{page.url.rpartition('/')[2]}/messages", data={"text": "@gpt hi"}, headers={"Origin": url}
    )
    assert posted.status == HTTPStatus.CREATED
    await site.was_asked(asked + 1)
    async with await asyncio.start_server(passes, "127.0.0.1", 0) as proxy:
        path = (await posted.json())["reply"]["url"] + "/events"
        port = proxy.sockets[0].getsockname()[1]
        following = asyncio.create_task(page.evaluate(FOLLOW, f"http://127.0.0.1:{port}{path}"))
        async with asyncio.timeout(30):
            await was_cut.wait()
            site.model.release()
            text, opened = await following
        await page.close()  # and with it what it left open at the proxy
    assert (text, opened) == (f"{TEXT}|done", 2)


async def test_listed_origins_alone_are_let_in_and_every_answer_varies_by_origin(production_site: Site) -> None:
    url = production_site.server.url
    async with httpx.AsyncClient(base_url=url) as http:

        async def preflight(origin: str) -> httpx.Response:
            wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": HEADERS}
            return await http.options("/api/threads", headers={"Origin": origin, **wanted})

        ours, foreign = await preflight(url), await preflight(FOREIGN)
        assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (HTTPStatus.OK, url)
        assert set(HEADERS.split(",")) <= set(ours.headers["access-control-allow-headers"].lower().split(","))
        assert foreign.status_code == HTTPStatus.BAD_REQUEST
        assert "access-control-allow-origin" not in foreign.headers
        for origin in (url, FOREIGN, None):
            answer = await http.get("/api/threads", headers={"Origin": origin} if origin else {})
            assert "Origin" in answer.headers["vary"]
            assert answer.headers.get("access-control-allow-origin") == (url if origin == url else None)
            assert {"ETag", "Location"} <= set(answer.headers["access-control-expose-headers"].split(", "))


async def test_the_server_says_that_it_is_ready_and_shows_its_metrics_to_nobody(production_site: Site) -> None:
    async with httpx.AsyncClient(base_url=production_site.server.url) as http:
        assert (await http.get("/healthz")).text == "ok\n"
        assert (await http.get("/readyz")).json() == {"ready": True, "faults": []}
        assert (await http.get("/metrics")).status_code == HTTPStatus.NOT_FOUND


async def test_the_documentation_is_served_by_this_server_alone(production_site: Site, chromium: Browser) -> None:
    url = production_site.server.url
    page = await (await chromium.new_context()).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{url}/api/docs")
    await page.locator(".opblock").first.wait_for()
    assert [address for address in asked if not address.startswith((url, "data:"))] == []


async def test_a_thread_is_downloaded_from_its_page(site: Site, visitor: Callable[[], Visitor]) -> None:
    tab = await visitor().begin(site.server.url)
    await tab.send("Something to keep")
    await tab.shows("Something to keep")
    await tab.page.get_by_role("button", name="Thread menu").click()
    async with tab.page.expect_download() as downloading:
        await tab.page.get_by_role("link", name="Download").click()
    path = await (await downloading.value).path()
    assert "Something to keep" in path.read_text()
