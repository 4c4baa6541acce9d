"""How much one socket, one address and all together may use."""

from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from chat_app import state
from chat_app.gate.allowances import (
    EVENTS,
    EVENTS_PER_CONNECTION,
    FRAMES,
    HANDLERS_AT_ONCE,
    OPENED_PER_CONNECTION,
    TOO_MUCH,
    AtOnce,
    SocketLimits,
)
from chat_app.people.network import network_of
from chat_app.refusals import TooMany


def test_an_address_may_have_so_many_connections_and_another_one_its_own():
    limits = SocketLimits(connections=5, per_address=2)
    with limits.connection("192.0.2.1"), limits.connection("192.0.2.1"):
        with pytest.raises(TooMany), limits.connection("192.0.2.1"):
            pass
        with limits.connection("192.0.2.2"):
            pass
    with limits.connection("192.0.2.1"):
        pass


def test_all_together_may_have_so_many():
    limits = SocketLimits(connections=2, per_address=2)
    with (
        limits.connection("192.0.2.1"),
        limits.connection("192.0.2.2"),
        pytest.raises(TooMany),
        limits.connection("192.0.2.3"),
    ):
        pass


def test_who_connects_over_and_over_is_refused_for_a_while():
    limits = SocketLimits(connections=9, per_address=3)
    for _ in range(3 * OPENED_PER_CONNECTION):
        with limits.connection("192.0.2.1"):
            pass
    with pytest.raises(TooMany), limits.connection("192.0.2.1"):
        pass


def test_a_socket_may_send_a_hundred_gaps_at_once_and_no_flood():
    with SocketLimits(connections=9, per_address=99).connection("192.0.2.1") as socket:
        assert all(socket.may_call(100) for _ in range(EVENTS.amount))
        assert not socket.may_call(100)
        assert all(socket.may_send() for _ in range(FRAMES.amount))
        assert not socket.may_send()


def test_long_events_count_for_more_and_ten_full_messages_go():
    with SocketLimits(connections=9, per_address=99).connection("192.0.2.1") as socket:
        assert all(socket.may_call(16_500) for _ in range(10))
        assert not all(socket.may_call(16_500) for _ in range(10))


def test_sockets_of_one_address_share_what_it_may_send():
    limits = SocketLimits(connections=99, per_address=30)
    with ExitStack() as stack:
        sockets = [stack.enter_context(limits.connection("192.0.2.1")) for _ in range(3)]
        sent = sum(socket.may_call(1) for socket in sockets for _ in range(EVENTS.amount))
        assert sent == 30 * EVENTS_PER_CONNECTION
        assert stack.enter_context(limits.connection("192.0.2.2")).may_call(1)


def test_a_subscriber_of_ipv6_is_one_address():
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("unix:") == network_of("")


async def test_only_so_many_handlers_of_a_socket_run_at_a_time(monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []

    async def tell(_: object, notice: str) -> None:
        told.append(notice)

    monkeypatch.setattr(state, "tell", tell)
    monkeypatch.setattr(state, "_running", AtOnce(HANDLERS_AT_ONCE))

    @state.remote
    async def handler(self: SimpleNamespace) -> str:
        return "ran"

    def socket(name: str) -> SimpleNamespace:
        return SimpleNamespace(router=SimpleNamespace(session=SimpleNamespace(session_id=name)))

    with ExitStack() as stack:
        for _ in range(HANDLERS_AT_ONCE):
            assert stack.enter_context(state._running.taken("one"))
        assert await handler(socket("one")) is None
        assert await handler(socket("other")) == "ran"
    assert told == [TOO_MUCH]
    assert await handler(socket("one")) == "ran"
