/**
 * The guard between a text and the Markdown renderer: what would hold up or break the page is shown as it is.
 *
 * Every renderer has inputs on which it takes seconds or overflows the stack, and anybody may write them. So each block
 * has a cost, about the elements and marks that it makes the renderer look at. The limits lie far above what people and
 * models write, and low enough that a block below them is rendered at once on a slow phone (`make security` measures).
 */

export const LIMITS = {
  block: 2_000, // cost of one block
  all: 20_000, // cost of a whole text
  length: 20_000, // UTF-16 units of a block
  word: 2_000, // characters without a space: automatic links are looked for in each
  depth: 20, // quotes and lists opened on one line
  indent: 60, // columns: bounds how deep lists nest
  code: 100_000, // UTF-16 units of a block of code
};

const TOO_MUCH = Infinity;
const CONTAINERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/;
const CONTAINER = />|[-+*]|\d+[.)]/g;
const MARKS = /[*_~`[\]<!$&@\\|]|:\/\//g;
const TEX = /[\\^_&{}]/g;
const TEX_COST = 4; // a command, a script or a cell makes a score of elements; MARKS counts some of them too
const CODE_COST = 64; // UTF-16 units of code that cost one: it is one node until it is highlighted

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
  return 1 + depth + (indent >> 2) + count(line, MARKS);
}

/** What a block costs, of text for Markdown or of code; infinite if it is too much by itself. */
export const costOf = {
  text(text) {
    if (text.length > LIMITS.length) return TOO_MUCH;
    let cost = text.includes("$") || text.includes("\\") ? TEX_COST * count(text, TEX) : 0;
    for (const line of text.split("\n")) cost += costOfLine(line);
    return cost;
  },
  code: (text) => (text.length > LIMITS.code ? TOO_MUCH : Math.ceil(text.length / CODE_COST)),
};
