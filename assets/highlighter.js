/**
 * Highlighting of code in one worker, which is ended when it takes too long.
 *
 * A text that anybody wrote may keep a grammar busy for minutes. So each block of code has half a second of the worker,
 * all its pieces together: after that the worker is ended, another takes its place, and the block stays plain. Each
 * piece of a growing block is looked at once, unless its worker was ended because of another block.
 */

import { grammarOf, loadGrammar } from "$/public/code_languages.js";

const BLOCK_MS = 500;
const LEARN_MS = 10_000; // for the worker to load and to learn a grammar, which nobody writes in a message

const BROWSER = {
  start: () => new Worker(new URL("./highlight_worker.js", import.meta.url), { type: "module" }),
  load: loadGrammar,
  now: () => performance.now(),
  later: (call, ms) => setTimeout(call, ms),
  cancel: (timer) => clearTimeout(timer),
};

export function createHighlighter({ start, load, now, later, cancel } = BROWSER) {
  let worker = null;
  let learned = new Set(); // the grammars that this worker has
  let task = null; // what the worker is at: `{ ms, message, answer(data, ms), fail() }`
  const waiting = []; // blocks, each with one piece at a time
  const grammars = new Map(); // name -> the grammar, once it is here
  let count = 0;

  function end() {
    worker?.terminate();
    worker = null;
    learned = new Set();
  }

  function settle(tell) {
    const done = task;
    task = null;
    cancel(done.timer);
    tell(done);
    run();
  }

  // Too late, or it broke: nothing but its end would stop it.
  function fail() {
    end();
    if (task) settle((done) => done.fail());
  }

  function startWorker() {
    worker = start();
    worker.onmessage = ({ data }) => settle((done) => done.answer(data, now() - done.begun));
    worker.onerror = (event) => {
      event.preventDefault();
      fail();
    };
  }

  const learning = (language) => ({
    ms: LEARN_MS,
    message: { language, grammars: grammars.get(language) },
    answer: () => learned.add(language),
    fail: () => grammars.set(language, null),
  });

  function run() {
    if (task) return;
    while (waiting[0]?.isOver()) waiting.shift();
    const [block] = waiting;
    if (!block) return;
    if (!grammars.get(block.language)) {
      waiting.shift().giveUp();
      run();
      return;
    }
    if (!worker) startWorker();
    task = learned.has(block.language) ? waiting.shift().piece(worker) : learning(block.language);
    task.begun = now();
    task.timer = later(fail, task.ms);
    worker.postMessage(task.message);
  }

  async function want(block) {
    if (!grammars.has(block.language)) {
      try {
        const grammar = await load(block.language);
        if (!grammars.has(block.language)) grammars.set(block.language, grammar);
      } catch {
        // The network. The block gives up, and the next one tries again.
      }
    }
    waiting.push(block);
    run();
  }

  /**
   * Opens a block of code in a language. `onPiece(place, runs)` is told what is in each piece (highlight_worker.js says
   * how), `onPlain()` that no more will come. Returns null if the language is not known.
   */
  function open(name, onPiece, onPlain) {
    const language = grammarOf(name);
    if (!language) return null;
    const id = (count += 1);
    let pieces = [];
    let told = 0;
    let seenBy = null; // the worker that has seen all pieces before `told`
    let spent = 0;
    let isOver = false;
    let isWaiting = false;

    const giveUp = () => {
      if (!isOver) onPlain();
      isOver = true;
    };

    function piece(current) {
      if (seenBy !== current) [seenBy, told] = [current, 0];
      return {
        ms: Math.max(0, BLOCK_MS - spent),
        message: { id, language, code: pieces[told], isFirst: told === 0 },
        answer(runs, ms) {
          spent += ms;
          isWaiting = false;
          if (!isOver) onPiece(told, runs);
          told += 1;
          if (spent >= BLOCK_MS) giveUp();
          else ask();
        },
        fail: giveUp,
      };
    }

    const block = { language, piece, giveUp, isOver: () => isOver };

    function ask() {
      if (isWaiting || isOver || told >= pieces.length) return;
      isWaiting = true;
      void want(block);
    }

    return {
      /** Takes the pieces of the block that are whole: the same as before, and more. */
      take(whole) {
        pieces = whole;
        ask();
      },
      close() {
        isOver = true;
        if (seenBy && seenBy === worker) worker.postMessage({ forget: id });
      },
    };
  }

  return { open };
}

export const highlighter = createHighlighter();
