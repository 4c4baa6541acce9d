/**
 * Mathematics in a text: whether there is any, in which delimiters, and whether it is too much to be typeset.
 *
 * The typesetter makes a dozen elements of a character and nests them as deep as the formula, so that a short text could
 * freeze a page or overflow its stack. Past the limits a formula is shown as it was written.
 */

export const LIMITS = {
  all: 8_000, // UTF-16 units, in all formulas of a text together
  one: 2_000,
  span: 30_000, // from the first formula to the last: where each begins and ends, Markdown may see otherwise
  depth: 12, // of braces, environments and delimiters that grow
  commands: 24, // on end: each may take the next as its argument
  parts: 1_000, // commands, scripts and cells: each makes a score of elements
  sizes: 50, // lengths that a text chooses
  tall: 100, // em, of anything in a formula once it is set
};

const DELIMITERS = /\$\$|\\[([]/;
const CODE = /(^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\2[`~]*[ \t]*$|(?![\s\S]))|(`+)(?!`)[\s\S]*?[^`]\3(?!`))/m;
const DISPLAY = /\\\[([\s\S]+?)\\\]/g;
const ALONE = /^([ \t]*)\$\$([^\n$]+)\$\$[ \t]*$/gm;
const INLINE = /\\\(([^\n]+?)\\\)/g;
const FORMULA = /\$\$([\s\S]*?)(?:\$\$|(?![\s\S]))/g;
const OPENS = /\{|\\begin\b|\\left\b/;
const NESTING = /\\[{}]|[{}]|\\(?:begin|end|left|right)\b/g;
// What defines macros, and what writes to the reader's console.
const REFUSED = /\\(?:[gex]?def|let|futurelet|(?:re)?newcommand|providecommand|global|long|(?:err)?message|show)(?![a-zA-Z])/;
const PARTS = /[&^_]|\\[^]/g;
const ARROWS = /@/g; // of a diagram, each as much as three parts
const SIZES = /\d\s*(?:em|ex|mu|pt|mm|cm|in|bp|pc|dd|cc|nd|nc|sp|px)(?![a-z])/g;
// Widths are not among them: the typesetter gives each root one of 400 em, of which the rest is cut off.
const HEIGHTS = /(?:height|top|bottom|vertical-align)[:=]\s*["']?(-?\d*\.?\d+)em/g;
const COMMANDS = new RegExp(`(?:\\\\[a-zA-Z]+\\s*|[\\^_]\\s*){${LIMITS.commands},}`);

/** Whether a text may contain mathematics. */
export const hasMath = (text) => DELIMITERS.test(text);

/**
 * The text with `$$` for `\[…\]` and `\(…\)`, which models write and Markdown would take for escaped brackets.
 *
 * A formula that has a line for itself is displayed, though its `$$` are on that line too.
 */
export function withDollars(text) {
  if (!/\\[([]|\$\$[ \t]*$/m.test(text)) return text;
  // Every fourth part is code, which stays; the two after it are what its expression has caught besides.
  const parts = text.split(CODE);
  return parts
    .map((part, index) => {
      if (index % 4 === 1) return part;
      if (index % 4 !== 0) return "";
      return part
        .replace(ALONE, (_, indent, formula) => `${indent}$$\n${indent}${formula.trim()}\n${indent}$$`)
        .replace(DISPLAY, (_, formula) => `\n$$\n${formula.trim()}\n$$\n`)
        .replace(INLINE, (_, formula) => `$$${formula.trim()}$$`);
    })
    .join("");
}

function depthOf(formula) {
  let [depth, deepest] = [0, 0];
  for (const [token] of formula.matchAll(NESTING)) {
    if (token === "\\{" || token === "\\}") continue;
    depth += OPENS.test(token) ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const count = (formula, pattern) => formula.match(pattern)?.length ?? 0;

/** Whether these formulas together, each without its delimiters, are more than the page should typeset. */
export function areTooMuch(formulas) {
  const together = formulas.join("\n");
  return (
    together.length > LIMITS.all + formulas.length ||
    count(together, PARTS) + 3 * count(together, ARROWS) > LIMITS.parts ||
    count(together, SIZES) > LIMITS.sizes ||
    formulas.some(
      (formula) =>
        formula.length > LIMITS.one || REFUSED.test(formula) || COMMANDS.test(formula) || depthOf(formula) > LIMITS.depth,
    )
  );
}

/** Whether the formulas of a text, in `$$`, are more than the page should typeset. */
export function isTooMuchMath(text) {
  if (text.lastIndexOf("$$") - text.indexOf("$$") > LIMITS.span) return true;
  return areTooMuch([...text.matchAll(FORMULA)].map(([, formula]) => formula));
}

/** Whether a formula that is set, as HTML, is higher than the page should show: negative lengths have no limit of their own. */
export const isTooTall = (html) => [...html.matchAll(HEIGHTS)].some(([, ems]) => Math.abs(ems) > LIMITS.tall);
