"""The bench's own arithmetic: figures out of measurements, tables out of figures, what a soak has left over."""

import pytest

from bench import report, soak
from bench.budgets import BUDGETS
from bench.figures import delays, exponent, gaps, quantile
from bench.replies import Reply, ordered
from bench.soak import Sample


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1, 50, 95, 100]
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_delta_is_late_until_the_first_frame_that_has_it_all() -> None:
    said, ends = [10.0, 10.1, 10.2, 10.3], [4, 8, 12, 16]
    assert delays(said, ends, [(10.05, 4), (10.25, 11), (10.4, 16)]) == pytest.approx([0.05, 0.15, 0.2, 0.1])


def test_a_delta_that_never_came_is_no_delay() -> None:
    with pytest.raises(ValueError, match="only 4 of 8"):
        delays([1.0, 2.0], [4, 8], [(1.5, 4)])


def test_the_exponent_says_what_is_flat_linear_and_square() -> None:
    sizes = (1, 10, 100, 1000)
    for power in (0, 1, 2):
        assert exponent({size: 7.0 * size**power for size in sizes}) == pytest.approx(power)
    assert exponent({1: 1.0}) is None
    assert exponent({1: 0.0, 10: 1.0}) is None


def test_gaps_lie_between_the_moments() -> None:
    assert gaps([1.0, 1.5, 3.0]) == [0.5, 1.5]
    assert gaps([1.0]) == []


def test_a_prompt_orders_the_reply_that_was_meant_and_no_two_begin_alike() -> None:
    reply = Reply(100, 50)
    assert ordered(f"Ada: @gpt {reply.order}") == reply
    assert ordered("@gpt hello") is None
    assert {len(piece) for piece in reply.pieces} == {4}
    assert len(reply.text) == reply.ends[-1] == 400
    assert reply.text[:12] == reply.key != Reply(100, 50).text[:12]


def test_a_document_gets_the_tables_it_has_a_place_for_and_keeps_all_else() -> None:
    other = "between\n<!-- figures: other -->\nmine\n<!-- /figures -->\n"
    text = f"Before\n<!-- figures: costs -->\nold\n<!-- /figures -->\n{other}"
    tables = {"costs": "new", "growth": "has no place"}
    filled = report.filled(text, tables)
    assert filled == text.replace("old", "new")
    assert report.filled(filled, tables) == filled


def test_a_budget_is_met_missed_or_not_measured() -> None:
    budget = BUDGETS[0]
    results = {"plan": "full", "figures": {budget.figure: budget.limit + 1}}
    assert [budget.what in line for line in report.missed(results)] == [True]
    assert report.budgets(results).count("**not met**") == 1
    assert report.missed({"plan": "full", "figures": {budget.figure: budget.limit}}) == []


def test_the_four_figures_of_the_readme_are_budgets() -> None:
    figures = {budget.figure: budget.limit for budget in BUDGETS}
    shown = report.headlines({"plan": "full", "figures": figures})
    assert [line.split(" | ")[1:] for line in shown.splitlines()[2:]] == [
        ["80 ms", "80 ms |"],
        ["1,250 ms", "1,250 ms |"],
        ["1,000 ms", "1,000 ms |"],
        ["250 ms", "250 ms |"],
    ]


def test_each_document_has_a_place_for_the_tables_it_shows() -> None:
    readme, costs = (document.read_text() for document in report.DOCUMENTS)
    assert "<!-- figures: headlines -->" in readme
    for name in (*report.TABLES, "soak"):
        assert name == "headlines" or f"<!-- figures: {name} -->" in costs


def test_the_documents_show_the_figures_of_the_last_full_run() -> None:
    before = [document.read_text() for document in report.DOCUMENTS]
    assert [report.filled(text, report.tables()) for text in before] == before


def held(minute: float, memory: int, **more: float) -> Sample:
    values = {"handles": 50, "tasks": 20.0, "tabs": 0.0, "watched": 0.0, "replies": 0.0} | more
    return Sample(minute, memory, **values)  # pyright: ignore[reportArgumentType]  # handles are whole


def test_a_soak_names_what_is_left_over() -> None:
    quiet = [held(0, 100), held(5, 200), held(10, 205), held(20, 215), held(20.1, 190), held(20.3, 180)]
    assert soak.faults(quiet) == []
    leaking = [*quiet[:-3], held(20, 300), held(20.1, 290), held(20.3, 290, tasks=60.0, watched=3.0)]
    assert soak.faults(leaking) == [
        "memory grew by 50 % after the first quarter",
        "40 tasks are left over",
        "3 watched are left over",
    ]
