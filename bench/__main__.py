"""`python -m bench`: measure everything, write it down, and say which budgets are met."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import machine, report
from bench.beside.comparison import measure_beside
from bench.findings import Findings
from bench.latency import measure_latency
from bench.load import measure_followers, measure_overload, measure_replies_at_once
from bench.plan import FULL, QUICK, Plan
from bench.site import Site, running_site
from bench.wire import measure_messages, measure_replies, measure_threads

logger = logging.getLogger("bench")

Case = Callable[[Site, Plan, Findings], Awaitable[None]]
CASES: dict[str, Case] = {
    "replies": measure_replies,
    "messages": measure_messages,
    "latency": measure_latency,
    "followers": measure_followers,
    "at-once": measure_replies_at_once,
    "overload": measure_overload,
    "threads": measure_threads,
    "beside": measure_beside,
}
"""In the order in which they are measured, each on a server of its own."""


async def run(plan: Plan, names: list[str]) -> Findings:
    """Measure these cases; one that fails says so among the findings, and the others go on."""
    findings = Findings()
    for name in names:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            try:
                async with running_site(Path(directory)) as site:
                    await CASES[name](site, plan, findings)
            except Exception as error:
                logger.exception("%s could not be measured", name)
                findings.failures[name] = f"{type(error).__name__}: {error}"[:500]
        logger.info("%s took %.0f s", name, time.monotonic() - started)
    return findings


def main() -> int:
    """Measure what is asked for; 1 where a case failed or a budget is not met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a little of everything, in about a minute")
    parser.add_argument("--only", choices=CASES, action="append", help="these cases alone; written nowhere")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for chatty in ("httpx", "httpcore", "asyncio", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    plan = QUICK if arguments.quick else FULL
    description = machine.description()
    started = time.monotonic()
    findings = asyncio.run(run(plan, arguments.only or list(CASES)))
    results = {"plan": plan.name, "machine": description, "took_s": round(time.monotonic() - started)}
    results |= findings.as_json()
    if not arguments.only:
        logger.info("written to %s", report.keep(plan.name, results))
    print(report.budgets(results))
    missed = report.missed(results)
    for budget in missed:
        logger.warning("not met: %s", budget)
    return 1 if missed or findings.failures else 0


if __name__ == "__main__":
    sys.exit(main())
