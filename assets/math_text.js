/**
 * Mathematics in a text: whether there is any, in which delimiters, and whether it is too much to be typeset.
 *
 * The typesetter makes a dozen elements of a character and nests them as deep as the formula, so that a short text could
 * freeze a page or overflow its stack. Past the limits a formula is shown as it was written.
 */

export const LIMITS = {
  all: 8_000, // UTF-16 units, in all formulas of a text together
  one: 2_000,
  depth: 12, // of braces, environments and delimiters that grow
  commands: 24, // on end: each may take the next as its argument
};

const DELIMITERS = /\$\$|\\[([]/;
const CODE = /(^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\2[`~]*[ \t]*$|(?![\s\S]))|(`+)(?!`)[\s\S]*?[^`]\3(?!`))/m;
const DISPLAY = /\\\[([\s\S]+?)\\\]/g;
const ALONE = /^([ \t]*)\$\$([^\n$]+)\$\$[ \t]*$/gm;
const INLINE = /\\\(([^\n]+?)\\\)/g;
const FORMULA = /\$\$([\s\S]*?)(?:\$\$|(?![\s\S]))/g;
const OPENS = /\{|\\begin\b|\\left\b/;
const NESTING = /\\[{}]|[{}]|\\(?:begin|end|left|right)\b/g;
const DEFINITIONS = /\\(?:[gex]?def|let|futurelet|(?:re)?newcommand|providecommand|global|long)\b/;
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

/** Whether the formulas of a text, in `$$`, are more than the page should typeset. */
export function isTooMuchMath(text) {
  let all = 0;
  for (const [, formula] of text.matchAll(FORMULA)) {
    all += formula.length;
    if (all > LIMITS.all || formula.length > LIMITS.one) return true;
    if (DEFINITIONS.test(formula) || COMMANDS.test(formula) || depthOf(formula) > LIMITS.depth) return true;
  }
  return false;
}
