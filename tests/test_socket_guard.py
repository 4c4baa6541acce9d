"""The socket's gate on its own: what becomes of a client that goes on sending too much."""

from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from chat_app.gate import guard
from chat_app.gate.allowances import EVENTS, FRAMES, TOO_MUCH, SocketLimits
from chat_app.gate.guard import PATIENCE, POLICY, SocketGuard
from tests.support.raw_socket import STATE, call, join

HANDSHAKE: Scope = {
    "type": "websocket",
    "path": "/_event/",
    "query_string": b"EIO=4&transport=websocket&token=tab",
    "headers": [],
    "client": ("192.0.2.1", 1),
}
NAVIGATE = call(f"{STATE}.reflex___state____on_load_internal_state.on_load_internal")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PAUSE", 0)


@dataclass
class Outcome:
    """What got through, what was answered, and how many frames were read."""

    passed: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    read: int = 0


async def outcome_of(*frames: str) -> Outcome:
    """Send these through the gate; then the client leaves."""
    outcome = Outcome()
    coming = iter(frames)

    async def receive() -> Message:
        if (text := next(coming, None)) is None:
            return {"type": "websocket.disconnect"}
        outcome.read += 1
        return {"type": "websocket.receive", "text": text}

    async def send(message: Message) -> None:
        outcome.answered.append(message)

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            outcome.passed.append(message)

    limits = SocketLimits(connections=9, per_address=999)
    guard = SocketGuard(
        app, origins=[], limits=limits, is_remote=lambda _: False, notice=lambda sentence: {"notice": sentence}
    )
    await guard(HANDSHAKE, receive, send)
    return outcome


async def test_what_a_page_sends_goes_on_and_nothing_is_answered() -> None:
    outcome = await outcome_of(join(), *[NAVIGATE] * (EVENTS.amount - 1))
    assert len(outcome.passed) == EVENTS.amount
    assert outcome.answered == []


async def test_who_sends_a_little_too_much_is_told_and_stays() -> None:
    outcome = await outcome_of(join(), *[NAVIGATE] * (EVENTS.amount + 9), "41/_event,")
    assert len(outcome.passed) == EVENTS.amount + 1
    (notice,) = outcome.answered
    assert TOO_MUCH in notice["text"]


async def test_who_goes_on_sending_too_much_is_closed_and_no_longer_read() -> None:
    outcome = await outcome_of(join(), *[NAVIGATE] * 10 * EVENTS.amount)
    assert outcome.read <= EVENTS.amount + PATIENCE + 1
    assert outcome.answered[-1] == {"type": "websocket.close", "code": POLICY, "reason": "too much"}


async def test_noise_without_end_is_closed_too() -> None:
    outcome = await outcome_of(*["noise"] * 10 * FRAMES.amount)
    assert outcome.read <= FRAMES.amount + PATIENCE + 1
    assert outcome.passed == []
    assert outcome.answered[-1]["type"] == "websocket.close"


async def test_pongs_count_only_where_nobody_asked() -> None:
    outcome = await outcome_of(join(), *["3"] * (FRAMES.amount + PATIENCE + 9))
    assert outcome.answered[-1]["type"] == "websocket.close"
    assert len(outcome.passed) == 1


async def test_a_join_waits_for_its_turn_and_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([False, False, True])
    monkeypatch.setattr(guard.SocketAllowance, "may_call", lambda *_: next(refusals))
    assert len((await outcome_of(join())).passed) == 1


async def test_a_socket_joins_once_until_it_has_left() -> None:
    assert len((await outcome_of(join(), join())).passed) == 1
    assert len((await outcome_of(join(), "41/_event,", join())).passed) == 3
