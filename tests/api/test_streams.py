"""A reply is a URL: driven, joined, resumed and ended over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from chat_app.streaming import Finish
from tests.api.conftest import Interface

EVENTS = {"Accept": "text/event-stream"}


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Kind, id and data of each event."""
    kind = name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        match field:
            case "event":
                kind = value
            case "id":
                name = value
            case "data":
                yield kind, name, json.loads(value)


async def text_from(interface: Interface, token: str, stream_id: str, offset: int) -> tuple[str, dict[str, Any]]:
    """What is read of a stream from an offset on, and its end."""
    async with interface.client() as http:
        headers = {**EVENTS, "Authorization": f"Bearer {token}"}
        async with http.stream("GET", f"/api/streams/{stream_id}/events?offset={offset}", headers=headers) as answer:
            text = ""
            async for kind, _, data in events(answer):
                if kind == "end":
                    return text, data
                assert data["offset"] == offset + len(text)
                text += data["text"]
    raise AssertionError("no end")


async def test_who_posts_with_accept_drives_the_reply_and_others_join_it_anywhere(interface: Interface) -> None:
    async with interface.guest() as ada, interface.guest() as noor:
        thread_id = await ada.thread()
        path, text = f"/api/threads/{thread_id}/messages", {"text": "@gpt hi"}
        async with ada.http.stream("POST", path, json=text, headers=EVENTS) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            driven = events(answer)
            source = interface.world.model.source(0)
            source.say("Hello 👋 ")
            kind, name, data = await anext(driven)
            assert (kind, name, data) == ("text", "8", {"offset": 0, "text": "Hello 👋 "})
            (message,) = [
                entry
                for entry in (await noor.http.get(f"/api/threads/{thread_id}/messages")).json()["messages"]
                if entry["reply"]
            ]
            joined = asyncio.create_task(text_from(interface, noor.token, message["reply"]["stream_id"], 6))
            source.say("there.", Finish())
            rest = [(kind, data) async for kind, _, data in driven]
        assert rest == [
            ("text", {"offset": 8, "text": "there."}),
            ("end", {"status": "done", "reason": "", "offset": 14}),
        ]
        assert (await joined)[0] == "👋 there."
    assert len(interface.world.model.asked) == 1
