/**
 * What the server tells a transcript, and where the page finds it: texts by name, and rows in order.
 *
 * Neither passes through React's props. `TranscriptFeed` takes every frame from the live state at the moment it arrives
 * and whoever shows a text or the rows reads just that, so that a frame costs the rendering of one message.
 */

import { useCallback, useContext, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { StateStoreContext } from "$/utils/context-registry";
import { takeTimeline } from "$/public/replay.js";
import { createRowStore } from "$/public/row_store.js";
import { ROW } from "$/public/shared.js";
import { createTextStore } from "$/public/text_store.js";

export const texts = createTextStore();
export const rows = createRowStore();

/**
 * Brings the frames of the live state, in its fields `textField`, `rowField` and `timelineField`, to the page; placed
 * once on it.
 *
 * React may render two updates as one, and then the frames of the first were never seen: hence the state's own store,
 * which calls at once for each update (reflex 0.10.1). To ask for: a hook that is called for each update of a state.
 */
export function TranscriptFeed({ state, textField, rowField, timelineField, onGap }) {
  const states = useContext(StateStoreContext);
  const latestOnGap = useRef(onGap);
  useEffect(() => {
    latestOnGap.current = onGap;
  });
  useLayoutEffect(() => {
    let lastRows = null;
    const take = () => {
      const told = states.getSnapshot(state) ?? {};
      texts.accept(told[textField] ?? []);
      // Those of the last update stay in the state; a page that came twice would take back what was paged in.
      if (told[rowField] && told[rowField] !== lastRows) rows.accept(told[rowField]);
      lastRows = told[rowField];
      if (told[timelineField]) takeTimeline(told[timelineField]);
    };
    take();
    return states.subscribe(state, take);
  }, [states, state, textField, rowField, timelineField]);
  useEffect(() => texts.onGap((name, have) => latestOnGap.current?.(name, have)), []);
  return null;
}

/** What there is of the text `name`. */
export const textOf = (name) => texts.read(name);

/** The newest row that this person wrote, if one is here. */
export const lastRowOf = (person) => rows.read().findLast(({ row }) => row[ROW.author] === person)?.row;

/** What there is of the text called `name`, as it grows. */
export function useText(name) {
  const subscribe = useCallback((listener) => texts.subscribe(name, listener), [name]);
  const read = useCallback(() => texts.read(name), [name]);
  return useSyncExternalStore(subscribe, read, read);
}

/** The transcript's entries (row_store.js), oldest first. */
export const useEntries = () => useSyncExternalStore(rows.subscribe, rows.read, rows.read);

/** Whether there are messages before the oldest that is here. */
export const useHasEarlier = () => useSyncExternalStore(rows.subscribe, rows.hasEarlier, rows.hasEarlier);
