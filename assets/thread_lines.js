/** The lines of the sidebar: put together, narrowed by a query, grouped by day. */

/** Where the parts of a line are, as `state.Line` has them. */
export const [ID, TITLE, ACTIVE, UNREAD, LIVE] = [0, 1, 2, 3, 4];

const comparable = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The lines as they are now: those in `fresh` are newer; the latest active first. */
export function merged(threads, fresh) {
  const lines = new Map(threads.map((line) => [line[ID], line]));
  for (const line of fresh) lines.set(line[ID], line);
  return [...lines.values()].sort((one, other) => other[ACTIVE] - one[ACTIVE] || (one[ID] < other[ID] ? -1 : 1));
}

/** The lines whose titles have all words of the query, whatever their case and accents. */
export function matching(lines, query, untitled) {
  const words = comparable(query).split(/\s+/).filter(Boolean);
  return lines.filter((line) => {
    const title = comparable(line[TITLE] || untitled);
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
    groups.get(line[ACTIVE] >= midnight ? today : line[ACTIVE] >= dayBefore ? yesterday : earlier).push(line);
  }
  return [...groups].filter(([, group]) => group.length > 0);
}
