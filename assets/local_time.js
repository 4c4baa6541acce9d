/** Times and days in the reader's language and zone. */

import { createElement, memo, useSyncExternalStore } from "react";

// The day that it is; at midnight "today" becomes "yesterday" on every page that is open.
const listeners = new Set();
let midnight = null;

const today = () => new Date().toDateString();

function waitForMidnight() {
  const now = new Date();
  const next = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 0, 0, 1);
  midnight = setTimeout(() => {
    for (const listener of listeners) listener();
    waitForMidnight();
  }, next - now);
}

function onNewDay(listener) {
  listeners.add(listener);
  if (midnight === null) waitForMidnight();
  return () => listeners.delete(listener);
}

const useToday = () => useSyncExternalStore(onNewDay, today, today);

/** A time in the reader's language and zone; `at` is seconds since the epoch. Only where it is `alone` it tells the day. */
export const LocalTime = memo(function LocalTime({ at, alone, className }) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const isToday = useToday() === date.toDateString();
  const day = date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  return createElement(
    "time",
    { dateTime: date.toISOString(), title: date.toLocaleString(), className, suppressHydrationWarning: true },
    isToday || !alone ? time : `${day}, ${time}`,
  );
});

/** The day of `at` as people say it; `todayLabel` and `yesterdayLabel` are the words for the two that have one. */
export const LocalDay = memo(function LocalDay({ at, todayLabel, yesterdayLabel, className }) {
  const date = new Date(at * 1000);
  const now = new Date(useToday());
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1).toDateString();
  const isThisYear = date.getFullYear() === now.getFullYear();
  const form = { weekday: "long", day: "numeric", month: "long", year: isThisYear ? undefined : "numeric" };
  const day = date.toDateString();
  const label =
    day === now.toDateString() ? todayLabel : day === yesterday ? yesterdayLabel : date.toLocaleDateString(undefined, form);
  return createElement("time", { dateTime: date.toLocaleDateString("sv"), className }, label);
});
