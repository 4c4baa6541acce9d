/**
 * How somebody who does not see the transcript learns what is new in it: by screen reader, title and notification.
 *
 * A screen reader is told when a message comes, when a reply begins and when it has ended, and never its deltas. The
 * tab's title counts what came while nobody looked. A person who wants it gets a notification of the system when a
 * reply that they asked for has ended meanwhile.
 */

import { createElement as h, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createRowEvents } from "$/public/row_events.js";
import { useEntries } from "$/public/transcript_feed.js";

const WANTED = "tributary:notices";
const SAID_MS = 5_000;
const MOST_SAID = 3; // sentences at a time, the newest

const looksElsewhere = () => document.visibilityState === "hidden" || !document.hasFocus();

const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

// Notifications ------------------------------------------------------------------------------------------------------

const listeners = new Set();

function areWanted() {
  try {
    return Notification.permission === "granted" && localStorage.getItem(WANTED) === "yes";
  } catch {
    return false; // the browser has none, or keeps nothing
  }
}

async function toggle() {
  const isWanted = !areWanted();
  try {
    if (isWanted && (await Notification.requestPermission()) !== "granted") return;
    localStorage.setItem(WANTED, isWanted ? "yes" : "no");
  } catch {
    return;
  }
  for (const listener of listeners) listener();
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The button that asks for notifications, where the browser has them and they are not forbidden. */
export function NotificationButton({ words, icons, className }) {
  const isWanted = useSyncExternalStore(subscribe, areWanted, () => false);
  const isPossible = useSyncExternalStore(
    subscribe,
    () => typeof Notification !== "undefined" && isSecureContext && Notification.permission !== "denied",
    () => false,
  );
  if (!isPossible) return null;
  return h(
    "button",
    { type: "button", className: `notification-button ${className}`, "aria-pressed": isWanted, "aria-label": words.notifications, title: words.notifications, onClick: toggle },
    h(
      "svg",
      { viewBox: "0 0 24 24", className: "composer-icon composer-icon-large", "aria-hidden": true },
      icons[isWanted ? "bell" : "bellOff"].map((d) => h("path", { key: d, d })),
    ),
  );
}

function notify(title, body, thread) {
  if (!areWanted()) return;
  try {
    const notification = new Notification(title, { body, tag: thread, icon: "/favicon.svg" });
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  } catch {
    // On some phones only a service worker may show one.
  }
}

// Title --------------------------------------------------------------------------------------------------------------

/** The tab's title: a mark of what is new, the thread's title, the name of the app. */
function useTitle(title, brand, mark) {
  useEffect(() => {
    document.title = `${mark}${title ? `${title} · ` : ""}${brand}`;
  }, [title, brand, mark]);
  useEffect(
    () => () => {
      document.title = brand;
    },
    [brand],
  );
}

/** Watches the rows of a thread; shows nothing to the eye. */
export function BrowserNotifications({ thread, title, isLoaded, me, people, words }) {
  const entries = useEntries();
  const [said, setSaid] = useState("");
  const [missed, setMissed] = useState({ count: 0, isDone: false });
  const events = useRef({ thread: "", look: () => [] });
  const tell = useCallback(
    ({ kind, author, status, isMine }) => {
      const name = people[author]?.name ?? words.someone;
      if (kind === "message") return filled(words.message, { name });
      if (kind === "begun") return words.begun;
      const sentence = words.ended[status] ?? words.ended.done;
      if (isMine && looksElsewhere()) notify(sentence, title, thread);
      return sentence;
    },
    [people, words, title, thread],
  );
  useEffect(() => {
    if (!isLoaded || !me) return;
    if (events.current.thread !== thread) events.current = { thread, look: createRowEvents().look };
    const found = events.current.look(
      entries.map(({ row }) => row),
      me,
    );
    if (found.length === 0) return;
    setSaid(found.map(tell).slice(-MOST_SAID).join(" "));
    if (!looksElsewhere()) return;
    const count = found.filter(({ kind }) => kind === "message").length;
    const isDone = found.some(({ kind, isMine }) => kind === "ended" && isMine);
    setMissed((was) => ({ count: was.count + count, isDone: was.isDone || isDone }));
  }, [thread, isLoaded, entries, me, tell]);
  useEffect(() => {
    const timer = setTimeout(() => setSaid(""), SAID_MS); // so that the same sentence is heard again
    return () => clearTimeout(timer);
  }, [said]);
  useEffect(() => {
    const seen = () => looksElsewhere() || setMissed({ count: 0, isDone: false });
    seen();
    addEventListener("focus", seen);
    document.addEventListener("visibilitychange", seen);
    return () => {
      removeEventListener("focus", seen);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [thread]);
  useTitle(title, words.brand, `${missed.isDone ? "✓ " : ""}${missed.count > 0 ? `(${missed.count}) ` : ""}`);
  return h("p", { id: "browser-notifications", role: "status", className: "sr-only" }, said);
}
