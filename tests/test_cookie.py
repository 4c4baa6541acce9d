"""The identity cookie: on pages and on the one script, for browsers that have no valid one, and never a row for it."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from chat_app.gate.cookie import SCRIPT, CookieMiddleware, routes
from chat_app.people.identity import COOKIE, secret_in
from chat_app.people.secrets import new_secret

ENDED = new_secret()


async def page(request: Request) -> Response:
    return Response(status_code=304) if "if-none-match" in request.headers else HTMLResponse("<p>hello")


async def asset(_: Request) -> Response:
    return JSONResponse({})


async def is_ended(cookie_header: str) -> bool:
    return ENDED in cookie_header


def client(*origins: str) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/", page), Route("/asset", asset), *routes])
    transport = httpx.ASGITransport(CookieMiddleware(app, origins=origins, has_ended=is_ended))
    return httpx.AsyncClient(transport=transport, base_url="http://chat.example")


@pytest.mark.parametrize("path", ["/", SCRIPT])
async def test_a_new_browser_gets_a_cookie_that_no_cache_keeps(path: str) -> None:
    async with client() as browser:
        answer = await browser.get(path)
        assert secret_in(answer.headers["set-cookie"].partition(";")[0]) is not None
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "no-store" in answer.headers["cache-control"]
        assert "set-cookie" not in (await browser.get(path)).headers


async def test_an_asset_sets_none() -> None:
    async with client() as browser:
        assert "set-cookie" not in (await browser.get("/asset")).headers


@pytest.mark.parametrize("beside", ["", 'prefs={"theme": "dark"}; ', "na[me]=1; ", "k=v; path; ", "tributary=short; "])
async def test_a_valid_one_is_kept_whatever_stands_beside_it(beside: str) -> None:
    async with client() as browser:
        answer = await browser.get("/", headers={"cookie": f"{beside}{COOKIE}={new_secret()}"})
        assert "set-cookie" not in answer.headers


async def test_an_invalid_one_is_replaced() -> None:
    async with client() as browser:
        assert "set-cookie" in (await browser.get("/", headers={"cookie": f"{COOKIE}=nonsense"})).headers


async def test_a_browser_that_lost_its_cookie_but_kept_the_page_gets_another() -> None:
    async with client() as browser:
        answer = await browser.get("/", headers={"if-none-match": '"etag"'})
        assert answer.status_code == 200
        assert "set-cookie" in answer.headers


@pytest.mark.parametrize(("origin", "is_secure"), [("https://chat.example", True), ("http://chat.example", False)])
async def test_under_https_it_is_sent_over_https_only(origin: str, is_secure: bool) -> None:
    async with client(origin) as browser:
        assert ("Secure" in (await browser.get("/")).headers["set-cookie"]) is is_secure


async def test_a_browser_that_was_signed_out_gets_another_cookie_with_its_page() -> None:
    async with client() as browser:
        ended = {"cookie": f"{COOKIE}={ENDED}", "accept": "text/html,*/*"}
        answer = await browser.get("/", headers=ended)
        renewed = secret_in(answer.headers["set-cookie"].partition(";")[0])
        assert renewed not in (None, ENDED)
        assert "set-cookie" not in (await browser.get("/asset", headers=ended)).headers
