"""The rows of the sidebar in the browser: the newest first, narrowed by what is typed, in groups by day."""

import json
from typing import Any

from chat_app.state import SidebarRow
from tests.support.javascript import run_javascript

ROWS = [
    SidebarRow("a", "Crème brûlée for six", active=300, unread=0, live=0),
    SidebarRow("b", "Release notes", active=200, unread=2, live=0),
    SidebarRow("c", "", active=100, unread=0, live=1),
]


def said(body: str) -> Any:
    """What `body` returns; it sees the `rows` above, and finds the `thread` of one."""
    prelude = "const thread = (row) => row[shared.SIDEBAR_ROW.thread];"
    return run_javascript("sidebar_rows.js", f"{prelude} const rows = {json.dumps(ROWS)}; {body}")


def test_a_row_that_is_fresh_stands_for_the_one_before_and_the_latest_comes_first() -> None:
    fresh = [SidebarRow("c", "Now it has a title", active=400, unread=1, live=0), SidebarRow("d", "New", 250, 0, 0)]
    merged = [SidebarRow(*row) for row in said(f"return page.merged(rows, {json.dumps(fresh)});")]
    assert [row.thread for row in merged] == ["c", "a", "d", "b"]
    assert merged[0] == fresh[0]


def test_titles_are_found_by_their_words_in_any_order_case_and_accent() -> None:
    def found(query: str) -> list[str]:
        return said(f"return page.matching(rows, {json.dumps(query)}, 'New thread').map(thread);")

    assert found("SIX creme") == ["a"]
    assert found("new") == ["c"]  # as it is called on the page
    assert found("  ") == ["a", "b", "c"]
    assert found("creme notes") == []


def test_a_thread_belongs_to_the_readers_own_day() -> None:
    # The night between winter and summer time has an hour less: yesterday begins at its midnight all the same.
    groups = said(
        """
        process.env.TZ = "Europe/Berlin";
        const at = (text) => new Date(text).getTime() / 1000;
        const rowAt = (text) => Object.values({ ...shared.SIDEBAR_ROW, thread: text, title: "", active: at(text) });
        const times = ["2026-03-30T00:05", "2026-03-29T23:55", "2026-03-29T00:05", "2026-03-28T23:55"];
        const words = { today: "today", yesterday: "yesterday", earlier: "earlier" };
        return page.grouped(times.map(rowAt), at("2026-03-30T12:00") * 1000, words)
            .map(([name, group]) => [name, group.map(thread)]);
        """
    )
    assert groups == [
        ["today", ["2026-03-30T00:05"]],
        ["yesterday", ["2026-03-29T23:55", "2026-03-29T00:05"]],
        ["earlier", ["2026-03-28T23:55"]],
    ]
