"""The lines of the sidebar in the browser: the newest first, narrowed by what is typed, in groups by day."""

import json
from typing import Any

from tests.support.javascript import run_javascript

LINES = [
    ["a", "Crème brûlée for six", 300, 0, 0],
    ["b", "Release notes", 200, 2, 0],
    ["c", "", 100, 0, 1],
]


def said(body: str) -> Any:
    """What `body` returns; it sees the `lines` above."""
    return run_javascript("thread_lines.js", f"const lines = {json.dumps(LINES)}; {body}")


def test_a_line_that_is_fresh_stands_for_the_one_before_and_the_latest_comes_first() -> None:
    merged = said('return page.merged(lines, [["c", "Now it has a title", 400, 1, 0], ["d", "New", 250, 0, 0]]);')
    assert [line[0] for line in merged] == ["c", "a", "d", "b"]
    assert merged[0][1:] == ["Now it has a title", 400, 1, 0]


def test_titles_are_found_by_their_words_in_any_order_case_and_accent() -> None:
    def found(query: str) -> list[str]:
        return said(f"return page.matching(lines, {json.dumps(query)}, 'New thread').map((line) => line[0]);")

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
        const times = ["2026-03-30T00:05", "2026-03-29T23:55", "2026-03-29T00:05", "2026-03-28T23:55"];
        const words = { today: "today", yesterday: "yesterday", earlier: "earlier" };
        return page.grouped(times.map((text) => [text, "", at(text), 0, 0]), at("2026-03-30T12:00") * 1000, words)
            .map(([name, group]) => [name, group.map((line) => line[0])]);
        """
    )
    assert groups == [
        ["today", ["2026-03-30T00:05"]],
        ["yesterday", ["2026-03-29T23:55", "2026-03-29T00:05"]],
        ["earlier", ["2026-03-28T23:55"]],
    ]
