"""No text that anybody writes holds up the page: how long its thread is at one thing, for every shape (shapes.py)."""

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import pytest
from playwright.async_api import Browser, CDPSession, Page

from tests.browser.shapes import GROWING_FAST, LINES_OF_CODE, SHAPES, Shape, units
from tests.support.javascript import run_javascript
from tests.support.text_page import text_page

pytestmark = [pytest.mark.server, pytest.mark.browser]

SLOWER = 4
"""Times that the page's thread is slowed down, to be that of a phone."""
LIMIT_MS = 200
NEAR_MS = 150
"""What would take less on a slow device by how long it takes on this machine, is not measured on one."""
PERSON, REPLY, BLOCK = 16_000, 100_000, 20_000
"""UTF-16 units of the longest message and reply, and of the longest block that may be rendered."""
PIECE = 7
"""UTF-16 units by which a reply grows."""
PARTS = 16
TWICE, UNSURE_MS = 3.3, 0.5
"""Times that twice a text may take, and what is too short to be measured well."""
WORKER_MS = 2_000
"""In that time code is highlighted or stays plain."""

# Tells when a worker has answered and whether one is at work.
WATCH = """
() => {
  Object.assign(window, { answers: 0, asked: 0 });
  window.Worker = class extends Worker {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => { asked -= 1; if (data) answers += 1; });
    }
    postMessage(message) {
      if (!message.forget) asked += 1;
      super.postMessage(message);
    }
    terminate() {
      asked = 0;
      super.terminate();
    }
  };
  window.frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  // The longest that the page is at one thing from now on. Its own record knows of what takes 50 ms or more; what waits
  // for its turn all the time feels anything, and tasks that follow one another as one.
  window.longest = () => {
    const begun = performance.now();
    const { port1, port2 } = new MessageChannel();
    let [task, pause, last] = [0, 0, begun];
    const take = (tasks) => {
      for (const { startTime, duration } of tasks) if (startTime >= begun) task = Math.max(task, duration);
    };
    const observer = new PerformanceObserver((list) => take(list.getEntries()));
    observer.observe({ type: "longtask" });
    const feel = () => {
      const now = performance.now();
      pause = Math.max(pause, now - last);
      last = now;
    };
    port1.onmessage = () => {
      feel();
      port2.postMessage(null);
    };
    port2.postMessage(null);
    return async () => {
      await frame();
      feel();
      port1.close();
      take(observer.takeRecords());
      observer.disconnect();
      return { task, pause };
    };
  };
}
"""
# Shows a text in each of its states, of which the last has ended. What was there before is gone: to remove a long text
# takes time too, but a thread that is left takes the page with it.
SHOW = """
async ([kind, states]) => {
  await showEnded("reply", "");
  await frame();
  const tell = longest();
  for (const [place, text] of states.entries()) {
    await new Promise((done) => setTimeout(done));
    if (place < states.length - 1) show(kind, text, true, place > 0);
    else await showEnded(kind, text, place > 0);
    await frame();
  }
  if (document.querySelector(".code-block")) for (let idle = 0; idle < 5; idle = asked ? 0 : idle + 1) await frame();
  return tell();
}
"""
SHOW_CODE = """
async ([language, code, patience]) => {
  const pieces = Math.ceil(code.split("\\n").length / 16);
  await frame();
  const tell = longest();
  answers = 0;
  const start = performance.now();
  await showEnded("reply", `~~~~${language}\\n${code}\\n~~~~`);
  const isSettled = () => answers >= pieces || document.querySelector(".code-note");
  while (!isSettled() && performance.now() - start < patience) await new Promise((done) => setTimeout(done, 5));
  const isDone = Boolean(isSettled());
  await frame();
  return [(await tell()).task, isDone];
}
"""
# What it takes to show one text and twice as much, at best: all else that the machine does only adds to it. So it is
# tried again for as long as it seems to be too much, for a while.
COMPARE = """
async ([kind, texts, twice, unsure]) => {
  const best = texts.map(() => Infinity);
  const isEnough = () => best[1] <= twice * best[0] + unsure;
  for (let run = 0; run < 15 && (run < 3 || !isEnough()); run += 1) {
    for (const [place, text] of texts.entries()) {
      await showEnded("reply", "");
      const start = performance.now();
      show(kind, text, kind === "reply");
      await null; // what has ended takes the first turn now
      document.body.getBoundingClientRect();
      best[place] = Math.min(best[place], performance.now() - start);
      if (document.querySelector(".message-note")) throw new Error(`${text.length} are too much`);
    }
  }
  return best;
}
"""


@dataclass(frozen=True)
class Case:
    """A text in its states: as it grows, and as it has ended."""

    name: str
    kind: str
    states: tuple[str, ...] = field(repr=False)


@dataclass
class Watched:
    """A page that tells how long it is at one thing."""

    page: Page
    session: CDPSession

    async def slow_down(self, times: float) -> None:
        await self.session.send("Emulation.setCPUThrottlingRate", {"rate": times})

    async def longest_task(self, case: Case) -> float:
        """Milliseconds of the longest task that shows this on a slow device."""
        for _ in range(3):
            pause = (await self.page.evaluate(SHOW, [case.kind, case.states]))["pause"]
            if pause * SLOWER < NEAR_MS:
                return pause * SLOWER
        await self.slow_down(SLOWER)
        times: list[float] = []
        while not times or (times[0] > LIMIT_MS and len(times) < 3):
            times.append((await self.page.evaluate(SHOW, [case.kind, case.states]))["task"])
        await self.slow_down(1)
        return median(times)


@asynccontextmanager
async def watched(chromium: Browser) -> AsyncGenerator[Watched]:
    """The page."""
    async with text_page(chromium, is_for_reading=False) as page:
        await page.evaluate(WATCH)
        yield Watched(page, await page.context.new_cdp_session(page))


def sizes_that_fit(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """For each shape about the greatest size of which the guard lets all blocks be rendered."""
    fits, too_much = dict.fromkeys(shapes, 1), dict.fromkeys(shapes, 2 * BLOCK - 1)
    while any(too_much[name] - fits[name] > max(8, fits[name] // 50) for name in shapes):
        tried = {name: (fits[name] + too_much[name]) // 2 for name in shapes}
        texts = {name: shape(tried[name]) for name, shape in shapes.items()}
        are_rendered = run_javascript(
            "text_blocks.js",
            f"return Object.fromEntries(Object.entries({json.dumps(texts)}).map(([name, text]) =>"
            ' [name, page.createBlocks()(text).every(({ kind }) => kind !== "plain")]))',
        )
        for name, is_rendered in are_rendered.items():
            (fits if is_rendered else too_much)[name] = tried[name]
    return fits


def grown(text: str) -> tuple[str, ...]:
    """The last states of a text that grows."""
    return text[:-PIECE], text, text


def cases(shapes: Mapping[str, Shape]) -> Iterator[Case]:
    """Each shape as the longest message, as the longest reply, and so long that it is just rendered: once and often."""
    for name, size in sizes_that_fit(shapes).items():
        shape = shapes[name]
        rendered = f"{shape(size)}\n\n# a\n\n"
        many = rendered * (REPLY // units(rendered))
        yield Case(f"{name}: a message", "person", (shape(PERSON),))
        yield Case(f"{name}: a reply that grows", "reply", grown(shape(REPLY)))
        yield Case(f"{name}: {size} that grow", "reply", grown(shape(size)))
        if many != rendered:
            yield Case(f"{name}: {size} again and again", "reply", (many[:-PIECE], many))


def expect_none_slow(took: Mapping[str, float]) -> None:
    """Print the slowest ten, and fail with all that were too slow."""
    told = [f"{took[name]:5.0f} ms: {name}" for name in sorted(took, key=lambda name: -took[name])]
    print("\n".join(told[:10]))
    slow = told[: sum(milliseconds > LIMIT_MS for milliseconds in took.values())]
    if slow:
        pytest.fail("\n".join(["These hold up the page:", *slow]))


def part_of(names: Iterable[str], part: int) -> list[str]:
    return list(names)[part::PARTS]


@pytest.mark.security
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
async def test_no_text_holds_up_the_page(chromium: Browser, part: int) -> None:
    shapes = {name: SHAPES[name] for name in part_of(SHAPES, part)}
    async with watched(chromium) as watch:
        took = {case.name: await watch.longest_task(case) for case in cases(shapes)}
    expect_none_slow(took)


@pytest.mark.security
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
async def test_no_code_holds_up_the_page_or_its_highlighter(chromium: Browser, part: int) -> None:
    took: dict[str, float] = {}
    late: list[str] = []
    async with watched(chromium) as watch:
        await watch.slow_down(SLOWER)
        for language in part_of(await watch.page.evaluate("LANGUAGES"), part):
            for name, code in {"to load it": "a", **LINES_OF_CODE}.items():
                task, is_settled = await watch.page.evaluate(SHOW_CODE, [language, code, WORKER_MS])
                took[f"{language}, {name}"] = task
                if not is_settled and name != "to load it":
                    late.append(f"{language}, {name}")
    assert late == []
    expect_none_slow(took)


async def test_twice_the_text_takes_about_twice_the_time(chromium: Browser) -> None:
    """Of what was slowest; what takes the square of its size takes four times as long."""
    sizes = sizes_that_fit({name: SHAPES[name] for name in GROWING_FAST})
    slow: list[str] = []
    async with text_page(chromium, is_for_reading=False) as page:
        for name, size in sizes.items():
            texts = [SHAPES[name](size // 2), SHAPES[name](size)]
            once, twice = await page.evaluate(COMPARE, ["reply", texts, TWICE, UNSURE_MS])
            told = f"{name}: {once:.1f} ms for {size // 2}, {twice:.1f} ms for {size}"
            print(told)
            if twice > TWICE * once + UNSURE_MS:
                slow.append(told)
    assert slow == []
