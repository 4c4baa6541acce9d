"""The identity cookie: minted where a person's browser can take it, and nowhere else."""

from collections.abc import Sequence
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from chat_app.api import cookie
from chat_app.identity import COOKIE, new_secret, secret_in

ORIGIN = "http://chat.example:3000"
TLS_ORIGIN = "https://chat.example"


async def page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Tributary</title>", headers={"cache-control": "public, max-age=60"})


async def missing(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Not found</title>", status_code=404)


async def asset(_: Request) -> Response:
    return Response("body {}", media_type="text/css", headers={"cache-control": "public, max-age=60"})


async def data(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def own_cookie(_: Request) -> Response:
    answer = HTMLResponse("")
    answer.set_cookie("other", "kept")
    return answer


def browser(*origins: str, address: str = ORIGIN, peer: str | None = None) -> httpx.AsyncClient:
    """Somebody at this address of a small site behind the middleware, which knows these origins."""
    routes = [
        *cookie.routes,
        Route("/", page, methods=["GET", "POST"]),
        Route("/missing", missing),
        Route("/style.css", asset),
        Route("/_health", data),
        Route("/own", own_cookie),
    ]
    site = cookie.CookieMiddleware(Starlette(routes=routes), origins=origins or (ORIGIN,))
    transport = httpx.ASGITransport(site)
    return httpx.AsyncClient(transport=transport, base_url=peer or address, headers={"host": urlsplit(address).netloc})


def minted(answer: httpx.Response) -> Sequence[Morsel[str]]:
    """The identity cookies that an answer sets."""
    set_cookies = answer.headers.get_list("set-cookie")
    return [morsel for header in set_cookies for name, morsel in SimpleCookie(header).items() if name == COOKIE]


@pytest.mark.parametrize("path", ["/", "/missing", cookie.SCRIPT])
async def test_a_page_and_the_script_give_a_new_browser_its_cookie(path: str) -> None:
    async with browser() as somebody:
        answer = await somebody.get(path)

    (morsel,) = minted(answer)
    assert secret_in(f"{COOKIE}={morsel.value}") == morsel.value
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["domain"]) == (True, "Lax", "/", "")
    assert int(morsel["max-age"]) >= 30 * 24 * 3600
    assert answer.headers["cache-control"] == "private, no-store"


async def test_the_script_is_empty_and_never_kept() -> None:
    async with browser() as somebody:
        first = await somebody.get(cookie.SCRIPT)
        second = await somebody.get(cookie.SCRIPT)

    for answer in (first, second):
        assert (answer.text, answer.headers["content-type"]) == ("", "text/javascript; charset=utf-8")
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("path", ["/style.css", "/_health", "/nowhere"])
async def test_assets_and_data_set_no_cookie(path: str) -> None:
    async with browser() as somebody:
        answer = await somebody.get(path)

    assert "set-cookie" not in answer.headers
    assert "no-store" not in answer.headers.get("cache-control", "")


async def test_a_form_sets_no_cookie() -> None:
    async with browser() as somebody:
        assert minted(await somebody.post("/")) == []
        assert len(minted(await somebody.head("/"))) == 1


async def test_a_valid_cookie_is_left_alone() -> None:
    async with browser() as somebody:
        for path in ("/", cookie.SCRIPT):
            answer = await somebody.get(path, headers={"cookie": f"other=1; {COOKIE}={new_secret()}"})
            assert "set-cookie" not in answer.headers
        page_again = await somebody.get("/", headers={"cookie": f"{COOKIE}={new_secret()}"})

    assert page_again.headers["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "header",
    [
        "other=1",
        f"{COOKIE}=",
        f"{COOKIE}=short",
        f"{COOKIE}={'x' * 44}",
        f"{COOKIE}={'x' * 42}",
        f"{COOKIE}={'x' * 42}é",
        f"{COOKIE}2={'x' * 43}",
        "=;;==",
        "\x00",
        f"{COOKIE}={'x' * 43}, bad",
    ],
)
async def test_a_cookie_that_cannot_be_one_is_replaced(header: str) -> None:
    async with browser() as somebody:
        (morsel,) = minted(await somebody.get("/", headers=[(b"cookie", header.encode("latin-1"))]))

    assert morsel.value not in header


async def test_a_page_kept_from_before_the_cookie_was_lost_still_brings_one(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>Tributary</title>")
    site = cookie.CookieMiddleware(
        Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path, html=True))]), origins=(ORIGIN,)
    )
    known = {"cookie": f"{COOKIE}={new_secret()}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url=ORIGIN) as somebody:
        kept = await somebody.get("/", headers=known)
        have = {"if-none-match": kept.headers["etag"], "if-modified-since": kept.headers["last-modified"]}
        assert (await somebody.get("/", headers=known | have)).status_code == httpx.codes.NOT_MODIFIED

        answer = await somebody.get("/", headers=have)

    assert (answer.status_code, len(minted(answer))) == (httpx.codes.OK, 1)


async def test_each_new_browser_gets_a_cookie_of_its_own() -> None:
    async with browser() as somebody:
        values = set()
        for _ in range(3):
            (morsel,) = minted(await somebody.get("/"))
            values.add(morsel.value)
            somebody.cookies.clear()

    assert len(values) == 3


async def test_a_browser_that_took_the_cookie_is_given_no_other() -> None:
    async with browser() as somebody:
        assert len(minted(await somebody.get("/"))) == 1
        assert minted(await somebody.get("/")) == []
        assert minted(await somebody.get(cookie.SCRIPT)) == []


async def test_the_cookies_that_the_site_sets_itself_stay() -> None:
    async with browser() as somebody:
        answer = await somebody.get("/own")

    assert len(minted(answer)) == 1
    assert any(header.startswith("other=kept") for header in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize(
    ("address", "peer", "origins", "is_secure"),
    [
        (ORIGIN, None, (ORIGIN,), False),
        (TLS_ORIGIN, None, (TLS_ORIGIN,), True),
        (TLS_ORIGIN, "http://127.0.0.1:3000", (TLS_ORIGIN,), True),  # behind a proxy that ends TLS
        (ORIGIN, None, (TLS_ORIGIN, ORIGIN), False),  # or the browser at the plain one would throw it away
        (TLS_ORIGIN, None, (ORIGIN,), True),
    ],
)
async def test_under_https_the_cookie_is_sent_over_https_only(
    address: str, peer: str | None, origins: tuple[str, ...], is_secure: bool
) -> None:
    async with browser(*origins, address=address, peer=peer) as somebody:
        (morsel,) = minted(await somebody.get("/"))

    assert bool(morsel["secure"]) is is_secure


async def test_a_websocket_passes_untouched() -> None:
    seen = []

    async def inner(scope: object, receive: object, send: object) -> None:
        seen.append((scope, receive, send))

    async def receive() -> dict[str, str]:
        raise AssertionError

    async def send(_: object) -> None:
        raise AssertionError

    for kind in ("websocket", "lifespan"):
        await cookie.CookieMiddleware(inner, origins=(ORIGIN,))({"type": kind}, receive, send)

    assert seen == [({"type": "websocket"}, receive, send), ({"type": "lifespan"}, receive, send)]
