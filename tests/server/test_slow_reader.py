"""A reader over HTTP that reads nothing, at the really started server: it is cut, costs little, and can resume."""

import asyncio
import json
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.scripted_model import Hold, Say
from tests.support.site import Site

pytestmark = [pytest.mark.server, pytest.mark.security]

READERS = 20
PARTS = [chr(ord("a") + number % 26) * 200_000 for number in range(60)]
TEXT = "".join(PARTS)
MOST = 5_000_000
"""Bytes that such a reader may cost; the server pushes back at about 3 MB (Granian 2)."""
CUT = "took nothing any more and was cut"
"""What its log says."""
CUT_WITHIN = 120
"""Seconds; `SEND_WITHIN` is most of it."""


def memory(site: Site) -> int:
    """Bytes that the server's processes hold."""
    group, total = site.server.process.pid, 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == group:
            total += int(fields[21]) * 4096
    return total


def stuck_reader(url: str, path: str, token: str) -> socket.socket:
    """Ask for events, and read nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    address = urlsplit(url)
    reader.connect((address.hostname, address.port))
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n"
    reader.sendall(f"{request}Authorization: Bearer {token}\r\n\r\n".encode())
    return reader


def drained(reader: socket.socket) -> tuple[int, str]:
    """How much text had come to a reader that was cut, in whole events, and the id of the last of them."""
    reader.settimeout(30)
    came = b""
    while part := reader.recv(1_000_000):
        came += part
    body = came.partition(b"\r\n\r\n")[2]
    raw = b""
    while size := int(body.partition(b"\r\n")[0] or b"0", 16):  # in chunks, the last one perhaps cut off
        raw += body.partition(b"\r\n")[2][:size]
        body = body.partition(b"\r\n")[2][size + 2 :]
    events = [event for event in raw.decode().replace("\r\n", "\n").split("\n\n")[:-1] if "event: text" in event]
    lines = [dict(line.split(": ", 1) for line in event.splitlines()) for event in events]
    length = sum(len(json.loads(line["data"])["text"]) for line in lines)
    return length, lines[-1]["id"]


async def cuts(site: Site, count: int) -> None:
    """Wait until the server says that it has cut so many readers."""
    async with asyncio.timeout(CUT_WITHIN):
        while site.server.log.read_text().count(CUT) < count:  # noqa: ASYNC110  # its log is all there is to wait for
            await asyncio.sleep(0.5)


async def test_readers_that_read_nothing_are_cut_cost_little_and_can_resume(production_site: Site) -> None:
    site = production_site
    async with httpx.AsyncClient(base_url=site.server.url, timeout=60) as http:
        token = (await http.post("/api/guests", json={})).json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        thread_id = (await http.post("/api/threads", json={})).json()["id"]

        async def path_of_new_reply() -> str:
            asked = site.asked
            site.model.enqueue(Say([Hold(), *PARTS], pace=0.02))
            posted = await http.post(f"/api/threads/{thread_id}/messages", json={"text": "@gpt all of it"})
            await site.was_asked(asked + 1)
            return f"/api/streams/{posted.json()['reply']['stream_id']}/events"

        async def read_whole(path: str) -> None:
            site.model.release()
            async with http.stream("GET", path, headers={"Accept": "text/plain"}) as answer:
                assert "".join([text async for text in answer.aiter_text()]) == TEXT

        await read_whole(await path_of_new_reply())  # what one reader costs, and the server keeps for the next
        before = site.server.log.read_text().count(CUT)
        path = await path_of_new_reply()
        with ExitStack() as stack:
            stuck = [stack.enter_context(stuck_reader(site.server.url, path, token)) for _ in range(READERS)]
            held = memory(site)
            await read_whole(path)  # nobody else is held up
            each = (memory(site) - held) // READERS
            print(f"a reader that reads nothing of {len(TEXT):,} characters costs {each:,} bytes")
            assert each < MOST
            await cuts(site, before + READERS)
            length, last = await asyncio.to_thread(drained, stuck[0])
        assert last == str(length)
        assert length < len(TEXT)
        resumed = await http.get(path, headers={"Accept": "text/plain", "Last-Event-ID": last})
        assert resumed.text == TEXT[length:]
