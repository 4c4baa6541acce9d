/**
 * The rows of a transcript, in order, kept by frames `[kind, rows, gone, hasEarlier]`.
 *
 * A row is metadata, with its fields at the places of `ROW`, and ids of messages grow with their order in the thread.
 * So a frame may come twice, and one that is late changes nothing that is newer. Kinds: "page" is the newest rows of a
 * thread, "earlier" a page before the oldest that is here, "news" what was added, changed or deleted since.
 *
 * What is read are entries `{ row, leads, dated, above }`: whether the row names its author, or goes on under the name
 * above it, whether it is the first of its day, and the message above it, or 0. An entry that has not changed is the
 * same object, so whoever renders rows need not look at it again.
 */

import { ROW } from "$/public/shared.js";

const TOGETHER_S = 300; // between two messages of one person that stand under one name
const KEEP = 300; // rows, while the reader is at the end; what falls off the top can be paged in again
const TRIM = 100; // rows that fall off at a time

const localDay = (at) => new Date(at * 1000).toDateString();

const isSame = (one, other) => Object.keys(one).every((key) => one[key] === other[key]);

export function createRowStore({ dayOf = localDay } = {}) {
  const listeners = new Set();
  const days = new WeakMap(); // row -> its day, for a hundred dates take a while
  let entries = [];
  let hasEarlier = false;
  let isAtEnd = true;

  function day(row) {
    if (!days.has(row)) days.set(row, dayOf(row[ROW.at]));
    return days.get(row);
  }

  function goesOn(row, before) {
    return row[ROW.author] > 0 && row[ROW.author] === before[ROW.author] && row[ROW.at] - before[ROW.at] <= TOGETHER_S;
  }

  function entryOf(row, before, was) {
    const dated = !before || day(before) !== day(row);
    const entry = { row, leads: dated || !goesOn(row, before), dated, above: before?.[ROW.message] ?? 0 };
    return was && isSame(was, entry) ? was : entry;
  }

  // What is known is replaced in its place; all else goes where its id says. A row that is the same stays the same object.
  function merged(rows, added, gone) {
    const known = new Map(entries.map(({ row }) => [row[ROW.message], row]));
    const left = new Map(rows.map((row) => [row[ROW.message], row]));
    let last = rows.at(-1)?.[ROW.message] ?? 0;
    let isInOrder = true;
    for (const row of added) {
      const before = known.get(row[ROW.message]);
      if (!left.has(row[ROW.message])) {
        isInOrder &&= row[ROW.message] > last;
        last = Math.max(last, row[ROW.message]);
      }
      left.set(row[ROW.message], before && isSame(before, row) ? before : row);
    }
    for (const message of gone) left.delete(message);
    const all = [...left.values()];
    return isInOrder ? all : all.sort((one, other) => one[ROW.message] - other[ROW.message]);
  }

  function show(rows) {
    const was = new Map(entries.map((entry) => [entry.row[ROW.message], entry]));
    entries = rows.map((row, index) => entryOf(row, rows[index - 1], was.get(row[ROW.message])));
    for (const listener of listeners) listener();
  }

  function apply([kind, added, gone, isMore]) {
    let rows = entries.map(({ row }) => row);
    const first = rows[0]?.[ROW.message] ?? 0;
    if (kind === "page") {
      hasEarlier = isMore;
      return merged([], added, []);
    }
    if (kind === "earlier") {
      hasEarlier = isMore;
      return merged(rows, added, gone);
    }
    // A change of what was not paged in comes with its page.
    rows = merged(rows, hasEarlier ? added.filter((row) => row[ROW.message] >= first) : added, gone);
    if (isAtEnd && rows.length > KEEP + TRIM) {
      hasEarlier = true;
      rows = rows.slice(-KEEP);
    }
    return rows;
  }

  return {
    accept(frames) {
      for (const frame of frames) show(apply(frame));
    },
    read: () => entries,
    hasEarlier: () => hasEarlier,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Says whether the reader is at the end, where the oldest rows are out of sight. */
    setAtEnd(value) {
      isAtEnd = value;
    },
  };
}
