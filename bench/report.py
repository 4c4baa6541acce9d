"""`python -m bench.report`: the tables that the documents show, out of the results of a run, between their markers."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.budgets import BUDGETS, Budget
from tests.support.server import PROJECT

RESULTS = Path(__file__).parent / "results"
FULL, SOAK = RESULTS / "full.json", RESULTS / "soak.json"
DOCUMENTS = (PROJECT / "README.md", PROJECT / "docs" / "costs.md")

Results = Mapping[str, Any]
SOAK_ROWS = 8
"""Rows that a table of a soak has beside those of its end."""


def main() -> int:
    """Write the tables of the last full run, and of the last soak, into the documents; 1 where there is no run."""
    if not FULL.exists():
        print("There is no full run yet: make bench", file=sys.stderr)
        return 1
    filling = tables()
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(), filling))
    return 0


def tables() -> dict[str, str]:
    """Each table of the last full run, and of the last soak, by its name."""
    results = json.loads(FULL.read_text())
    made = {name: table(results) for name, table in TABLES.items()}
    if SOAK.exists():
        made["soak"] = soak(json.loads(SOAK.read_text()))
    return made


def keep(name: str, results: Results) -> Path:
    """Write a run's results down; return the file."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return file


def filled(text: str, tables: Mapping[str, str]) -> str:
    """A document with each table between `<!-- figures: name -->` and `<!-- /figures -->`, where it has that."""
    for name, table in tables.items():
        begin, end = f"<!-- figures: {name} -->\n", "<!-- /figures -->"
        before, found, rest = text.partition(begin)
        if found:
            _, _, after = rest.partition(end)
            text = f"{before}{begin}{table}\n{end}{after}"
    return text


def missed(results: Results) -> list[str]:
    """The budgets that were measured and not met, in words."""
    figures = results["figures"]
    return [
        f"{budget.what}: {written(figures[budget.figure], budget.unit)} of {written(budget.limit, budget.unit)}"
        for budget in _judged(results)
        if budget.is_met(figures) is False
    ]


def budgets(results: Results) -> str:
    """Each budget with its figure."""
    figures = results["figures"]
    rows = [
        (
            budget.what,
            written(budget.limit, budget.unit),
            written(figures[budget.figure], budget.unit) if budget.figure in figures else "not measured",
            {True: "met", False: "**not met**", None: ""}[budget.is_met(figures)],
        )
        for budget in _judged(results)
    ]
    return _table(("what", "may be", "is", ""), rows)


def headlines(results: Results) -> str:
    """The four figures that a person feels, in words that need no other page."""
    figures, judged = results["figures"], {budget.figure: budget for budget in BUDGETS}
    rows = [
        (what, written(figures[name], judged[name].unit), written(judged[name].limit, judged[name].unit))
        for what, name in HEADLINES
        if name in figures
    ]
    return _table(("how long new text takes, at most, 95 times of 100", "measured", "budget"), rows)


HEADLINES = (
    ("from the model to the page of the person who asked", "driver_dom_p95"),
    ("from the model to everybody else's page", "follower_dom_p95"),
    (
        "from the model to 1,000 viewers of one reply, beyond the 1 s until text is stored",
        "viewers_lag_beyond_flush_age",
    ),
    ("from the model to the one who asked, with 100 replies at once", "replies_at_once_delay"),
)


def machine(results: Results) -> str:
    """What the run was made on, in a sentence."""
    on = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in on["packages"].items())
    return (
        f"Measured on {on['date'][:10]} at commit `{on['commit']}`: {on['cores']} cores of {on['processor']}, "
        f"{on['memory_gb']} GB, {on['system']}, Python {on['python']}, {on['chromium']}, {packages}. Model, clients "
        f"and browser ran on the same cores; the load before was {on['load_before']}."
    )


def costs(results: Results) -> str:
    """What else was measured."""
    figures = results["figures"]
    rows = [(what, written(figures[name], unit)) for what, name, unit in COSTS if name in figures]
    return _table(("what", "is"), rows)


COSTS = (
    ("from Enter to the first text in the DOM, less the model's own time, p50", "send_to_first_text_p50", "ms"),
    ("the same, at most", "send_to_first_text_max", "ms"),
    ("delta to the driver's DOM, one reply, p50", "driver_dom_p50", "ms"),
    ("delta to a follower's DOM, p50", "follower_dom_p50", "ms"),
    ("CPU for 1,000 deltas of one reply, at 100/s, with a driver and a follower", "cpu_per_1000_deltas", "s"),
    ("CPU for 1,000 updates of followers", "cpu_per_1000_follower_updates", "s"),
    ("memory for each idle tab", "memory_per_idle_tab", "B"),
    ("memory for each live reply", "memory_per_live_stream", "B"),
    ("statements for a reply of 40 sentences", "statements_per_reply", ""),
    ("chunks of it", "chunks_per_reply", ""),
    ("a message of 200 characters to an idle tab, p50", "message_to_idle_tab_p50", "B"),
    ("driver's delay beside 1,000 viewers, p95", "viewers_driver_delay", "ms"),
)


def growth(results: Results) -> str:
    """How each cost grows: the power of the size, fitted, and the values it was fitted to."""
    rows = [
        (
            f"{series} ({', '.join(f'{int(size):,}' for size in points)})",
            cost,
            ", ".join(written(values[cost], _unit_of(cost)) for values in points.values() if cost in values),
            "" if power is None else f"{power:.2f}",
        )
        for series, points in results["series"].items()
        for cost, power in results["exponents"][series].items()
    ]
    return _table(("what grows", "cost", "values", "exponent"), rows)


def beside(results: Results) -> str:
    """The chats side by side: each figure, and how many times ours it is."""
    chats = results["beside"]
    if not chats:
        return "Not measured."
    ours, *others = chats
    rows: list[tuple[str, ...]] = []
    for rate in (key for key in chats[ours] if key.isdigit()):
        for what, name, unit in BESIDE:
            mine = chats[ours][rate][name]
            cells = [written(mine, unit)]
            for other in others:
                theirs = chats[other][rate][name]
                cells.append(f"{written(theirs, unit)} ({theirs / mine:.3g}x)" if mine > 0 else written(theirs, unit))
            rows.append((f"{what}, {rate} deltas/s", *cells))
    rows.append(("left of a reply after a refresh in its middle", *(_left(chats[chat]) for chat in chats)))
    return _table(("", *chats), rows)


BESIDE = (
    ("bytes to the asker", "bytes", "B"),
    ("frames", "frames", ""),
    ("Enter to first text", "first_text", "ms"),
    ("added delay of a delta, p50", "delay_p50", "ms"),
    ("added delay of a delta, p95", "delay_p95", "ms"),
    ("CPU of the server", "cpu", "s"),
    ("memory of the server", "memory", "B"),
)


def _left(chat: Mapping[str, Any]) -> str:
    left = chat["left after a refresh"]
    if left["shown at last"] >= left["of"] - 1:
        return "all, and it goes on"
    if not left["shown at last"]:
        return "nothing" + ("" if left["model was read to its end"] else ", and the model is let go")
    return f"{left['shown at last']} of {left['of']} characters"


def overload(results: Results) -> str:
    """What happens beyond the limit, and after it."""
    figures = results["figures"]
    if "overload_replies" not in figures:
        return "Not measured."
    carried, many = (f"{figures[name]:,.0f}" for name in ("replies_at_once", "overload_replies"))
    rows = [
        ("replies at once, a driver and beyond the limit a follower each", carried, many, "1"),
        *(
            (what, *(written(figures[name], "ms") if name else "" for name in names))
            for what, *names in (
                ("driver's delay, p95", "replies_at_once_delay", "overload_delay_p95", "recovered_delay_p95"),
                (
                    "driver's frames apart, p50",
                    "replies_at_once_frames_p50",
                    "overload_frames_apart_p50",
                    "recovered_frames_apart_p50",
                ),
                ("follower's frames apart, p50", "", "overload_follower_frames_apart_p50", ""),
            )
        ),
        ("texts lost, connections lost", "0, 0", f"0, {figures['overload_lost_connections']:.0f}", "0, 0"),
    ]
    return _table(("", "within", "beyond", "right after"), rows)


def soak(results: Results) -> str:
    """Memory, tasks and handles over a soak: some moments of it, evenly apart, and its end."""
    *during, full, left, rested = results["samples"]
    shown = [*during[:: max(1, len(during) // SOAK_ROWS)], full, left, rested]
    rows = [
        (
            f"{sample['minute']:.1f}",
            written(sample["memory"], "B"),
            *(f"{sample[name]:.0f}" for name in ("handles", "tasks", "tabs", "watched", "replies")),
        )
        for sample in shown
    ]
    return _table(("minute", "memory", "handles", "tasks", "tabs", "texts watched", "replies under way"), rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "headlines": headlines,
    "budgets": budgets,
    "machine": machine,
    "costs": costs,
    "growth": growth,
    "beside": beside,
    "overload": overload,
}


def written(value: float, unit: str) -> str:
    """A figure as people read it."""
    match unit:
        case "ms":
            return f"{1000 * value:,.0f} ms"
        case "s":
            return f"{value:.2f} s"
        case "x":
            return f"{value:.3g} x"
        case "B":
            return f"{value / 1e6:,.1f} MB" if abs(value) >= 1e6 else f"{value / 1e3:,.1f} KB"
        case _:
            return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def _unit_of(cost: str) -> str:
    if "bytes" in cost or "memory" in cost:
        return "B"
    if "CPU" in cost:
        return "s"
    return "ms" if "delay" in cost or "apart" in cost else ""


def _judged(results: Results) -> list[Budget]:
    return [budget for budget in BUDGETS if not (budget.full_only and results["plan"] != "full")]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
