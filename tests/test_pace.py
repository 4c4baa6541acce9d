"""Pace: behind time, updates get rarer, followers' first; in time again, nobody's."""

import asyncio

from chat_app.live.pace import (
    DRIVER_FROM,
    DRIVER_WAITS,
    FOLLOWER_FROM,
    FOLLOWER_WAITS,
    FOLLOWERS_AT_ONCE,
    FRAME_EVERY,
    PASSES_WITHIN,
    SMOOTHED_OVER,
    Pace,
)
from tests.support.virtual_time import VirtualTimeLoop, run_in_virtual_time


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def late(pace: Pace, clock: Clock, seconds: float, *, times: int) -> None:
    """Let somebody be woken so late, once in each frame."""
    for _ in range(times):
        clock.now += FRAME_EVERY + seconds
        pace.note(seconds)


def intervals(pace: Pace) -> tuple[float, float]:
    return pace.interval(drives=True), pace.interval(drives=False)


def test_in_time_everybody_gets_twenty_updates_a_second() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, FOLLOWER_FROM / 2, times=100)
    assert intervals(pace) == (FRAME_EVERY, FRAME_EVERY)


def test_followers_wait_before_any_driver_does() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, DRIVER_FROM, times=100)
    driver, follower = intervals(pace)
    assert driver == FRAME_EVERY
    assert follower > 0.9 * FOLLOWER_WAITS


def test_far_behind_nobody_waits_longer_than_the_longest() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, 10, times=100)
    assert intervals(pace) == (DRIVER_WAITS, FOLLOWER_WAITS)


def test_a_single_pause_is_no_overload() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, 0.001, times=100)
    late(pace, clock, 0.05, times=1)
    assert pace.interval(drives=True) == FRAME_EVERY


def test_in_time_again_it_is_as_before_within_some_seconds() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, 0.2, times=100)
    late(pace, clock, 0.0, times=round(5 * SMOOTHED_OVER / FRAME_EVERY))
    assert intervals(pace) == (FRAME_EVERY, FRAME_EVERY)


def test_what_was_noted_fades_while_nobody_notes() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, 10, times=100)
    clock.now += 10 * SMOOTHED_OVER  # nothing is sent
    assert intervals(pace) == (FRAME_EVERY, FRAME_EVERY)
    pace.note(0.0)
    assert intervals(pace) == (FRAME_EVERY, FRAME_EVERY)


def test_what_many_note_in_one_moment_counts_as_one() -> None:
    clock = Clock()
    pace = Pace(clock)
    late(pace, clock, 0.0, times=100)
    clock.now += FRAME_EVERY
    pace.note(0.1)
    one = pace.lag
    for _ in range(1000):
        pace.note(0.1)
    assert pace.lag == one


def test_a_driver_does_not_wait_for_a_thousand_followers() -> None:
    made: list[str] = []

    async def update(pace: Pace, name: str, *, drives: bool) -> None:
        async with pace.turn(drives=drives):
            made.append(name)
            await asyncio.sleep(0.1)

    async def story(loop: VirtualTimeLoop) -> None:
        pace = Pace(loop.time)
        followers = [asyncio.create_task(update(pace, "follower", drives=False)) for _ in range(1000)]
        await asyncio.sleep(0)
        await update(pace, "driver", drives=True)
        assert made.index("driver") <= FOLLOWERS_AT_ONCE
        await asyncio.gather(*followers)
        assert len(made) == 1001

    run_in_virtual_time(story)


def test_a_follower_whose_update_hangs_or_is_cancelled_keeps_nobody_waiting() -> None:
    async def hang(pace: Pace) -> None:
        async with pace.turn(drives=False):
            await asyncio.Event().wait()

    async def story(loop: VirtualTimeLoop) -> None:
        pace = Pace(loop.time)
        hanging = [asyncio.create_task(hang(pace)) for _ in range(3 * FOLLOWERS_AT_ONCE)]
        began = loop.time()
        await asyncio.sleep(0)
        async with pace.turn(drives=False):
            assert 3 * PASSES_WITHIN <= loop.time() - began < 4 * PASSES_WITHIN
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        # Each gave its place up once: no more may be at work than before.
        assert pace._free._value == FOLLOWERS_AT_ONCE

    run_in_virtual_time(story)


def test_a_follower_that_begins_to_drive_waits_no_longer() -> None:
    async def story(loop: VirtualTimeLoop) -> None:
        pace = Pace(loop.time)
        pace.note(1.0)
        assert pace.interval(drives=False) == FOLLOWER_WAITS
        begins_to_drive = asyncio.Event()
        loop.call_later(FRAME_EVERY, begins_to_drive.set)
        await pace.rest(begins_to_drive)
        assert loop.time() < 2 * FRAME_EVERY

    run_in_virtual_time(story)
