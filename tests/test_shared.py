"""What the page's JavaScript has from Python."""

import json

from reflex_base.utils.format import json_dumps

from chat_app.components import shared
from chat_app.state import Row
from tests.support.javascript import run_javascript


def test_the_file_that_javascript_reads_is_what_python_says() -> None:
    assert shared.SHARED.read_text(encoding="utf-8") == shared.module(), "write it anew: make shared"


def test_javascript_finds_each_field_of_a_row_as_reflex_sends_it() -> None:
    row = Row(message=7, author=-3, at=1_700_000_000, status="done", version=2, reason="It was cut off.")
    sent = json_dumps([row])
    assert json.loads(sent) == [[7, -3, 1_700_000_000, "done", 2, "It was cut off."]]
    found = f"""
        const [row] = {sent};
        return Object.fromEntries(Object.entries(page.ROW).map(([field, place]) => [field, row[place]]));
    """
    assert run_javascript("shared.js", found) == row._asdict()
