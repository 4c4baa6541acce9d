"""Frames that nobody thought of, thrown at the event socket: the server lives, nobody else notices, the log is quiet.

Half of them are frames of our pages with something changed, so that they get past the first check; half are noise. The
seed is fixed, so what has failed once fails again. Many frames go over each socket: they are what is tried.
"""

import json
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.raw_socket import (
    BOOT,
    HANDLERS,
    STATE,
    TRANSCRIPT,
    call,
    emit,
    join,
    joined,
    new_cookie,
    new_token,
    raw_socket,
    route,
)
from tests.support.scripted_model import Hold, Say
from tests.support.site import Site

pytestmark = pytest.mark.server

FRAMES_OF_A_SOCKET = 125
"""Few enough that what gets through is not slowed down as a flood."""

FRAMES_OF_A_ROUND = 2_000
"""Few enough that a model which is held meanwhile does not count as silent."""

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2**31, 2**63, -(2**70), 1.5, 1e308, float("inf"), float("nan")),
    *(
        "",
        "1",
        "1.1",
        "\x00",
        "\ud800",
        "\udc00\ud83d",
        "𝕏" * 300,
        "x" * 5_000,
        "../..",
        "/",
        "//[",
        "/t/",
        "\r\n",
        "%00",
    ),
    *([], {}, [[]], {"": ""}, {"__reflex_form_data__": [["a"]]}, {"_placeholder": True, "num": 0}, [1] * 50),
    *({"$ne": 1}, {"__class__": "x"}, "reflex___state____state", BOOT),
)
PREFIXES = (
    "40/_event,",
    "41/_event,",
    "42/_event,",
    "43/_event,1",
    "44/_event,",
    "451-/_event,",
    "42",
    "40",
    "2",
    "6",
    "b",
)


def pages_frames(path: str) -> list[list[Any]]:
    """What pages send, as values to be changed: the packet's data, with its prefix before it."""
    payloads: dict[str, dict[str, Any]] = {
        "send": {"text": "hello", "nonce": "0123456789"},
        "catch_up": {"name": "1.1", "have": 0},
        "look_at": {"message_id": 1, "version": 1},
        **{name: {"message_id": 1} for name in ("stop", "retry", "go_on", "delete")},
    }
    reflex = {
        f"{STATE}.reflex___state____on_load_internal_state.on_load_internal": {},
        f"{STATE}.reflex___state____update_vars_internal_state.update_vars_internal": {"vars": {"x": 1}},
        f"{STATE}.reflex___state____frontend_event_exception_state.handle_frontend_exception": {
            "info": "e", "component_stack": "",
        },
        BOOT: {"hashes": ["a"]},
    }  # fmt: skip
    calls = {**{HANDLERS[name]: payloads.get(name, {}) for name in HANDLERS}, **reflex}
    events = [
        ["42/_event,", ["event", {"name": name, "payload": payload, "router_data": route(path)}]]
        for name, payload in calls.items()
    ]
    boot = {"name": BOOT, "payload": {}, "router_data": route(path)}
    others = [
        ["42/_event,", ["client_error", {"message": "m", "error_type": "t", "substate": "s"}]],
        ["42/_event,", ["connect", {"asgi.scope": {"headers": [], "client": ["6.6.6.6", 1]}}]],
        ["40/_event,", {"event": boot, "state_schema": "x"}],
    ]
    return [json.loads(json.dumps(frame)) for frame in events + others]


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one thing in it changed."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        match rng.randrange(6):
            case 0 if isinstance(value, dict):
                return {each: item for each, item in value.items() if each != key}
            case 1 if isinstance(value, dict):
                return {
                    **value,
                    rng.choice(("self", "state", "token", "headers", "ip", "sid", "\ud800", "")): rng.choice(ODD),
                }
            case 2 if isinstance(value, list):
                return [*value, rng.choice(ODD)]
            case _:
                copy: Any = value.copy()
                copy[key] = changed(copy[key], rng)
                return copy
    if isinstance(value, str) and value and rng.random() < 0.5:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(("", "\x00", "\ud800", ".", "[", "é", value)) + value[at + 1 :]
    return rng.choice(ODD)


def fuzz(rng: random.Random, path: str) -> str | bytes:
    """One frame."""
    kind = rng.random()
    if kind < 0.5:
        prefix, data = rng.choice(pages_frames(path))
        for _ in range(rng.randrange(1, 4)):
            inner = data[1] if isinstance(data, list) and len(data) > 1 and rng.random() < 0.9 else None
            part = rng.choice(("payload", "payload", "router_data"))
            if isinstance(inner, dict) and part in inner:
                inner[part] = changed(inner[part], rng)  # what is wrong further out is not looked into
            else:
                data = changed(data, rng)
        prefix = prefix if rng.random() < 0.9 else rng.choice(PREFIXES)
        return prefix + json.dumps(data)
    if kind < 0.7:
        frame = rng.choice((call("new_thread"), join(path), emit("client_error", {}), call("stop", message_id=1)))
        at, length = rng.randrange(len(frame)), rng.randrange(1, 12)
        junk = "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD000)))) for _ in range(rng.randrange(6)))
        return frame[:at] + junk + frame[at + length :]
    if kind < 0.9:
        # Not "1", which ends the socket, and with it what comes after.
        text = "".join(chr(rng.randrange(32, 0x3000)) for _ in range(rng.randrange(40)))
        return (
            rng.choice((*PREFIXES, ""))
            + text
            + rng.choice(("", "[" * rng.randrange(2_000), "x" * rng.randrange(9_000)))
        )
    return rng.randbytes(rng.randrange(200))


async def throw(site: Site, count: int, *, seed: int, address: Callable[[int], str | None]) -> None:
    """Throw so many frames, over sockets that have joined and sockets that have not."""
    rng = random.Random(seed)
    url = site.server.url
    cookies = [await new_cookie(url) for _ in range(3)]
    for number in range(count // FRAMES_OF_A_SOCKET):
        cookie, token = rng.choice(cookies), rng.choice((new_token(), "weak"))
        async with raw_socket(url, cookie=cookie, token=token, address=address(seed + number)) as raw:
            if rng.random() < 0.8:
                await raw.send(join())
            for _ in range(FRAMES_OF_A_SOCKET):
                await raw.send(fuzz(rng, "/"))
            # All has been read once this is answered; whether it has left or never joined, it joins now.
            await raw.send("41/_event,", join())
            await raw.alive()


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.security)])
async def test_nothing_that_is_thrown_at_the_socket_ends_the_server_or_reaches_somebody_else(
    production_site: Site, count: int
) -> None:
    site, url = production_site, production_site.server.url
    said_before = site.server.log.stat().st_size
    cookie = await new_cookie(url)
    async with joined(url, cookie=cookie) as lobby:
        await lobby.redirected()
        lobby.frames.clear()
        await lobby.send(call("new_thread"))
        path = await lobby.redirected()
    async with joined(url, path, cookie=cookie) as bystander:
        await bystander.until(lambda raw: raw.var(TRANSCRIPT, "is_loaded"))
        address = own_address if has_many_addresses() else lambda _: None
        for seed in range(count // FRAMES_OF_A_ROUND):
            site.model.enqueue(Say([f"Before {seed}, ", Hold(), "and after."]))
            await bystander.send(call("send", path, text="@gpt go on", nonce=f"bystander-{seed}"))
            await bystander.until(lambda raw, seed=seed: f"Before {seed}, " in raw.texts.values())

            await throw(site, FRAMES_OF_A_ROUND, seed=seed, address=address)

            site.model.release()
            await bystander.until(lambda raw, seed=seed: f"Before {seed}, and after." in raw.texts.values())
            assert bystander.notices == []
            bystander.frames.clear()
        await bystander.alive()
    assert site.server.process.poll() is None
    with site.server.log.open() as log:
        log.seek(said_before)
        said = log.read()
    assert "Traceback" not in said
    assert "tributary" not in said.casefold()
    assert cookie.partition("=")[2] not in said


def own_address(number: int) -> str:
    """A loopback address for each few sockets: all from one would be a flood, and refused."""
    return f"127.1.0.{number % 250 + 2}"


def has_many_addresses() -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((own_address(0), 0))
        except OSError:
            return False
    return True
