"""What the page's JavaScript has from Python."""

from chat_app.components import shared


def test_the_file_that_javascript_reads_is_what_python_says() -> None:
    assert shared.SHARED.read_text(encoding="utf-8") == shared.module(), "write it anew: make shared"
