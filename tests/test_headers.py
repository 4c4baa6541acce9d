"""The headers of every answer: a policy that names no other host, hashes for the built pages' own scripts alone."""

import base64
import hashlib
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from chat_app.gate.headers import NOT_A_PAGE, HeadersMiddleware, Reach, page_policy

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
OWN_POLICY = "default-src https://docs.example"


async def page(_: Request) -> Response:
    return HTMLResponse("<p>hello")


async def data(_: Request) -> Response:
    return JSONResponse({})


async def unchanged(_: Request) -> Response:
    return Response(status_code=304)


async def documentation(_: Request) -> Response:
    return HTMLResponse("<p>docs", headers={"content-security-policy": OWN_POLICY})


async def broken(_: Request) -> Response:
    raise RuntimeError


ROUTES = {"/": page, "/data": data, "/unchanged": unchanged, "/docs": documentation, "/broken": broken}


def client(
    pages: Path, *origins: str, address: str = "http://chat.example", reach: Reach = "same-origin"
) -> httpx.AsyncClient:
    app = Starlette(routes=[Route(path, answer) for path, answer in ROUTES.items()])
    wrapped = HeadersMiddleware(app, pages=pages, origins=origins, reach=reach)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(wrapped, raise_app_exceptions=False), base_url=address, follow_redirects=False
    )


def directives(policy: str) -> dict[str, str]:
    return dict(directive.split(" ", 1) for directive in policy.split("; "))


def hash_of(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere"])
async def test_every_answer_carries_them(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as browser:
        answer = await browser.get(path)
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(answer.headers["permissions-policy"].split(", "))
    assert "strict-transport-security" not in answer.headers


async def test_a_page_may_load_from_here_only_and_run_only_what_was_built(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "index.html").write_text('<script src="/a.js">not run</script><script>\none()\n</script>')
    (tmp_path / "t" / "index.html").write_text('<script type="module" async="">two()</script><SCRIPT>three()</SCRIPT>')
    (tmp_path / "me.html").write_text('<style data-emotion="css x">.x{--hue:0;}</style>')
    async with client(tmp_path) as browser:
        policy = directives((await browser.get("/")).headers["content-security-policy"])
    scripts = set(policy.pop("script-src").split())
    assert scripts == {"'self'", hash_of("\none()\n"), hash_of("two()"), hash_of("three()")}
    assert set(policy.pop("style-src").split()) == {"'self'", hash_of(""), hash_of(".x{--hue:0;}")}
    assert policy == {
        "default-src": "'none'",
        "img-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_without_a_built_page_no_inline_script_may_run() -> None:
    assert directives(page_policy([]))["script-src"] == "'self'"


async def test_what_is_no_page_may_load_nothing_and_a_policy_of_its_own_is_kept(tmp_path: Path) -> None:
    async with client(tmp_path) as browser:
        assert (await browser.get("/data")).headers["content-security-policy"] == NOT_A_PAGE
        assert (await browser.get("/docs")).headers["content-security-policy"] == OWN_POLICY


async def test_not_modified_leaves_the_policy_of_the_page_in_the_cache(tmp_path: Path) -> None:
    async with client(tmp_path) as browser:
        assert "content-security-policy" not in (await browser.get("/unchanged")).headers


@pytest.mark.parametrize(
    ("address", "origins", "is_told"),
    [
        ("https://chat.example", (), True),
        ("http://chat.example", ("https://chat.example",), True),
        ("http://other.example", ("https://chat.example",), False),
    ],
)
async def test_https_is_for_good_once_the_page_was_served_by_it(
    tmp_path: Path, address: str, origins: tuple[str, ...], is_told: bool
) -> None:
    async with client(tmp_path, *origins, address=address) as browser:
        assert ("strict-transport-security" in (await browser.get("/")).headers) is is_told


async def test_in_development_the_page_on_the_next_port_may_load_the_cookies_script(tmp_path: Path) -> None:
    async with client(tmp_path, reach="cross-origin") as browser:
        assert (await browser.get("/")).headers["cross-origin-resource-policy"] == "cross-origin"
