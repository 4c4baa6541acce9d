/**
 * The texts that a page shows, by name, each grown by frames `[name, offset, text]`.
 *
 * An offset counts code points, as the server does, so a text's `.length` is never its position. A text only ever
 * grows: what a frame repeats is cut off, and a frame that leaves a gap is not applied but asked for again.
 */

const KEEP = 500; // texts; those that nobody shows go first, oldest first
const ASK_AGAIN_MS = 1_000;
const MIN_PAUSE_MS = 16; // one frame of the screen
const MAX_PAUSE_MS = 500;
const TYPING_MS = 400; // after a key somebody types, and comes first
const WHILE_TYPING = 4; // times the pause

const SURROGATE = /[\uD800-\uDFFF]/;

const codePoints = (text) => (SURROGATE.test(text) ? Array.from(text).length : text.length);

const afterCodePoints = (text, skipped) =>
  SURROGATE.test(text) ? Array.from(text).slice(skipped).join("") : text.slice(skipped);

let lastKey = -Infinity;
if (typeof document !== "undefined") {
  document.addEventListener("keydown", ({ timeStamp }) => (lastKey = timeStamp), { capture: true, passive: true });
}

/** The clock, the timers and the keys are arguments, so that a test can be them. */
const BROWSER = {
  now: () => performance.now(),
  later: (call, ms) => setTimeout(call, ms),
  afterRendering: (call) => queueMicrotask(call),
  isTyping: () => performance.now() - lastKey < TYPING_MS,
};

export function createTextStore({ now, later, afterRendering, isTyping = () => false } = BROWSER) {
  const texts = new Map(); // name -> { text, have, wanted, isAsking }
  const readers = new Map(); // name -> Set of listeners
  const changed = new Set();
  let ask = null;
  let pause = MIN_PAUSE_MS;
  let toldAt = -Infinity;
  let isTelling = false;

  function forgetOldest() {
    for (const name of texts.keys()) {
      if (texts.size <= KEEP) return;
      if (!readers.has(name)) texts.delete(name);
    }
  }

  function textOf(name) {
    let entry = texts.get(name);
    if (!entry) {
      entry = { text: "", have: 0, wanted: 0, isAsking: false };
      texts.set(name, entry);
      forgetOldest();
    }
    return entry;
  }

  // A gap in a text that nobody shows is of no interest until somebody does; `subscribe` comes back to it.
  function askForGap(name, entry, wait = 0) {
    if (entry.isAsking || entry.have >= entry.wanted) return;
    entry.isAsking = true;
    later(() => {
      entry.isAsking = false;
      if (!ask || entry.have >= entry.wanted || !readers.has(name)) return;
      ask(name, entry.have);
      askForGap(name, entry, ASK_AGAIN_MS);
    }, wait);
  }

  function apply([name, offset, text]) {
    const entry = textOf(name);
    const end = offset + codePoints(text);
    if (offset > entry.have) {
      entry.wanted = Math.max(entry.wanted, end);
      askForGap(name, entry);
    } else if (end > entry.have) {
      entry.text += afterCodePoints(text, entry.have - offset);
      entry.have = end;
      changed.add(name);
    }
  }

  // Rendering may take half of the browser's time at most: as long as the last one took, nothing is told again. While
  // somebody types it may take a fifth.
  function tell() {
    isTelling = false;
    const names = [...changed];
    changed.clear();
    const start = now();
    for (const name of names) readers.get(name)?.forEach((listener) => listener());
    afterRendering(() => {
      toldAt = now();
      pause = Math.min(Math.max(toldAt - start, MIN_PAUSE_MS), MAX_PAUSE_MS);
    });
    toldAt = now();
  }

  function tellInTime() {
    if (isTelling || changed.size === 0) return;
    isTelling = true;
    const wait = toldAt + pause * (isTyping() ? WHILE_TYPING : 1) - now();
    if (wait <= 0) tell();
    else later(tell, wait);
  }

  return {
    /** Takes in the frames of one update; each known or overlapping one may come any number of times. */
    accept(frames) {
      frames.forEach(apply);
      tellInTime();
    },
    read: (name) => texts.get(name)?.text ?? "",
    /** Calls `listener` after `read(name)` has changed; returns what ends it. */
    subscribe(name, listener) {
      if (!readers.has(name)) readers.set(name, new Set());
      readers.get(name).add(listener);
      if (texts.has(name)) askForGap(name, texts.get(name));
      return () => {
        const listeners = readers.get(name);
        listeners?.delete(listener);
        if (listeners?.size === 0) readers.delete(name);
      };
    },
    /** Names who is told `(name, have)` when the text after `have` is missing; asked again while it is. */
    onGap(call) {
      ask = call;
      return () => {
        if (ask === call) ask = null;
      };
    },
  };
}
