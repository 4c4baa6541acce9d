"""What always holds of a reply, whatever happens: B45, with I2 to I6 checked in every case.

Cases are drawn, lived through in virtual time, and shrunk to the smallest that breaks. The ordinary run draws the same
250 each time, `make thorough` the same 1,000; `make chaos` draws new ones and many more.
"""

import logging
from collections.abc import Iterator
from itertools import cycle

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.chaos import Blow, Case, EndsWith, Join, Sea, Stop, live_through
from tests.support.unreliable_database import Fault, FaultKind, Outage
from tests.support.virtual_time import run_in_virtual_time
from tributary_streams import ChunkRule, Granularity, Patience, tailer

SIGNS = "abc  ..\n\n,!?。、你好한글`#*1\t\0\u0301\u200d\ufe0f\ufffd👩👧🇩🇪\ud83d\ud83d\ude00\ude00"
PROSE = (
    "Dr. Who paid 3.14 e.g. at example.com. Then?! 「本当。」\n\n```py\nx = 1.5\n```\nFamily: 👩‍👩‍👧‍👦 e\u0301. " * 4
)
TEXTS = st.one_of(
    st.text(SIGNS, max_size=40),
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.integers(1, len(PROSE)).map(lambda length: PROSE[:length]),
)
MOMENTS = st.one_of(st.integers(0, 600).map(lambda moment: moment / 100), st.sampled_from([0.0, 0.001, 0.021]))


def halved(text: str) -> str:
    """With each character beyond the basic plane as its two halves, as some endpoints send it."""
    codes = [(char, ord(char) - 0x10000) for char in text]
    return "".join(
        char if code < 0 else chr(0xD800 + (code >> 10)) + chr(0xDC00 + code % 0x400) for char, code in codes
    )


@st.composite
def deltas(draw: st.DrawFn) -> list[tuple[float, str]]:
    """A text, cut anywhere, with pauses anywhere, some of them longer than the patience below."""
    text = draw(TEXTS) + draw(st.sampled_from(["", "", "", "\ud83d"]))
    if draw(st.booleans()):
        text = halved(text)
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    pauses = draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.2, 0.6, 0.9, 1.2]), min_size=1, max_size=5))
    said = [(0.0, "")] if draw(st.booleans()) else []
    start = 0
    for size, pause in zip(cycle(sizes), cycle(pauses), strict=False):
        if start >= len(text):
            return said
        said.append((pause if len(said) < 12 else 0.0, text[start : start + size]))
        start += size
    return said


FAULTS = st.builds(Fault, st.sampled_from(FaultKind), st.integers(1, 4), st.sampled_from([0.05, 0.4, 1.0]))
OUTAGES = st.builds(Outage, MOMENTS, st.sampled_from([0.1, 0.5, 2.0, 2.0, 8.0, 8.0, 21.0, 45.0]))
CASES = st.builds(
    Case,
    deltas=deltas(),
    ends_with=st.sampled_from(EndsWith),
    last_pause=st.sampled_from([0.0, 0.0, 0.3]),
    rule=st.builds(ChunkRule, st.sampled_from(Granularity), st.sampled_from([1, 5, 40, 400])),
    patience=st.sampled_from([Patience(2.0, 1.0), Patience(2.0, 1.0), Patience(2.0, 1.0), Patience(60.0, 40.0)]),
    starts=st.integers(1, 3),
    faults=st.lists(st.none() | FAULTS, max_size=8),
    outages=st.lists(OUTAGES, max_size=1),
    cut_off=st.sampled_from([True, False, False, False]).flatmap(lambda is_cut: OUTAGES if is_cut else st.none()),
    joins=st.lists(
        st.builds(Join, MOMENTS, st.integers(0, 30), st.integers(0, 1), st.none() | st.integers(1, 3)), max_size=3
    ),
    refreshes=st.lists(MOMENTS, max_size=2),
    stops=st.one_of(
        st.just([]), st.lists(st.builds(Stop, MOMENTS, st.integers(0, 1), st.integers(1, 2)), min_size=1, max_size=2)
    ),
    blow=st.one_of(st.none(), st.tuples(MOMENTS, st.sampled_from(Blow))),
    lone=st.booleans(),
)


@pytest.fixture(scope="module")
def sea(tmp_path_factory: pytest.TempPathFactory) -> Sea:
    """The database of all cases."""
    return Sea(tmp_path_factory.mktemp("sea") / "sea.db")


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fewer looks while nothing is committed here, of which half a minute has many; and nobody reads the warnings."""
    monkeypatch.setattr(tailer, "ELSEWHERE", 1.5)
    monkeypatch.setattr(tailer, "HERE", 1.5)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


ALWAYS = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


# The database comes back just before another process sweeps, and the writer has not tried again yet.
BACK_BEFORE_A_SWEEP = Case(
    deltas=[(0.0, "Half"), (6.0, " a sentence")],
    ends_with=EndsWith.SILENCE,
    patience=Patience(60.0, 40.0),
    outages=[Outage(8.1, 43.8)],
)


@pytest.mark.timeout(0)  # it is a busy machine that makes it long
@example(case=BACK_BEFORE_A_SWEEP)
@settings(ALWAYS, max_examples=250, derandomize=True)
@given(case=CASES)
def test_what_always_holds_of_a_reply_holds_whatever_happens(sea: Sea, case: Case) -> None:
    run_in_virtual_time(lambda loop: live_through(case, sea, loop))


@pytest.mark.thorough
@pytest.mark.timeout(0)
@settings(ALWAYS, max_examples=1_000, derandomize=True)
@given(case=CASES)
def test_what_always_holds_of_a_reply_holds_in_more_cases(sea: Sea, case: Case) -> None:
    run_in_virtual_time(lambda loop: live_through(case, sea, loop))


@pytest.mark.chaos
@settings(ALWAYS, max_examples=30_000)
@given(case=CASES)
def test_what_always_holds_of_a_reply_holds_in_many_more_cases(sea: Sea, case: Case) -> None:
    run_in_virtual_time(lambda loop: live_through(case, sea, loop))
