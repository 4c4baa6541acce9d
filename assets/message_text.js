/** The text of a message: what stands there until its first character comes, and then the text as it grows. */

import { createElement, Fragment, memo, useEffect, useLayoutEffect, useState } from "react";
import { flushSync } from "react-dom";
import { writeToClipboard } from "$/public/dialogs.js";
import { Markdown, PlainOnError, PlainText } from "$/public/markdown.js";
import { ReplayBar, shownLength, useReplay } from "$/public/replay.js";
import { createGuard } from "$/public/text_guard.js";
import { firstOf } from "$/public/timeline.js";
import { textOf, useText } from "$/public/transcript_feed.js";

const TELL_AFTER_S = 2; // a wait that is worth a number
const CLOCKS_APART_S = 600; // by more than that, one of the two clocks is wrong
const COPIED_MS = 2_000;

// Seconds since the message of the time `since` was sent, or since it is on this page if the clocks do not agree.
function useElapsed(since) {
  const [start] = useState(() => {
    const now = Date.now() / 1000;
    return now >= since && now - since < CLOCKS_APART_S ? since : now;
  });
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.floor(now - start);
}

// The words stay the same while the seconds go by, so nothing reads out each of them.
function Waiting({ label, since, isTimed }) {
  const elapsed = useElapsed(since);
  return createElement(
    "span",
    { className: "message-waiting" },
    createElement("span", { className: "message-dots", "aria-hidden": true }, ...[0, 1, 2].map((key) => createElement("i", { key }))),
    createElement("span", { className: isTimed && elapsed < TELL_AFTER_S ? "sr-only" : undefined }, label),
    isTimed && elapsed >= TELL_AFTER_S && createElement("span", { className: "tabular-nums", "aria-hidden": true }, `${elapsed} s`),
  );
}

// A hundred messages at once would hold up the page for seconds. So finished ones take turns, the newest first and as
// many as the reader is about to see before the first paint; until its turn a message shows its text as it is.
const SLICE_MS = 50;
const BETWEEN_MS = 16;
const waiting = [];
let isTakingTurns = false;

function takeTurns() {
  const start = performance.now();
  while (waiting.length > 0 && performance.now() - start < SLICE_MS) flushSync(waiting.pop());
  isTakingTurns = waiting.length > 0;
  if (isTakingTurns) setTimeout(takeTurns, BETWEEN_MS);
}

function useTurn(isFirst) {
  const [hasTurn, setHasTurn] = useState(isFirst);
  useLayoutEffect(() => {
    if (hasTurn) return undefined;
    const take = () => setHasTurn(true);
    waiting.push(take);
    if (!isTakingTurns) {
      isTakingTurns = true;
      queueMicrotask(takeTurns);
    }
    return () => {
      const place = waiting.indexOf(take);
      if (place >= 0) waiting.splice(place, 1);
    };
  }, [hasTurn]);
  return hasTurn;
}

function RenderedText({ text, isLive, words }) {
  const [guard] = useState(createGuard);
  const hasTurn = useTurn(isLive);
  return hasTurn && !guard.isTooMuch(text)
    ? createElement(PlainOnError, { text }, createElement(Markdown, { text, isLive, words }))
    : createElement(PlainText, { text });
}

/**
 * The text of the message `name`, as Markdown, with `words` around code and images.
 *
 * `live` says that it may still grow; until its first character comes, `reason` says why, or `thinking` and for how long.
 * People's line ends are kept as they typed them, the AI's are Markdown's.
 */
export const MessageText = memo(function MessageText({ name, live, byAi, reason, since, thinking, replayEnd, replaySpeed, words }) {
  const text = useText(name);
  const replay = useReplay(name);
  const waits = live && (text === "" || reason !== "");
  const by = { "data-by": byAi ? "ai" : "person", dir: "auto" };
  return createElement(
    Fragment,
    null,
    replay && createElement(Replay, { key: "replay", name, text, replay, by, replayEnd, replaySpeed, words }),
    text !== "" &&
      createElement(
        "div",
        // What is replayed keeps its place, so that nothing below moves and the end of it changes nothing.
        { key: "text", className: "message-text", "data-live": live || undefined, "data-replayed": replay ? "" : undefined, ...by },
        createElement(RenderedText, { key: name, text, isLive: live, words }),
      ),
    waits && createElement(Waiting, { key: name, label: reason || thinking, since, isTimed: reason === "" }),
  );
});

function Replay({ name, text, replay, by, replayEnd, replaySpeed, words }) {
  const shown = firstOf(text, shownLength(replay));
  return createElement(
    Fragment,
    null,
    createElement(ReplayBar, { name, replay, endLabel: replayEnd, speedLabel: replaySpeed }),
    createElement(
      "div",
      { className: "message-replay", "aria-hidden": true },
      createElement("div", { className: "message-text", "data-live": true, ...by }, createElement(RenderedText, { text: shown, isLive: true, words })),
    ),
  );
}

/** A button that copies the text called `name` as it was written; its second mark shows for a moment that it has. */
export function CopyText({ name, label, copiedLabel, className, children: [mark, doneMark] }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async ({ currentTarget }) => {
    await writeToClipboard(textOf(name), currentTarget);
    setCopied(true);
  };
  return createElement(
    "button",
    { type: "button", onClick: copy, className, "aria-label": label, title: label },
    isCopied ? doneMark : mark,
    createElement("span", { className: "sr-only", role: "status" }, isCopied ? copiedLabel : ""),
  );
}
