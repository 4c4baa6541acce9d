"""The rows of a page: in order, under one name where they belong together, the same objects while they are the same."""

from typing import Any

from tests.support.javascript import run_javascript

PRELUDE = """
    // A day has a thousand seconds here.
    const store = page.createRowStore({ dayOf: (at) => String(Math.floor(at / 1000)) });
    const row = (message, author = 1, at = message, status = "") =>
        Object.values({ ...shared.ROW, message, author, at, status, version: 0, reason: "" });
    const range = (from, to) => Array.from({ length: to - from }, (_, index) => row(from + index));
    const messageOf = ({ row }) => row[shared.ROW.message];
    const shown = () => store.read().map(messageOf);
"""


def story(body: str) -> Any:
    """What `body` returns; it sees a `store`, makes a `row` or a `range` of them, and what is `shown`."""
    return run_javascript("row_store.js", PRELUDE + body)


def test_an_older_page_stands_before_and_news_after_whatever_order_they_come_in() -> None:
    assert story("""
        store.accept([["page", range(100, 103), [], true]]);
        store.accept([["news", [row(103)], [], false]]);
        store.accept([["earlier", range(97, 100), [], true], ["news", [row(104)], [], false]]);
        store.accept([["earlier", range(97, 100), [], true]]);
        return [shown(), store.hasEarlier()];
    """) == [[97, 98, 99, 100, 101, 102, 103, 104], True]


def test_a_change_of_a_message_that_was_not_paged_in_shows_nothing_at_the_wrong_place() -> None:
    assert story("""
        store.accept([["page", range(100, 103), [], true]]);
        store.accept([["news", [row(5), row(101, 1, 101, "done")], [102], false]]);
        return store.read().map((entry) => [messageOf(entry), entry.row[shared.ROW.status]]);
    """) == [[100, ""], [101, "done"]]


def test_a_page_that_comes_again_forgets_what_was_deleted_meanwhile() -> None:
    assert story("""
        store.accept([["page", range(100, 103), [], true]]);
        store.accept([["earlier", range(90, 100), [], false]]);
        store.accept([["page", [row(100), row(102)], [], true]]);
        return [shown(), store.hasEarlier()];
    """) == [[100, 102], True]


def test_messages_of_one_person_within_minutes_stand_under_one_name_and_a_reply_under_its_own() -> None:
    assert story("""
        store.accept([["page", [
            row(1, 7, 10), row(2, 7, 20), row(3, 7, 400), row(4, 8, 401), row(5, -8, 402), row(6, -8, 403),
            row(7, 8, 990), row(8, 8, 1010),
        ], [], false]]);
        return store.read().map((entry) => [messageOf(entry), entry.leads, entry.dated]);
    """) == [
        [1, True, True],
        [2, False, False],
        [3, True, False],  # minutes later
        [4, True, False],
        [5, True, False],  # the AI's, for 8
        [6, True, False],
        [7, True, False],
        [8, True, True],  # another day
    ]


def test_what_stands_above_decides_anew_when_it_changes() -> None:
    assert story("""
        store.accept([["page", [row(3, 7), row(4, 7)], [], true]]);
        store.accept([["earlier", [row(2, 7)], [], false]]);
        const paged = store.read().map(({ leads, dated }) => [leads, dated]);
        store.accept([["news", [], [2], false]]);
        return [paged, store.read().map(({ leads }) => leads)];
    """) == [[[True, True], [False, False], [False, False]], [True, False]]


def test_entries_that_have_not_changed_are_the_same_objects() -> None:
    assert story("""
        store.accept([["page", range(100, 104), [], true]]);
        const before = store.read();
        store.accept([["news", [row(103, 1, 103, "done"), row(104)], [], false]]);
        store.accept([["earlier", range(90, 100), [], false]]);
        const after = new Map(store.read().map((entry) => [messageOf(entry), entry]));
        const sameAfterPage = (store.accept([["page", range(100, 103), [], true]]), store.read());
        return [
            before.map((entry) => after.get(messageOf(entry)) === entry),
            sameAfterPage.map((entry) => after.get(messageOf(entry))?.row === entry.row),
        ];
    """) == [[False, True, True, False], [True, True, True]]  # 100 does not begin the page, nor its day, any more


def test_a_page_that_is_open_for_weeks_lets_go_of_the_oldest_while_its_reader_is_at_the_end() -> None:
    lengths = story("""
        store.accept([["page", range(1, 101), [], false]]);
        const lengths = [];
        store.setAtEnd(false);
        for (let message = 101; message <= 450; message += 1) store.accept([["news", [row(message)], [], false]]);
        lengths.push(store.read().length);
        store.setAtEnd(true);
        store.accept([["news", [row(451)], [], false]]);
        return [...lengths, store.read().length, shown()[0], store.hasEarlier()];
    """)
    assert lengths == [450, 300, 152, True]
