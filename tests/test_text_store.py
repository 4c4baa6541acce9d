"""The texts of a page, grown by frames whose offsets count code points."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.javascript import run_javascript

PRELUDE = """
    let time = 0;
    let timers = [];
    const pass = (ms) => {
        const end = time + ms;
        for (;;) {
            timers.sort((one, other) => one[0] - other[0]);
            if (timers.length === 0 || timers[0][0] > end) break;
            const [due, call] = timers.shift();
            time = Math.max(time, due);
            call();
        }
        time = end;
    };
    const clock = {
        now: () => time,
        later: (call, ms) => timers.push([time + ms, call]),
        afterRendering: (call) => call(),
    };
    const store = page.createTextStore(clock);
"""


def story(body: str) -> Any:
    """What `body` returns; it sees a `store`, and `pass(ms)` lets time go by."""
    return run_javascript("text_store.js", PRELUDE + body)


def test_a_hundred_updates_in_one_turn_lose_nothing() -> None:
    text = story("""
        for (let i = 0; i < 100; i += 1) store.accept([["1.1", i * 3, String(i).padStart(3, ".")]]);
        return store.read("1.1");
    """)
    assert text == "".join(str(i).rjust(3, ".") for i in range(100))


# Not shrunk, because each example starts a Node of its own.
@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("aé流🌊👩‍👧🇩🇪\n"), min_size=1, max_size=30),
            st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=20),
        ),
        min_size=20,
        max_size=20,
    )
)
def test_whatever_is_repeated_or_overlaps_the_text_is_the_one_that_was_sent(
    cases: list[tuple[str, list[tuple[int, int]]]],
) -> None:
    frames = [
        [[f"{number}.1", min(cut), text[min(cut) : max(cut)]] for cut in [*cuts, (0, 0), (0, len(text) // 2)]]
        + [[f"{number}.1", len(text) // 2, text[len(text) // 2 :]]]
        for number, (text, cuts) in enumerate(cases)
    ]
    shown = story(f"""
        for (const each of {json.dumps(frames)}) for (const frame of each) store.accept([frame]);
        return {json.dumps(list(range(len(cases))))}.map((number) => store.read(`${{number}}.1`));
    """)
    assert shown == [text for text, _ in cases]


def test_what_was_shown_is_never_changed() -> None:
    texts = story("""
        store.accept([["1.1", 0, "as it was"]]);
        store.accept([["1.1", 0, "otherwise"], ["1.1", 3, "XX"], ["1.1", 3, "XX WAS, and more"]]);
        return store.read("1.1");
    """)
    assert texts == "as it was, and more"


def test_what_follows_a_gap_is_asked_for_until_it_comes() -> None:
    asked, shown, asked_later = story("""
        const asked = [];
        store.onGap((name, have) => asked.push([name, have, time]));
        store.subscribe("1.1", () => {});
        store.accept([["1.1", 0, "🌊ne "]]);
        store.accept([["1.1", 8, "three"]]);
        store.accept([["1.1", 13, " four"]]);
        pass(2_500);
        const before = [...asked];
        store.accept([["1.1", 4, "two three four"]]);
        pass(5_000);
        return [before, store.read("1.1"), asked.slice(before.length)];
    """)
    assert asked == [["1.1", 4, 0], ["1.1", 4, 1000], ["1.1", 4, 2000]]
    assert shown == "🌊ne two three four"
    assert asked_later == []


def test_a_gap_that_the_same_update_fills_is_not_asked_for() -> None:
    assert story("""
        const asked = [];
        store.onGap((...gap) => asked.push(gap));
        store.subscribe("1.1", () => {});
        store.accept([["1.1", 3, "b"], ["1.1", 0, "aaab"]]);
        pass(5_000);
        return [asked, store.read("1.1")];
    """) == [[], "aaab"]


def test_a_gap_in_a_text_that_nobody_shows_waits_for_somebody_who_does() -> None:
    before, after = story("""
        const asked = [];
        store.onGap((...gap) => asked.push(gap));
        store.accept([["1.1", 3, "b"]]);
        pass(5_000);
        const before = [...asked];
        const leave = store.subscribe("1.1", () => {});
        pass(500);
        leave();
        pass(5_000);
        return [before, asked];
    """)
    assert before == []
    assert after == [["1.1", 0]]


def test_another_attempt_is_another_text() -> None:
    assert story("""
        store.accept([["1.1", 0, "the first try"]]);
        store.accept([["1.2", 0, "the second"]]);
        return [store.read("1.1"), store.read("1.2"), store.read("1.3")];
    """) == ["the first try", "the second", ""]


def test_of_many_texts_those_that_are_shown_and_the_newest_are_kept() -> None:
    shown, old, new = story("""
        store.subscribe("0.1", () => {});
        for (let i = 0; i < 1_000; i += 1) store.accept([[`${i}.1`, 0, "text"]]);
        return [store.read("0.1"), store.read("1.1"), store.read("999.1")];
    """)
    assert (shown, old, new) == ("text", "", "text")


def test_a_page_that_is_slow_to_render_is_told_less_often_and_at_last_of_all() -> None:
    times, told = story("""
        const times = [];
        let told = "";
        store.subscribe("1.1", () => {
            times.push(time);
            told = store.read("1.1");
            time += 100;
        });
        for (let i = 0; i < 100; i += 1) {
            store.accept([["1.1", i, "a"]]);
            pass(10);
        }
        pass(1_000);
        return [times, told];
    """)
    assert told == "a" * 100
    assert times[0] == 0
    assert all(later - earlier >= 200 for earlier, later in pairwise(times))


def test_while_somebody_types_text_is_told_more_rarely_and_none_is_lost() -> None:
    told = story("""
        const counts = [];
        for (const isTyping of [false, true]) {
            const store = page.createTextStore({ ...clock, isTyping: () => isTyping });
            let tells = 0;
            store.subscribe("1.1", () => (tells += 1));
            for (let i = 0; i < 100; i += 1) {
                store.accept([["1.1", i, "a"]]);
                pass(16);
            }
            pass(1000);
            counts.push([tells, store.read("1.1").length]);
        }
        return counts;
    """)
    (usually, all_of_it), (typing, also_all) = told
    assert all_of_it == also_all == 100
    assert 20 <= typing <= usually / 3
