/**
 * The guard between a text and the Markdown renderer: what would hold up or break the page is shown as it is.
 *
 * Every renderer has inputs on which it takes seconds or overflows the stack, and anybody may write them. So each block
 * has a cost, about the elements and marks that it makes the renderer look at. The limits lie far above what people and
 * models write, and low enough that a block below them is rendered at once on a slow phone (`make security` measures).
 */

export const LIMITS = {
  block: 1_000, // cost of one block
  all: 20_000, // cost of a whole text
  length: 12_000, // UTF-16 units of a block
  lines: 10_000, // UTF-16 units after which a block ends with its line
  word: 2_000, // characters without a space: automatic links are looked for in each
  depth: 20, // quotes and lists opened on one line
  indent: 60, // columns: bounds how deep lists nest
  code: 100_000, // UTF-16 units of a block of code
  info: 500, // and of what stands behind its fence
};

const TOO_MUCH = Infinity;
const CONTAINERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/;
const CONTAINER = />|[-+*]|\d+[.)]/g;
const MARKS = /[*_~`[\]<!$&\\]/g;
const ADDRESSES = /:\/\/|www\.|@/gi;
const LINKS = /\]\(/g;
const LINK_COST = 4;
const ADDRESS_COST = 6; // it is looked for twice, and becomes a link
const FENCE = /^[ \t]*(?:`{3}|~{3})/;
const FENCE_COST = 15; // it makes a block with a button
const TEX = /[\\^_&{}]/g; // what is typeset has limits of its own (math_text.js)
const TABLE_RULE = /^[ \t>]*\|?[ \t]*:?-[ \t:|-]*$/;
const ATTENTION = /[*_]+|~~/g;
const ATTENTION_SQUARED = 50; // of runs of such marks, that cost one: each looks back for the one that opened it
const WORDS_SQUARED = 2_500; // of words in a label, that cost one
const STACK = /\p{M}{3}/u;
const STACKS = /\p{M}{3,}/gu;
const STACKED_SQUARED = 1_000; // of marks in stacks, that cost one
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;
const TURN = /[\u202a-\u202e\u2066-\u2069]/;
const DIRECTED = /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeffA-Za-z0-9\u00c0-\u058f]/g;
const SARA_AM = /[\u0e33\u0eb3]/g; // a vowel of Thai and Lao that is set as two
const SARA_AM_SQUARED = 20_000;
const TURNS_SQUARED = 2_000;
const CODE_COST = 128; // UTF-16 units of code that cost one: it is one node until it is highlighted
const CODE_LINES = 6; // that cost one
const MESSAGE_LINES = 3; // of a person's message, that cost one: each may be an item of a list
const BLOCK_COST = { text: 20, code: 40 }; // of a block by itself, however little is in it

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

function indentOf(line) {
  const space = line.length - line.trimStart().length;
  return space + 3 * count(line.slice(0, space), /\t/g);
}

const hasLongWord = (line) => line.length > LIMITS.word && line.split(/\s/).some((word) => word.length > LIMITS.word);

function costOfLine(line) {
  const containers = CONTAINERS.exec(line)?.[0] ?? "";
  const depth = count(containers, CONTAINER);
  const indent = Math.max(indentOf(line), indentOf(line.slice(containers.length)));
  if (depth > LIMITS.depth || indent > LIMITS.indent || hasLongWord(line)) return TOO_MUCH;
  const fence = FENCE.test(line.slice(containers.length)) ? FENCE_COST : 0;
  return 1 + depth + fence + (indent >> 2) + count(line, MARKS) + LINK_COST * count(line, LINKS) + ADDRESS_COST * count(line, ADDRESSES);
}

// What the browser's own layout of a text costs: marks in stacks, turns of direction and one vowel take it time that
// grows with the square of their number (Chromium 156).
function layoutCost(text) {
  let stacked = 0;
  if (STACK.test(text)) for (const [stack] of text.matchAll(STACKS)) stacked += stack.length;
  let turns = 0;
  if (RIGHT_TO_LEFT.test(text)) {
    let wasRight = false;
    for (const [character] of text.matchAll(DIRECTED)) {
      const isRight = RIGHT_TO_LEFT.test(character);
      if (isRight !== wasRight || TURN.test(character)) turns += 1;
      wasRight = isRight;
    }
  }
  const vowels = count(text, SARA_AM);
  return vowels ** 2 / SARA_AM_SQUARED + stacked + stacked ** 2 / STACKED_SQUARED + turns / 2 + turns ** 2 / TURNS_SQUARED;
}

// Each row has as many cells as the longest, however few are written.
function costOfTable(lines) {
  const rule = lines.findIndex((line) => line.includes("-") && TABLE_RULE.test(line));
  if (rule < 0) return 0;
  const rows = lines.slice(rule);
  return rows.length * (1 + rows.reduce((most, row) => Math.max(most, count(row, /\|/g)), 0));
}

// For each word the parser looks back to the bracket that is open, for an address in a label is none.
function costOfLabels(text) {
  let [cost, open, words] = [0, 0, 0];
  for (const [token] of text.matchAll(/[[\]]|\s\S/g)) {
    if (token === "[") open += 1;
    else if (token !== "]") words += open > 0 ? 1 : 0;
    else if (open > 0) open -= 1;
    if (open > 0) continue;
    cost += words ** 2 / WORDS_SQUARED;
    words = 0;
  }
  return cost + words ** 2 / WORDS_SQUARED;
}

/** What a person's message costs, which is one block. */
export const costOfMessage = (text) => layoutCost(text) + count(text, /\n/g) / MESSAGE_LINES;

/** What a block costs, of text for Markdown or of code; infinite if it is too much by itself. */
export const costOf = {
  text(text) {
    if (text.length > LIMITS.length) return TOO_MUCH;
    let cost = BLOCK_COST.text;
    if (text.includes("$") || text.includes("\\")) cost += count(text, TEX);
    const lines = text.split("\n");
    for (const line of lines) cost += costOfLine(line);
    cost += count(text, ATTENTION) ** 2 / ATTENTION_SQUARED;
    return cost + costOfTable(lines) + costOfLabels(text) + layoutCost(text);
  },
  code(text, info) {
    if (text.length > LIMITS.code || info.length > LIMITS.info) return TOO_MUCH;
    return BLOCK_COST.code + Math.ceil(text.length / CODE_COST) + count(text, /\n/g) / CODE_LINES + layoutCost(text);
  },
};
