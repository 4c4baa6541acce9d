/**
 * The guard between a text and the Markdown renderer: what would freeze or break the page is shown as plain text.
 *
 * Every renderer has inputs on which it takes seconds or overflows the stack, and anybody may write them. The limits
 * lie far above what people and models write, and low enough that Markdown below them is rendered at once. They do not
 * bound highlighting and the layout of tables. A guard follows one text while it grows: each whole line is looked at
 * once, only the last, unfinished one again.
 */

export const LIMITS = {
  length: 100_000, // UTF-16 units
  lines: 1_500, // outside code: bounds paragraphs, list items and table rows
  word: 2_000, // characters without a space: automatic links are looked for in each
  depth: 20, // quotes and lists opened on one line
  indent: 60, // columns: bounds how deep lists nest
  nesting: 5_000, // levels of quotes, lists and indentation, those of all lines together: so many elements they make
  marks: 2_000, // in one paragraph
  allMarks: 8_000,
  cells: 2_000, // bars, in all tables together
  tags: 200, // HTML tags, which nest as deep as they are many
  footnotes: 50, // with a footnote the whole text is one block, parsed anew at each update
  fence: 40_000, // characters in all code blocks
  fenceLines: 1_500,
  fenceLine: 4_000, // characters: the highlighter works line by line
};

const CONTAINERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/;
const CONTAINER = />|[-+*]|\d+[.)]/g;
const FENCE = /^(`{3,}|~{3,})(.*)$/;
// A fence that stands in a quote, a list or a note ends with it, one in HTML is none: where code ends after these
// would take a parser to know, so from there on all lines are looked at as text.
const UNSURE = /^(?:[\s>*+\-\d.)]+(?:`{3}|~{3})|[\s>*+\-\d.)]*<[a-z!?/]|\s*\[\^)/i;
const MARKS = /[*_~`[\]<!$&@\\]|:\/\//g;
const TAGS = /<\/?[a-z!?]/gi;
const FOOTNOTES = /\[\^/g;

const count = (line, pattern) => line.match(pattern)?.length ?? 0;

function indentOf(line) {
  let columns = 0;
  for (const character of line) {
    if (character === " ") columns += 1;
    else if (character === "\t") columns += 4;
    else break;
  }
  return columns;
}

const hasLongWord = (line) => line.length > LIMITS.word && line.split(/\s/).some((word) => word.length > LIMITS.word);

const START = {
  fence: "",
  fenceSize: 0,
  fenceLines: 0,
  lines: 0,
  nesting: 0,
  marks: 0,
  allMarks: 0,
  cells: 0,
  tags: 0,
  footnotes: 0,
  isUnsure: false,
  exceeded: false,
};

const closes = (line, fence) => new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`).test(line);

function afterLineOfCode(seen, line) {
  const fenceSize = seen.fenceSize + line.length + 1;
  const fenceLines = seen.fenceLines + 1;
  const exceeded = fenceSize > LIMITS.fence || fenceLines > LIMITS.fenceLines || line.length > LIMITS.fenceLine;
  return { ...seen, fence: closes(line, seen.fence) ? "" : seen.fence, fenceSize, fenceLines, exceeded };
}

function afterLine(seen, line) {
  if (seen.fence) return afterLineOfCode(seen, line);
  const containers = CONTAINERS.exec(line)?.[0] ?? "";
  const depth = count(containers, CONTAINER);
  const indent = Math.max(indentOf(line), indentOf(line.slice(containers.length)));
  const marks = depth + count(line, MARKS);
  const next = {
    ...seen,
    lines: seen.lines + 1,
    nesting: seen.nesting + depth + Math.floor(indent / 2),
    marks: line.trim() ? seen.marks + marks : 0,
    allMarks: seen.allMarks + marks,
    cells: seen.cells + count(line, /\|/g),
    tags: seen.tags + count(line, TAGS),
    footnotes: seen.footnotes + count(line, FOOTNOTES),
  };
  next.exceeded =
    depth > LIMITS.depth ||
    indent > LIMITS.indent ||
    next.nesting > LIMITS.nesting ||
    next.lines > LIMITS.lines ||
    next.marks > LIMITS.marks ||
    next.allMarks > LIMITS.allMarks ||
    next.cells > LIMITS.cells ||
    next.tags > LIMITS.tags ||
    next.footnotes > LIMITS.footnotes ||
    hasLongWord(line);
  next.isUnsure ||= UNSURE.test(line);
  const opening = next.isUnsure ? null : FENCE.exec(line);
  if (opening && !(opening[1][0] === "`" && opening[2].includes("`"))) next.fence = opening[1];
  return next;
}

/** Watches one text that only grows; `isTooMuch(text)` says whether to show it plainly, and stays true once it was. */
export function createGuard() {
  let seen = START;
  let end = 0;
  return {
    isTooMuch(text) {
      if (seen.exceeded || text.length > LIMITS.length) {
        seen = { ...seen, exceeded: true };
        return true;
      }
      let newline = text.indexOf("\n", end);
      while (newline >= 0 && !seen.exceeded) {
        seen = afterLine(seen, text.slice(end, newline));
        end = newline + 1;
        newline = text.indexOf("\n", end);
      }
      return seen.exceeded || afterLine(seen, text.slice(end)).exceeded;
    },
  };
}
