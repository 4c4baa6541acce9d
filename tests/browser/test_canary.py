"""No failure of the model, however talkative, brings the server's key to a page, a file or the log."""

import json
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.canary import KEY, MARK, leaks
from tests.support.scripted_model import (
    BAD_JSON,
    BAD_UTF8,
    Drop,
    Event,
    Garbage,
    Hang,
    Html,
    Raw,
    Say,
    Script,
    Silence,
    Status,
    refused,
)
from tests.support.server import PROJECT
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.server, pytest.mark.browser]

TOLD = f"Incorrect API key provided: {KEY}. Sent was Authorization: Bearer {KEY}"
ECHOED = {"Location": f"/v1/elsewhere?key={KEY}", "X-Request-Id": KEY, "WWW-Authenticate": f'Bearer token="{KEY}"'}
FINAL: tuple[Script, ...] = (
    refused(401, TOLD, "invalid_api_key", ECHOED),
    refused(403, TOLD, "forbidden"),
    refused(404, TOLD, "model_not_found"),
    refused(400, TOLD, "context_length_exceeded"),
    refused(402, TOLD, KEY),
    refused(429, TOLD, "insufficient_quota"),
    refused(429, TOLD, "rate_limit_exceeded", {"Retry-After": "3600"}),
    Status(302, headers=ECHOED),
    Html(f"<!doctype html><title>{TOLD}</title>"),
    Garbage(TOLD.encode() * 20 + b"\x00\xff"),
    Say(["Half a ", Event({"error": {"message": TOLD, "code": KEY}})]),
    Say(["Half a ", Raw(f'event: error\ndata: {{"message": "{TOLD}"}}\n\n'.encode())], finish=None),
    Say(["Half a ", Raw(f'data: {{"{KEY}": \n\n'.encode()), BAD_JSON]),
    Say(["Half a ", Raw(KEY.encode()), BAD_UTF8]),
    Say(["Half a ", Drop(is_reset=True)]),
    Say(["Half a "], finish=None),
)
"""What is asked for once."""
PASSING: tuple[Script, ...] = (
    refused(429, TOLD, "rate_limit_exceeded", {"Retry-After": "0"}),
    Status(500, f"<h1>{TOLD}</h1>".encode(), {"Content-Type": "text/html"}),
    Drop(),
)
"""What is tried again, three times in all."""
HANGING = (Silence(), Say(["Half a ", Hang()]))
"""What has to be stopped."""


async def test_the_key_is_nowhere_after_every_failure_of_the_model(
    production_site: Site, visitor: Callable[[], Visitor]
) -> None:
    ada = visitor()
    tab = await ada.begin(production_site.server.url)
    model = production_site.model
    failed = tab.page.locator('article[data-status="error"]')
    model.enqueue(*FINAL)
    for _ in FINAL:
        await tab.send("@gpt go")
    await expect(failed).to_have_count(len(FINAL))
    for number, script in enumerate(PASSING, start=1):
        model.enqueue(*[script] * 3)
        await tab.send("@gpt go")
        await expect(failed).to_have_count(len(FINAL) + number)
    for number, script in enumerate(HANGING, start=1):
        asked = production_site.asked
        model.enqueue(script)
        await tab.send("@gpt go")
        await production_site.was_asked(asked + 1)
        await tab.page.get_by_role("button", name="Stop").click()
        await expect(tab.page.locator('article[data-status="stopped"]')).to_have_count(number)
    assert {request.headers["authorization"] for request in model.requests} == {f"Bearer {KEY}"}, "it was really used"

    (cookie,) = [cookie for cookie in await ada.context.cookies() if cookie.get("name") == "tributary"]
    secret = cookie.get("value", "")
    seen = {
        "frames": "".join(tab.received),
        "page": await tab.page.content(),
        "storage": json.dumps(await ada.context.storage_state()),
        "session storage": await tab.page.evaluate("() => JSON.stringify({ ...sessionStorage })"),
    }
    assert [place for place, text in seen.items() if MARK in text] == []
    assert secret not in seen["frames"] + seen["page"] + seen["session storage"]
    assert leaks(production_site.server, MARK, secret) == []
    assert not any((PROJECT / ".states").glob("*")), "states of tabs are in memory alone"
