/** The place that the reader is at: it stays at the end, or where it is, whatever grows or comes in above and below. */

import { createElement, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { usePrinting } from "$/public/print.js";
import { ROW } from "$/public/shared.js";
import { rows, useEntries, useHasEarlier } from "$/public/transcript_feed.js";

const NEAR_PX = 40;
const AHEAD_PX = 900; // earlier messages are asked for when they are as near as this
const AUTOMATIC = 1_000; // rows up to which that happens by itself
const ASK_AGAIN_MS = 5_000;

const distanceToEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

// The first of these elements, which stand below one another, that is not wholly above `top`.
function firstBelow(elements, top) {
  let [low, high] = [0, elements.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (elements[middle].getBoundingClientRect().bottom > top) high = middle;
    else low = middle + 1;
  }
  return elements[low];
}

// What the reader looks at first, a message and, in a long one, the paragraph: how far below the box's top they stand.
function placeIn(box) {
  const { top } = box.getBoundingClientRect();
  const row = firstBelow(box.querySelectorAll("[data-message]"), top);
  const block = row && firstBelow(row.querySelectorAll(".message-text > *"), top);
  const marks = [block, row].filter(Boolean);
  return { marks: marks.map((mark) => [mark, mark.getBoundingClientRect().top - top]), scrollTop: box.scrollTop };
}

// Takes back what moved the place, other than the reader's scrolling since.
function keepPlace(place, box) {
  const scrolled = box.scrollTop - place.scrollTop;
  for (const mark of place.marks) mark[1] -= scrolled;
  const [mark, offset] = place.marks.find(([each]) => each.isConnected) ?? [];
  const moved = mark ? mark.getBoundingClientRect().top - box.getBoundingClientRect().top - offset : 0;
  if (Math.abs(moved) >= 1) box.scrollTop += moved;
  place.scrollTop = box.scrollTop;
}

const heightOf = (box, message) => box.querySelector(`[data-message="${message}"]`)?.offsetHeight ?? 0;

/**
 * Asks for earlier messages when the reader comes near the oldest, or presses it.
 *
 * Each page is asked for once, and again only where no answer comes.
 */
function EarlierMessages({ box, first, isAutomatic, isPrinting, label, busyLabel, onEarlier }) {
  const button = useRef(null);
  const [askedFor, setAskedFor] = useState(null);
  const isAsking = askedFor === first;

  const ask = useCallback(() => {
    setAskedFor((was) => {
      if (was !== first) queueMicrotask(() => onEarlier(first));
      return first;
    });
  }, [first, onEarlier]);

  useEffect(() => {
    if (!isAsking) return undefined;
    const timer = setTimeout(() => setAskedFor(null), ASK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [isAsking]);

  useEffect(() => {
    if (!isAutomatic || isAsking) return undefined;
    const watch = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && ask(), {
      root: box.current,
      rootMargin: `${AHEAD_PX}px 0px 0px 0px`,
    });
    watch.observe(button.current);
    return () => watch.disconnect();
  }, [box, ask, isAutomatic, isAsking]);

  useEffect(() => {
    if (isPrinting && !isAsking) ask();
  }, [isPrinting, isAsking, ask]);

  // With the last page the button goes; the focus is not to go with it.
  useLayoutEffect(() => {
    const [last, around] = [button.current, box.current];
    return () => last === document.activeElement && around?.focus({ preventScroll: true });
  }, [box]);

  return createElement(
    "div",
    { className: "earlier-messages" },
    createElement("button", { ref: button, type: "button", onClick: ask, "aria-busy": isAsking }, isAsking ? busyLabel : label),
  );
}

/**
 * A box that stays at its end while its content grows, as long as the reader is there.
 *
 * Scrolling up leaves the end, scrolling down to it or sending a message ("message-sent" on the document) comes back.
 * Away from the end, what the reader looks at stays where it is, and a button leads back. `newLabel` with the number of
 * messages for its "{count}" is on it when some came since, `oneLabel` for a single one, `growingLabel` while the last
 * one grows; else `endLabel` names it. `onEarlier(message)` asks for the page before the oldest message that is here.
 */
export function ScrollFollow({
  label,
  newLabel,
  oneLabel,
  growingLabel,
  endLabel,
  earlierLabel,
  busyLabel,
  onEarlier,
  children,
}) {
  const box = useRef(null);
  const content = useRef(null);
  const isFollowing = useRef(true);
  const lastTop = useRef(0);
  const place = useRef({ marks: [], scrollTop: 0 });
  const left = useRef({ message: 0, height: 0 }); // the last message when the reader left the end, and its height
  const [below, setBelow] = useState(""); // "", "end", "grown"
  const entries = useEntries();
  const hasEarlier = useHasEarlier();
  const isPrinting = usePrinting(hasEarlier);
  const first = entries[0]?.row[ROW.message];

  const setFollowing = useCallback((value) => {
    isFollowing.current = value;
    rows.setAtEnd(value);
  }, []);

  const toEnd = useCallback(() => {
    setFollowing(true);
    box.current.scrollTop = box.current.scrollHeight;
    setBelow("");
  }, [setFollowing]);

  useLayoutEffect(() => {
    toEnd();
    const watch = new ResizeObserver(() => {
      if (isFollowing.current) {
        box.current.scrollTop = box.current.scrollHeight;
      } else {
        keepPlace(place.current, box.current);
        const { message, height } = left.current;
        if (heightOf(box.current, message) > height) setBelow("grown");
      }
      lastTop.current = box.current.scrollTop;
    });
    watch.observe(box.current);
    watch.observe(content.current);
    // What grows is followed before it is laid out: afterwards a browser takes it for a shift, though nothing is seen to move.
    const growth = new MutationObserver(() => {
      if (isFollowing.current) lastTop.current = box.current.scrollTop = box.current.scrollHeight;
    });
    growth.observe(content.current, { childList: true, characterData: true, subtree: true });
    document.addEventListener("message-sent", toEnd);
    return () => {
      watch.disconnect();
      growth.disconnect();
      document.removeEventListener("message-sent", toEnd);
    };
  }, [toEnd]);

  const onScroll = useCallback(() => {
    // Something may have come in above within the same frame.
    if (!isFollowing.current) keepPlace(place.current, box.current);
    const { scrollTop } = box.current;
    const distance = distanceToEnd(box.current);
    if (scrollTop < lastTop.current && distance > 1) {
      if (isFollowing.current) {
        const message = rows.read().at(-1)?.row[ROW.message] ?? 0;
        left.current = { message, height: heightOf(box.current, message) };
      }
      setFollowing(false);
    } else if (distance <= NEAR_PX && scrollTop >= lastTop.current) {
      setFollowing(true);
    }
    if (!isFollowing.current && (scrollTop !== lastTop.current || place.current.marks.length === 0)) {
      place.current = placeIn(box.current);
    }
    lastTop.current = scrollTop;
    setBelow((was) => (isFollowing.current || distance <= NEAR_PX ? "" : was || "end"));
  }, [setFollowing]);

  const count = below ? entries.filter(({ row }) => row[ROW.message] > left.current.message).length : 0;
  const isNew = count > 0 || below === "grown";
  const newBelow = count === 1 ? oneLabel : count > 0 ? newLabel.replace("{count}", count) : growingLabel;

  return createElement(
    "div",
    { className: "scroll-follow" },
    createElement(
      "div",
      { ref: box, onScroll, className: "scroll-follow-box", tabIndex: 0, role: "log", "aria-live": "off", "aria-label": label },
      createElement(
        "div",
        { ref: content },
        hasEarlier &&
          first !== undefined &&
          createElement(EarlierMessages, {
            box,
            first,
            isAutomatic: entries.length < AUTOMATIC,
            isPrinting,
            label: earlierLabel,
            busyLabel,
            onEarlier,
          }),
        children,
      ),
    ),
    below &&
      createElement(
        "button",
        { type: "button", className: "scroll-follow-end", onClick: toEnd, "aria-label": isNew ? undefined : endLabel, "data-new": isNew || undefined },
        isNew ? newBelow : null,
        createElement("span", { "aria-hidden": true }, "↓"),
      ),
  );
}
