/** The text of a message: what stands there until its first character comes, and then the text as it grows. */

import { createElement, Fragment, memo, useEffect, useState } from "react";
import { htmlOf, useCopied } from "$/public/clipboard.js";
import { PersonText, ReplyText } from "$/public/rendered_text.js";
import { ReplayBar, shownLength, useReplay } from "$/public/replay.js";
import { firstOf } from "$/public/timeline.js";
import { textOf, useText } from "$/public/transcript_feed.js";

const TELL_AFTER_S = 2; // a wait that is worth a number
const CLOCKS_APART_S = 600; // by more than that, one of the two clocks is wrong

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

/**
 * The text of the message `name`, with `words` around code and images.
 *
 * `live` says that it may still grow; until its first character comes, `reason` says why, or `thinking` and for how long.
 */
export const MessageText = memo(function MessageText({ name, live, byAi, reason, since, thinking, replayEnd, replaySpeed, words }) {
  const text = useText(name);
  const replay = useReplay(name);
  const waits = live && (text === "" || reason !== "");
  return createElement(
    Fragment,
    null,
    replay && createElement(Replay, { key: "replay", name, text, replay, replayEnd, replaySpeed, words }),
    text !== "" &&
      (byAi
        ? createElement(ReplyText, { key: name, text, isLive: live, isReplayed: Boolean(replay), words })
        : createElement(PersonText, { key: name, text, words })),
    waits && createElement(Waiting, { key: "waiting", label: reason || thinking, since, isTimed: reason === "" }),
  );
});

function Replay({ name, text, replay, replayEnd, replaySpeed, words }) {
  const shown = firstOf(text, shownLength(replay));
  return createElement(
    Fragment,
    null,
    createElement(ReplayBar, { name, replay, endLabel: replayEnd, speedLabel: replaySpeed }),
    createElement("div", { className: "message-replay", "aria-hidden": true }, createElement(ReplyText, { text: shown, isLive: true, words })),
  );
}

/** A button that copies the text called `name`, as written and as it is shown; its second mark shows for a moment that it has. */
export function CopyText({ name, label, copiedLabel, className, children: [mark, doneMark] }) {
  const [isCopied, toClipboard] = useCopied();
  const copy = ({ currentTarget }) => {
    const shown = currentTarget.closest("article").querySelector(".message-text:not(.message-replay *)");
    return toClipboard(textOf(name), currentTarget, shown ? htmlOf(shown) : "");
  };
  return createElement(
    "button",
    { type: "button", onClick: copy, className, "aria-label": label, title: label },
    isCopied ? doneMark : mark,
    createElement("span", { className: "sr-only", role: "status" }, isCopied ? copiedLabel : ""),
  );
}
