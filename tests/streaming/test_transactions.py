"""The queue of writers: in the order of coming, who is to be soon near its front, and nobody's turn is lost."""

import asyncio
from itertools import pairwise

from tests.support.core import cancelled
from tributary_streams.transactions import SOON, _Queue


async def stand(queue: _Queue, name: str, served: list[str], *, is_soon: bool = False) -> None:
    async with queue.turn(is_soon=is_soon):
        served.append(name)
        await asyncio.sleep(0)


async def test_writers_are_served_in_the_order_of_coming() -> None:
    queue, served = _Queue(), list[str]()
    names = [str(number) for number in range(20)]
    await asyncio.gather(*(stand(queue, name, served) for name in names))
    assert served == names


async def test_one_who_is_to_be_soon_waits_for_a_few_at_most_and_passes_nobody_for_ever() -> None:
    queue, served = _Queue(), list[str]()
    crowd = [asyncio.create_task(stand(queue, "crowd", served)) for _ in range(100)]
    await asyncio.sleep(0)
    for _ in range(10):
        await stand(queue, "soon", served, is_soon=True)
    await asyncio.gather(*crowd)
    turns = [at for at, name in enumerate(served) if name == "soon"]
    assert turns[0] <= SOON + 1
    assert all(later - earlier > 1 for earlier, later in pairwise(turns))
    assert len(served) == 110


async def test_who_is_cancelled_in_the_line_or_at_their_turn_keeps_nobody_waiting() -> None:
    queue, served = _Queue(), list[str]()
    async with queue.turn(is_soon=False):
        first, second, third = [asyncio.create_task(stand(queue, name, served)) for name in "abc"]
        await asyncio.sleep(0)
        await cancelled(second)
        third.cancel()  # and it is not removed yet when the turn ends
    first.cancel()  # it was called, and has not begun
    await asyncio.gather(first, third, return_exceptions=True)
    await stand(queue, "after", served)
    assert served == ["after"]
