"""A reply is a URL: driven, joined, cut, resumed and ended over HTTP."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from chat_app.api import events as api_events
from chat_app.data.db import Database
from chat_app.data.models import MemberRole, Visibility
from chat_app.live.http_readers import AT_ONCE
from tests.api.conftest import Caller, Interface
from tests.support.meter import metered
from tests.support.world import WITHIN, running_world
from tributary_streams import Finish, Piece, SourceError, StreamId

EVENTS = {"Accept": "text/event-stream"}
PLAIN = {"Accept": "text/plain"}
# 60 code points: a family of four joined emoji, a flag, combining marks, Chinese, Arabic, Devanagari, line ends.
TEXT = "Zoë 👩‍👩‍👧‍👦 🇨🇭 e\u0301a\u0308! 漢字かな交じり文。 مرحبا क्षि\r\nA line\n\nthe last 🌊 ok."


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
            return await text_of(answer, offset)


async def text_of(answer: httpx.Response, offset: int = 0) -> tuple[str, dict[str, Any]]:
    """A stream's text, and its end."""
    text = ""
    async for kind, _, data in events(answer):
        if kind == "end":
            return text, data
        assert data["offset"] == offset + len(text)
        text += data["text"]
    raise AssertionError("no end")


async def reply_in(caller: Caller, thread_id: str) -> dict[str, Any]:
    """The newest reply of a thread."""
    messages = (await caller.http.get(f"/api/threads/{thread_id}/messages")).json()["messages"]
    return next(message for message in reversed(messages) if message["reply"])


@contextmanager
def told_of_cuts() -> Iterator[asyncio.Event]:
    """Set when a reader has been cut."""
    was_cut = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            was_cut.set()

    listener = Listener(logging.INFO)
    level = api_events.logger.level
    api_events.logger.addHandler(listener)
    api_events.logger.setLevel(logging.INFO)
    try:
        yield was_cut
    finally:
        api_events.logger.removeHandler(listener)
        api_events.logger.setLevel(level)


@pytest.mark.on_both_databases
async def test_who_posts_with_accept_drives_the_reply_and_others_join_it_anywhere(interface: Interface) -> None:
    async with interface.guest() as ada, interface.guest() as noor:
        thread_id = await ada.thread()
        path, text = f"/api/threads/{thread_id}/messages", {"text": "@gpt hi"}
        async with ada.http.stream("POST", path, json=text, headers=EVENTS) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-accel-buffering"] == "no"
            driven = events(answer)
            source = interface.world.model.source(0)
            source.say("Hello 👋 ")
            kind, name, data = await anext(driven)
            assert (kind, name, data) == ("text", "8", {"offset": 0, "text": "Hello 👋 "})
            reply = await reply_in(noor, thread_id)
            assert answer.headers["location"] == reply["reply"]["url"]
            joined = asyncio.create_task(text_from(interface, noor.token, reply["reply"]["stream_id"], 6))
            source.say("there.", Finish())
            rest = [(kind, name, data) async for kind, name, data in driven]
        assert rest == [
            ("text", "14", {"offset": 8, "text": "there."}),
            ("end", "14.end", {"status": "done", "reason": "", "offset": 14}),
        ]
        assert (await joined)[0] == "👋 there."
    assert len(interface.world.model.asked) == 1


@pytest.mark.on_both_databases(by="chaos")
async def test_cut_at_every_offset_while_it_runs_the_pieces_are_the_text(interface: Interface) -> None:
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        source = interface.world.model.source(0)
        pieces = ""
        for number, character in enumerate(TEXT):
            source.say(character)
            headers = {**EVENTS, "Last-Event-ID": str(len(pieces))} if number % 2 else EVENTS
            path = f"/api/streams/{stream_id}/events" + ("" if number % 2 else f"?offset={len(pieces)}")
            async with ada.http.stream("GET", path, headers=headers) as answer:
                kind, name, data = await anext(events(answer))
                assert (kind, name, data["offset"]) == ("text", str(len(pieces) + 1), len(pieces))
                pieces += data["text"]
        source.say(Finish())
        rest, end = await text_from(interface, ada.token, stream_id, len(pieces))
        assert (pieces, rest) == (TEXT, "")
        assert end == {"status": "done", "reason": "", "offset": len(TEXT)}


async def test_joined_at_every_offset_once_it_is_stored_it_is_exactly_the_rest(interface: Interface) -> None:
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        interface.world.model.source(0).say(*TEXT, Finish())
        await interface.world.written()
        for offset in range(len(TEXT) + 3):
            answer = await ada.http.get(f"/api/streams/{stream_id}/events?offset={offset}", headers=PLAIN)
            assert answer.text == TEXT[offset:]
        assert (await text_from(interface, ada.token, stream_id, 7))[0] == TEXT[7:]
        done = await ada.http.get(
            f"/api/streams/{stream_id}/events", headers={**EVENTS, "Last-Event-ID": f"{len(TEXT)}.end"}
        )
        assert done.status_code == HTTPStatus.NO_CONTENT


@pytest.mark.on_both_databases
async def test_twenty_drives_and_twenty_joins_at_once_are_one_message_and_one_call_of_the_model(
    interface: Interface,
) -> None:
    async with interface.guest() as ada:
        path = f"/api/threads/{await ada.thread()}/messages"
        headers = {**EVENTS, "Idempotency-Key": "the-same-one"}
        begun = await ada.http.post(path, json={"text": "@gpt hi"}, headers={"Idempotency-Key": "the-same-one"})
        stream_id = begun.json()["reply"]["stream_id"]

        async def drive() -> tuple[str, dict[str, Any]]:
            async with ada.http.stream("POST", path, json={"text": "@gpt hi"}, headers=headers) as answer:
                return await text_of(answer)

        readers = [asyncio.create_task(drive()) for _ in range(20)]
        readers += [asyncio.create_task(text_from(interface, ada.token, stream_id, 0)) for _ in range(20)]
        interface.world.model.source(0).say("One ", "answer.", Finish())
        assert {text for text, _ in await asyncio.gather(*readers)} == {"One answer."}
        assert len((await ada.http.get(path)).json()["messages"]) == 2
    assert len(interface.world.model.asked) == 1


async def test_posted_twenty_times_at_once_with_one_key_it_is_one_message(interface: Interface) -> None:
    async with interface.guest() as ada:
        path, key = f"/api/threads/{await ada.thread()}/messages", {"Idempotency-Key": "another-one"}
        posts = [ada.http.post(path, json={"text": "@gpt hi"}, headers=key) for _ in range(20)]
        answers = await asyncio.gather(*posts)
        assert {answer.status_code for answer in answers} == {HTTPStatus.CREATED}
        assert len({answer.text for answer in answers}) == 1
        await interface.world.model.was_asked(1)
        interface.world.model.source(0).say("Yes.", Finish())
        await interface.world.written()
    assert len(interface.world.model.asked) == 1


@pytest.mark.parametrize("form", [EVENTS, PLAIN])
async def test_when_the_caller_goes_away_the_reply_goes_on(interface: Interface, form: dict[str, str]) -> None:
    async with interface.guest() as ada:
        thread_id = await ada.thread()
        source = interface.world.model.source(0)
        path = f"/api/threads/{thread_id}/messages"
        async with ada.http.stream("POST", path, json={"text": "@gpt hi"}, headers=form) as answer:
            source.say("The beginning ")
            await anext(answer.aiter_text())
        source.say("and the end.", Finish())
        await interface.world.written()
        assert (await reply_in(ada, thread_id))["text"] == "The beginning and the end."


async def test_a_reader_holds_little_of_a_long_text_at_a_time(interface: Interface) -> None:
    text = "".join(map(str, range(30_000)))
    async with interface.guest() as ada:
        stream_id = StreamId(await ada.ask(await ada.thread()))
        interface.world.model.source(0).say(text, Finish())
        await interface.world.written()
        who = await interface.world.services.people.recognise("", f"Bearer {ada.token}")
        items = [item async for item in interface.world.services.http_readers.follow(who, stream_id, 7)]
    pieces = [item for item in items if isinstance(item, Piece)]
    assert "".join(piece.text for piece in pieces) == text[7:]
    assert max(len(piece.text) for piece in pieces) <= AT_ONCE


@pytest.mark.parametrize("form", [EVENTS, PLAIN])
async def test_a_reader_that_reads_nothing_is_cut_and_costs_the_others_nothing(
    interface: Interface, form: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_events, "SEND_WITHIN", 0.3)
    part, parts = "x" * 200_000, 8
    services, source = interface.world.services, interface.world.model.source(0)
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        with told_of_cuts() as was_cut, socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            address = urlsplit(interface.url)
            stuck.setblocking(False)
            await asyncio.get_running_loop().sock_connect(stuck, (address.hostname, address.port))
            request = f"GET /api/streams/{stream_id}/events HTTP/1.1\r\nHost: x\r\nAccept: {form['Accept']}\r\n"
            request += f"Authorization: Bearer {ada.token}\r\n\r\n"
            await asyncio.get_running_loop().sock_sendall(stuck, request.encode())
            path = f"/api/streams/{stream_id}/events"
            async with asyncio.timeout(WITHIN), ada.http.stream("GET", path, headers=EVENTS) as answer:
                read = events(answer)
                for number in range(parts):
                    source.say(part)
                    while (await anext(read))[1] != str((number + 1) * len(part)):
                        pass
                await was_cut.wait()
                source.say(Finish())
                assert [kind async for kind, _, _ in read] == ["end"]
        assert services.http_readers.count == 0


@pytest.mark.on_both_databases
async def test_stop_retry_and_continue_say_what_became_of_them(interface: Interface) -> None:
    async with interface.guest() as ada:
        first = await ada.ask(await ada.thread())
        model = interface.world.model
        model.source(0).say("Half of ")
        await model.was_asked(1)
        running = await ada.http.post(f"/api/streams/{first}/retry")
        assert running.status_code == HTTPStatus.CONFLICT
        for _ in range(2):
            assert (await ada.http.post(f"/api/streams/{first}/stop")).status_code == HTTPStatus.ACCEPTED
            await interface.world.written()
        _, end = await text_from(interface, ada.token, first, 0)
        assert end["status"] == "stopped"

        starts = [ada.http.post(f"/api/streams/{first}/continue") for _ in range(5)]
        answers = await asyncio.gather(*starts)
        begun = [answer for answer in answers if answer.status_code == HTTPStatus.ACCEPTED]
        assert sorted(answer.status_code for answer in answers) == [HTTPStatus.ACCEPTED] + [HTTPStatus.CONFLICT] * 4
        assert begun[0].headers["location"] == begun[0].json()["url"]
        model.source(1).say("it.", Finish())
        await interface.world.written()
        rest, _ = await text_from(interface, ada.token, begun[0].json()["stream_id"], 0)
        assert rest == "it."
        complete = await ada.http.post(f"/api/streams/{begun[0].json()['stream_id']}/continue")
        assert complete.status_code == HTTPStatus.CONFLICT
    assert len(model.asked) == 2


async def test_what_is_done_with_a_reply_reads_none_of_its_text(interface: Interface) -> None:
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        interface.world.model.source(0).say("Half. ", SourceError("It broke."))
        await interface.world.written()
        with metered(interface.world.database) as meter:
            assert (await ada.http.post(f"/api/streams/{stream_id}/stop")).status_code == HTTPStatus.ACCEPTED
            assert (await ada.http.post(f"/api/streams/{stream_id}/continue")).status_code == HTTPStatus.ACCEPTED
            # The writer reads the text for the model, not its chunks.
            assert (await ada.http.post(f"/api/streams/{stream_id}/retry")).status_code == HTTPStatus.CONFLICT
        assert [each for each in meter.statements if "FROM chunk" in each] == []


@pytest.mark.on_both_databases
@pytest.mark.parametrize("ends_first", [False, True], ids=["deletion-heard", "end-heard-first"])
async def test_deleting_the_thread_ends_its_reply_and_who_reads_it(
    interface: Interface, monkeypatch: pytest.MonkeyPatch, ends_first: bool
) -> None:
    if ends_first:
        monkeypatch.setattr(interface.world.services.http_readers._feed, "deliver", lambda *_: None)
    async with interface.guest() as ada:
        thread_id = await ada.thread()
        stream_id = await ada.ask(thread_id)
        source = interface.world.model.source(0)
        source.say("Never mind")
        async with ada.http.stream("GET", f"/api/streams/{stream_id}/events", headers=EVENTS) as answer:
            read = events(answer)
            await anext(read)
            assert (await ada.http.delete(f"/api/threads/{thread_id}")).status_code == HTTPStatus.NO_CONTENT
            assert "end" not in [kind async for kind, _, _ in read]
        await asyncio.wait_for(source.is_closed.wait(), WITHIN)
        assert (await ada.http.get(f"/api/streams/{stream_id}")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.on_both_databases
async def test_who_loses_the_token_or_the_thread_reads_no_further(interface: Interface) -> None:
    services = interface.world.services
    async with interface.guest() as ada, interface.guest() as noor, interface.guest() as bo:
        thread_id = await ada.thread()
        stream_id = await ada.ask(thread_id)
        interface.world.model.source(0).say("Something ")
        path = f"/api/streams/{stream_id}/events"
        async with (
            noor.http.stream("GET", path, headers=EVENTS) as with_token,
            bo.http.stream("GET", path, headers=PLAIN) as in_open_thread,
        ):
            of_noor, of_bo = events(with_token), in_open_thread.aiter_text()
            await anext(of_noor)
            await anext(of_bo)
            who = await services.people.recognise("", f"Bearer {noor.token}")
            (token,) = await services.people.tokens(who)
            async with asyncio.timeout(WITHIN):
                assert await services.people.revoke_token(who, token.id)
                assert [kind async for kind, _, _ in of_noor] == []
                owner = await services.people.recognise("", f"Bearer {ada.token}")
                await services.members.set_visibility(owner, thread_id, Visibility.PRIVATE)
                assert [text async for text in of_bo] == []
        assert (await noor.http.get(path, headers=EVENTS)).status_code == HTTPStatus.UNAUTHORIZED
        assert (await bo.http.get(path, headers=EVENTS)).status_code == HTTPStatus.NOT_FOUND


async def test_a_viewer_may_read_a_private_reply_and_do_nothing_with_it(interface: Interface) -> None:
    services = interface.world.services
    async with interface.guest() as ada, interface.guest() as noor, interface.guest() as bo:
        thread_id = await ada.thread(visibility="private")
        stream_id = await ada.ask(thread_id)
        owner = await services.people.recognise("", f"Bearer {ada.token}")
        _, secret = await services.members.invite(owner, thread_id, MemberRole.VIEWER, timedelta(days=1))
        await services.members.join(await services.people.recognise("", f"Bearer {noor.token}"), secret)
        deeds = [
            ("POST", f"/api/threads/{thread_id}/messages", {"json": {"text": "hi"}}),
            ("DELETE", f"/api/threads/{thread_id}", {}),
            *(("POST", f"/api/streams/{stream_id}/{deed}", {}) for deed in ("stop", "retry", "continue")),
        ]
        sights = [f"/api/threads/{thread_id}{rest}" for rest in ("", "/messages", "/export")] + [
            f"/api/streams/{stream_id}"
        ]
        for method, path, values in deeds:
            assert (await noor.http.request(method, path, **values)).status_code == HTTPStatus.FORBIDDEN
            assert (await bo.http.request(method, path, **values)).status_code == HTTPStatus.NOT_FOUND
        for path in (*sights, f"/api/streams/{stream_id}/events"):
            assert (await bo.http.get(path)).status_code == HTTPStatus.NOT_FOUND
        for path in sights:
            assert (await noor.http.get(path)).status_code == HTTPStatus.OK


@pytest.mark.on_both_databases
async def test_what_another_process_writes_is_joined_by_its_chunks(interface: Interface, database_url: str) -> None:
    elsewhere = Database(database_url)
    try:
        async with interface.guest() as ada, running_world(elsewhere) as other:
            thread_id = await ada.thread()
            who = await other.services.people.recognise("", f"Bearer {ada.token}")
            posted = await other.services.messages.post(who, thread_id, "@gpt hi", nonce="1", tab="")
            assert posted.stream_id is not None
            source = other.model.source(0)
            source.say("First sentence. ", "Second ")
            path = f"/api/streams/{posted.stream_id}/events?offset=6"
            async with ada.http.stream("GET", path, headers=EVENTS) as answer:
                read = events(answer)
                _, _, data = await anext(read)
                assert data == {"offset": 6, "text": "sentence. "}
                source.say("sentence.", Finish())
                rest = [data async for _, _, data in read]
            assert "".join(data.get("text", "") for data in rest) == "Second sentence."
            assert rest[-1]["status"] == "done"
        assert interface.world.model.asked == []
    finally:
        await elsewhere.close()


async def test_a_stream_as_json_has_an_etag_that_changes_with_it(interface: Interface) -> None:
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        url, as_json = f"/api/streams/{stream_id}", {"Accept": "application/json, text/event-stream;q=0.5"}
        before = await ada.http.get(url)
        interface.world.model.source(0).say("Hello.", Finish())
        await interface.world.written()
        after = await ada.http.get(url)
        assert (after.json()["status"], after.json()["text"]) == ("done", "Hello.")
        assert before.json()["status"] in {"pending", "streaming"}
        for path in (url, f"{url}/events"):
            for tags in (after.headers["etag"], f'"other", W/{after.headers["etag"]}', "*"):
                same = await ada.http.get(path, headers={**as_json, "If-None-Match": tags})
                assert (same.status_code, same.content) == (HTTPStatus.NOT_MODIFIED, b"")
            changed = await ada.http.get(path, headers={**as_json, "If-None-Match": before.headers["etag"]})
            assert changed.json() == after.json()
        head = await ada.http.head(f"{url}/events", headers=EVENTS)
        assert (head.status_code, head.headers["etag"], head.content) == (HTTPStatus.OK, after.headers["etag"], b"")
