/** The lines of the sidebar: put together, narrowed by a query, grouped by day. */

import { SIDEBAR_ROW } from "$/public/shared.js";

const comparable = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The lines as they are now: those in `fresh` are newer; the latest active first. */
export function merged(threads, fresh) {
  const lines = new Map(threads.map((line) => [line[SIDEBAR_ROW.thread], line]));
  for (const line of fresh) lines.set(line[SIDEBAR_ROW.thread], line);
  return [...lines.values()].sort((one, other) => other[SIDEBAR_ROW.active] - one[SIDEBAR_ROW.active] || (one[SIDEBAR_ROW.thread] < other[SIDEBAR_ROW.thread] ? -1 : 1));
}

/** The lines whose titles have all words of the query, whatever their case and accents. */
export function matching(lines, query, untitled) {
  const words = comparable(query).split(/\s+/).filter(Boolean);
  return lines.filter((line) => {
    const title = comparable(line[SIDEBAR_ROW.title] || untitled);
    return words.every((word) => title.includes(word));
  });
}

/** The lines in groups `[name, lines]` by the day of the reader's calendar; `now` is in milliseconds. */
export function grouped(lines, now, { today, yesterday, earlier }) {
  const midnight = new Date(now).setHours(0, 0, 0, 0) / 1000;
  const before = new Date(midnight * 1000);
  const dayBefore = before.setDate(before.getDate() - 1) / 1000;
  const groups = new Map([today, yesterday, earlier].map((name) => [name, []]));
  for (const line of lines) {
    groups.get(line[SIDEBAR_ROW.active] >= midnight ? today : line[SIDEBAR_ROW.active] >= dayBefore ? yesterday : earlier).push(line);
  }
  return [...groups].filter(([, group]) => group.length > 0);
}
