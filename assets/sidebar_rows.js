/** The rows of the sidebar: put together, narrowed by a query, grouped by day. */

import { SIDEBAR_ROW } from "$/public/shared.js";

const comparable = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The rows as they are now: those in `fresh` are newer; the latest active first. */
export function merged(threads, fresh) {
  const rows = new Map(threads.map((row) => [row[SIDEBAR_ROW.thread], row]));
  for (const row of fresh) rows.set(row[SIDEBAR_ROW.thread], row);
  return [...rows.values()].sort(
    (one, other) =>
      other[SIDEBAR_ROW.active] - one[SIDEBAR_ROW.active] ||
      (one[SIDEBAR_ROW.thread] < other[SIDEBAR_ROW.thread] ? -1 : 1),
  );
}

/** The rows whose titles have all words of the query, whatever their case and accents. */
export function matching(rows, query, untitled) {
  const words = comparable(query).split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const title = comparable(row[SIDEBAR_ROW.title] || untitled);
    return words.every((word) => title.includes(word));
  });
}

/** The rows in groups `[name, rows]` by the day of the reader's calendar; `now` is in milliseconds. */
export function grouped(rows, now, { today, yesterday, earlier }) {
  const midnight = new Date(now).setHours(0, 0, 0, 0) / 1000;
  const before = new Date(midnight * 1000);
  const dayBefore = before.setDate(before.getDate() - 1) / 1000;
  const groups = new Map([today, yesterday, earlier].map((name) => [name, []]));
  for (const row of rows) {
    const active = row[SIDEBAR_ROW.active];
    groups.get(active >= midnight ? today : active >= dayBefore ? yesterday : earlier).push(row);
  }
  return [...groups].filter(([, group]) => group.length > 0);
}
