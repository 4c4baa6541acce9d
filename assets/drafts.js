/**
 * Drafts: what was written and is not stored on the server yet, kept in the browser by person and thread.
 *
 * A draft is what stands in the composer, an unsent message one that was sent and not confirmed. The storage may be
 * forbidden, full or shared with other tabs; then what is kept is kept for as long as the page is.
 */

import { MAX_TEXT } from "$/public/shared.js";

const PREFIX = "tributary";
const KEPT = 30; // of either kind, for all threads together; the oldest go first
const LONGEST = 4 * MAX_TEXT; // UTF-16 units: nothing that can be sent is longer

export function createDrafts(getStorage = () => localStorage, now = () => Date.now()) {
  function attempt(deed) {
    try {
      return deed(getStorage());
    } catch {
      return undefined; // forbidden or full
    }
  }

  function entries(storage, start) {
    const found = [];
    for (let index = 0; index < storage.length; index += 1) {
      const key = storage.key(index);
      if (!key.startsWith(start)) continue;
      try {
        found.push([key, JSON.parse(storage.getItem(key))]);
      } catch {
        found.push([key, null]); // not ours
      }
    }
    return found.sort(([, one], [, other]) => (one?.at ?? 0) - (other?.at ?? 0));
  }

  function put(kind, rest, value) {
    attempt((storage) => {
      const key = `${PREFIX}:${kind}:${rest}`;
      if (storage.getItem(key) === null) {
        const others = entries(storage, `${PREFIX}:${kind}:`);
        for (const [oldest] of others.slice(0, Math.max(0, others.length - KEPT + 1))) storage.removeItem(oldest);
      }
      storage.setItem(key, JSON.stringify({ ...value, at: now() }));
    });
  }

  const remove = (kind, rest) => attempt((storage) => storage.removeItem(`${PREFIX}:${kind}:${rest}`));

  return {
    /** The text that this person began to write in the thread, "" if none. */
    read(me, thread) {
      const text = attempt((storage) => JSON.parse(storage.getItem(`${PREFIX}:draft:${me}:${thread}`))?.text);
      return typeof text === "string" ? text : "";
    },
    /** Keeps it; a blank or endless one is not worth it. */
    write(me, thread, text) {
      if (text.trim() === "" || text.length > LONGEST) remove("draft", `${me}:${thread}`);
      else put("draft", `${me}:${thread}`, { text });
    },
    /** The messages `{ nonce, text, message }` of this thread that were sent and not confirmed, in order. */
    unsent(me, thread) {
      const start = `${PREFIX}:unsent:${me}:${thread}:`;
      const found = attempt((storage) => entries(storage, start)) ?? [];
      return found.flatMap(([key, value]) =>
        typeof value?.text === "string"
          ? [{ nonce: key.slice(start.length), text: value.text, message: Number(value.message) || 0 }]
          : [],
      );
    },
    /** Keeps a message until `confirm`; `message` is the one whose text it is to be, 0 for a new one. */
    send: (me, thread, { nonce, text, message }) => put("unsent", `${me}:${thread}:${nonce}`, { text, message }),
    confirm: (me, thread, nonce) => remove("unsent", `${me}:${thread}:${nonce}`),
    /** Forgets all that anybody wrote here: who was signed out leaves nothing behind. */
    clear() {
      attempt((storage) => {
        for (const kind of ["draft", "unsent"])
          for (const [key] of entries(storage, `${PREFIX}:${kind}:`)) storage.removeItem(key);
      });
    },
  };
}
