"""What happens in a thread's rows, for a person who does not see them."""

import json
from typing import Any

from chat_app.state import Row
from tests.support.javascript import run_javascript

ADA, NOOR = 1, 2


def row(message: int, author: int, status: str = "") -> Row:
    return Row(message, author, at=0, status=status, version=0, reason="")


def told(*looks: list[Row], me: int = ADA) -> list[list[list[Any]]]:
    """What each look at these rows finds: kind, message, author and whether `me` asked for it."""
    found = run_javascript(
        "row_events.js",
        f"""
        const events = page.createRowEvents();
        return {json.dumps(looks)}.map((rows) => events.look(rows, {me}));
        """,
    )
    return [[[one["kind"], one["message"], one["author"], one["isMine"]] for one in look] for look in found]


def test_what_was_there_at_first_and_what_i_write_is_no_event() -> None:
    old = [row(1, NOOR), row(2, -NOOR, "done")]
    assert told(old, [*old, row(3, ADA)]) == [[], []]


def test_a_message_of_another_and_a_reply_that_begins_and_ends_are() -> None:
    first = [row(1, ADA)]
    begun = [*first, row(2, NOOR), row(3, -ADA, "pending")]
    written = [*first, row(2, NOOR), row(3, -ADA, "streaming")]
    ended = [*first, row(2, NOOR), row(3, -ADA, "done")]
    assert told(first, begun, written, ended, ended) == [
        [],
        [["message", 2, NOOR, False], ["begun", 3, ADA, True]],
        [],
        [["ended", 3, ADA, True]],
        [],
    ]


def test_a_reply_that_was_missed_while_it_was_written_has_ended_and_a_retry_begins() -> None:
    looks = ([row(1, ADA)], [row(1, ADA), row(2, -NOOR, "error")], [row(1, ADA), row(2, -NOOR, "pending")])
    assert told(*looks) == [[], [["ended", 2, NOOR, False]], [["begun", 2, NOOR, False]]]


def test_older_rows_that_join_and_rows_that_are_deleted_are_no_event() -> None:
    assert told([row(5, NOOR)], [row(3, NOOR), row(4, -NOOR, "done"), row(5, NOOR)], []) == [[], [], []]
