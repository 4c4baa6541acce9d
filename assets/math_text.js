/**
 * Mathematics in a block of text: where it is, and whether it is too much to be typeset.
 *
 * Models write formulas in `\(…\)`, `\[…\]`, `$…$` and `$$…$$`, and people and models write prices, shell variables and
 * citations with the same marks. So only what looks like mathematics is, and all else stays as it was written.
 *
 * The typesetter makes a dozen elements of a character and nests them as deep as the formula, so that a short text could
 * freeze a page or overflow its stack. Past the limits a formula is shown as it was written.
 */

import { codeSpans } from "$/public/code_spans.js";

export const LIMITS = {
  all: 3_000, // UTF-16 units, in all formulas of a block together
  one: 1_200,
  depth: 12, // of braces, environments and delimiters that grow
  commands: 24, // on end: each may take the next as its argument
  count: 80, // formulas of a block
  parts: 300, // commands, scripts and cells: each makes a score of elements
  sizes: 50, // lengths that a text chooses
  tall: 100, // em, of anything in a formula once it is set
};

const CLOSERS = { "\\(": "\\)", "\\[": "\\]", $$: "$$", $: "$" };
const NEXT = /`+|\\[^]?|\$\$?/g;
const COMMAND = /\\(?:[a-zA-Z]+|\\)/;
const WORDS = /\\(?:text\w*|mathrm|mathbf|operatorname|mbox|label|tag|begin|end)\s*\{[^{}]*\}|\\[a-zA-Z]+/g; // not prose
const PROSE = /\p{L}{2,}[ \t]+\p{L}{2,}/u;
const SIGNS = /[\^_=<>+*/|!{}±×÷·≤≥≠≈∈∑∏∫√∞→-]/;
const NAME = /\p{L}{3,}|[=:/,(]\s*$/u; // of a variable of a shell, or its assignment: a formula would have a command
const SYMBOL = /^\d*\p{L}['′]?(?:\([^()]*\)|\d)?$/u; // x, 2x, x', f(x), x2
const LONG_WORD = /\p{L}{3,}/u;
const IN_PATTERN = /[^\P{L}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{N}_/'"\\]/u; // before `\(`: it is escaped there
const BEFORE = /^[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)?$/; // what may stand before a formula that has a line for itself
const INDENTED = /^(?: {4}|\t| {1,3}\t)/;
const ITEM = /[-+*]|\d{1,9}[.)]/g;

/** Whether a text may contain mathematics. */
export const hasMath = (text) => /\$|\\[([]/.test(text);

// Parentheses close what is open; `[0, 1)` may.
function isBalanced(formula) {
  let open = 0;
  for (const [mark] of formula.matchAll(/[()[\]]/g)) {
    open += mark === "(" || mark === "[" ? 1 : -1;
    if (open < 0) return false;
  }
  return open === 0;
}

/** Whether what stands between two delimiters is mathematics, and not a price, a variable of a shell or a citation. */
function isMath(formula, opener) {
  const inner = formula.trim();
  if (!inner || inner.length > LIMITS.one || /\n[ \t>]*\n/.test(formula) || !isBalanced(inner)) return false;
  if (COMMAND.test(inner)) return !PROSE.test(inner.replace(WORDS, " ")) || opener !== "$";
  if (PROSE.test(inner) || (opener === "$" && NAME.test(inner))) return false;
  if (opener === "\\(" && !LONG_WORD.test(inner)) return true;
  return SYMBOL.test(inner) || (SIGNS.test(inner) && /[\p{L}\d]/u.test(inner));
}

// A dollar is a delimiter only beside what it encloses, and not in a word, a number or a path.
const fitsDollar = (text, start, end, isGrowing) =>
  !(isGrowing && end + 1 === text.length) && // nobody knows yet what it will be beside
  !/[\s]/.test(text[start + 1] ?? " ") &&
  !/[\s\\]/.test(text[end - 1]) &&
  !/[\p{L}\d$/)\]}\\+?]/u.test(text[start - 1] ?? "") &&
  !/[\p{L}\d$/]/u.test(text[end + 1] ?? "");

const OPEN_FENCE = /^[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*`{3,}/gm;

// The places between which a text is no code by its lines: not indented at its beginning, not in a fence that is open.
function outsideCode(text, spans) {
  let from = 0;
  while (from < text.length && INDENTED.test(text.slice(from, from + 4))) {
    const newline = text.indexOf("\n", from);
    from = newline < 0 ? text.length : newline + 1;
  }
  const inSpan = (place) => [...spans].some(([start, end]) => start < place && place < end);
  for (const fence of text.matchAll(OPEN_FENCE)) {
    const run = fence.index + fence[0].indexOf("`");
    if (!spans.has(run) && !inSpan(run)) return [from, run];
  }
  return [from, text.length];
}

// The formulas of a text, `{ start, end, opener, formula }` in order: `start` and `end` with their delimiters. Code and
// escaped delimiters are passed over.
function formulasOf(text, isGrowing) {
  const found = [];
  const spans = codeSpans(text);
  const closers = new Map(); // the place of the next one, which serves all openers before it
  const closerAfter = (closer, from) => {
    let place = closers.get(closer) ?? -1;
    if (place !== Infinity && place < from) {
      place = text.indexOf(closer, from);
      // `\\]` is a new line and a bracket.
      while (closer[0] === "\\" && place > from && text[place - 1] === "\\") place = text.indexOf(closer, place + 1);
      if (place < 0) place = Infinity;
      closers.set(closer, place);
    }
    return place;
  };
  const [from, to] = outsideCode(text, spans);
  NEXT.lastIndex = from;
  for (let mark = NEXT.exec(text); mark && mark.index < to; mark = NEXT.exec(text)) {
    const [opener] = mark;
    if (opener[0] === "`") {
      NEXT.lastIndex = spans.get(mark.index) ?? NEXT.lastIndex;
      continue;
    }
    const closer = CLOSERS[opener];
    if (!closer) continue;
    const start = mark.index;
    if (opener[0] === "\\" && IN_PATTERN.test(text[start - 1] ?? "")) continue;
    const inside = start + opener.length;
    const end = closerAfter(closer, inside);
    if (end === Infinity || end - inside > LIMITS.one) continue;
    const formula = text.slice(inside, end);
    if (!isMath(formula, opener) || (opener === "$" && (formula.includes("\n") || !fitsDollar(text, start, end, isGrowing)))) continue;
    NEXT.lastIndex = end + closer.length;
    found.push({ start, end: NEXT.lastIndex, opener, formula });
  }
  return found;
}

// A display formula has its own lines, each with what its list or quote asks for at the beginning of a line.
function displayed(text, { start, end, formula }) {
  const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  const after = /^[^\n]*/.exec(text.slice(end, end + 80))[0];
  if (!BEFORE.test(line) || !/^[ \t]*$/.test(after)) return null;
  const before = line.replace(ITEM, (mark) => " ".repeat(mark.length));
  const first = formula.replace(/^[ \t]+/, "");
  const opened = first.startsWith("\n") ? first : `\n${before}${first}`;
  const closed = /\n[ \t>]*$/.test(opened) ? opened : `${opened.trimEnd()}\n${before}`;
  return `$$${closed}$$`;
}

/**
 * The text with each of its formulas in `$$`, which the parser takes for mathematics, and all other `$$` escaped; null if
 * it has none, or more than the page should typeset.
 */
export function withDollars(text, isGrowing = false) {
  const formulas = formulasOf(text, isGrowing);
  if (formulas.length === 0 || areTooMuch(formulas.map(({ formula }) => formula))) return null;
  const parts = [];
  let at = 0;
  for (const found of formulas) {
    const isDisplay = found.opener === "$$" || found.opener === "\\[";
    const set = (isDisplay && displayed(text, found)) || `$$${found.formula.trim().replaceAll(/\s*\n[ \t>]*/g, " ")}$$`;
    parts.push(withoutDollars(text.slice(at, found.start)), set);
    at = found.end;
  }
  return [...parts, withoutDollars(text.slice(at))].join("");
}

// In code an escape would be shown. Formulas are never in code, so neither part of it is cut in two.
function withoutDollars(text) {
  if (!text.includes("$$")) return text;
  const spans = codeSpans(text);
  let out = "";
  let at = 0;
  for (const { 0: mark, index } of text.matchAll(/`+|\\[^]?|\$\$+/g)) {
    if (index < at) continue;
    const isCode = mark[0] === "`" && spans.get(index) !== undefined;
    const end = isCode ? spans.get(index) : index + mark.length;
    out += text.slice(at, index) + (mark[0] === "$" ? mark.replaceAll("$", "\\$") : text.slice(index, end));
    at = end;
  }
  return out + text.slice(at);
}

const OPENS = /\{|\\begin\b|\\left\b/;
const NESTING = /\\[{}]|[{}]|\\(?:begin|end|left|right)\b/g;
// What defines macros, and what writes to the reader's console.
const REFUSED = /\\(?:[gex]?def|let|futurelet|(?:re)?newcommand|providecommand|global|long|(?:err)?message|show)(?![a-zA-Z])/;
const PARTS = /[&^_]|\\[^]/g;
const ARROWS = /@/g; // of a diagram, each as much as three parts
const SIZES = /\d\s*(?:em|ex|mu|pt|mm|cm|in|bp|pc|dd|cc|nd|nc|sp|px)(?![a-z])/g;
// Widths are not among them: the typesetter gives each root one of 400 em, of which the rest is cut off.
const HEIGHTS = /(?:height|top|bottom|vertical-align)[:=]\s*["']?(-?\d*\.?\d+)em/g;

function depthOf(formula) {
  let [depth, deepest] = [0, 0];
  for (const [token] of formula.matchAll(NESTING)) {
    if (token === "\\{" || token === "\\}") continue;
    depth += OPENS.test(token) ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

// Commands and scripts with nothing between them but space.
function commandsOnEnd(formula) {
  let [most, run, at] = [0, 0, 0];
  for (const { 0: command, index } of formula.matchAll(/\\[a-zA-Z]+|[\^_]/g)) {
    run = /\S/.test(formula.slice(at, index)) ? 1 : run + 1;
    most = Math.max(most, run);
    at = index + command.length;
  }
  return most;
}

const count = (formula, pattern) => formula.match(pattern)?.length ?? 0;

/** Whether these formulas together, each without its delimiters, are more than the page should typeset. */
export function areTooMuch(formulas) {
  const together = formulas.join("\n");
  return (
    formulas.length > LIMITS.count ||
    together.length > LIMITS.all + formulas.length ||
    count(together, PARTS) + 3 * count(together, ARROWS) > LIMITS.parts ||
    count(together, SIZES) > LIMITS.sizes ||
    formulas.some(
      (formula) =>
        formula.length > LIMITS.one ||
        REFUSED.test(formula) ||
        commandsOnEnd(formula) >= LIMITS.commands ||
        depthOf(formula) > LIMITS.depth,
    )
  );
}

/** Whether a formula that is set, as HTML, is higher than the page should show: negative lengths have no limit of their own. */
export const isTooTall = (html) => [...html.matchAll(HEIGHTS)].some(([, ems]) => Math.abs(ems) > LIMITS.tall);
