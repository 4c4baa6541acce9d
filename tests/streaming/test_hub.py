"""The hub's text: it grows, and is read from anywhere in any portions."""

from hypothesis import given
from hypothesis import strategies as st

from tributary_streams import GrowingText


@given(st.lists(st.text(max_size=5)), st.integers(0, 60), st.none() | st.integers(1, 60))
def test_from_any_offset_so_much_of_the_text_as_is_asked_for(parts: list[str], offset: int, limit: int | None) -> None:
    growing = GrowingText()
    for part in parts:
        growing.grow(part)
    text = "".join(parts)
    assert growing.since(offset, limit) == text[offset : None if limit is None else offset + limit]
