/**
 * People's messages: a small Markdown that takes nothing away and moves nothing.
 *
 * People write code, paths, tables of figures and addresses, not documents. So their text keeps its lines, its spaces and
 * all its characters; code, links, bold and italic by pairs, quotes, lists and mentions are shown as such, and of those
 * only the marks of code, links, bold, italic and quotes are not shown. Each line is read once.
 */

import { codeSpans } from "$/public/code_spans.js";
import { autolinkEnd, webAddress } from "$/public/links.js";
import { MENTION } from "$/public/shared.js";

const MAX_ELEMENTS = 400; // of a message; what comes after them is shown as it is
const CODE_ELEMENTS = 10; // with its head and its button
const MAX_QUOTES = 5; // in one another
const FENCE = /^([ \t]*)(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const QUOTE = /^>(?: |$)/;
const ITEM = /^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+(?=\S)/;

/**
 * The text as nodes: `{ kind: "code", language, text }`, `{ kind: "quote", children }`, `{ kind: "list", items }` with an
 * item `{ mark, children }` for each, and `{ kind: "lines", children }`. Children of lines and items are strings and
 * `{ tag, children }`, where a link has its `href` too.
 */
export function readMessage(text) {
  return linesOf(text.split("\n"), { left: MAX_ELEMENTS }, 0);
}

// The lines that close fences, by the lines that open them; a fence that is not closed is none.
function fencesOf(lines) {
  const closedAt = new Map();
  let open = null; // { at, mark }
  lines.forEach((line, at) => {
    const closing = line.trim();
    if (!open) {
      const fence = FENCE.exec(line);
      if (fence) open = { at, mark: fence[2] };
    } else if (closing.length >= open.mark.length && closing === open.mark[0].repeat(closing.length)) {
      closedAt.set(open.at, at);
      open = null;
    }
  });
  return closedAt;
}

function codeOf(lines) {
  const [, indentation, , language] = FENCE.exec(lines[0]);
  const code = lines.slice(1, -1).map((line) => (line.startsWith(indentation) ? line.slice(indentation.length) : line));
  return { kind: "code", language: language.trim(), text: code.join("\n") };
}

function itemOf(line, budget) {
  const [mark] = ITEM.exec(line);
  budget.left -= 1;
  return { mark, children: inline(line.slice(mark.length), budget) };
}

function linesOf(lines, budget, depth) {
  const nodes = [];
  const fences = fencesOf(lines);
  const isQuote = (line) => depth < MAX_QUOTES && QUOTE.test(line);
  const isItem = (line) => ITEM.test(line);
  const kindOf = (at) => (budget.left <= 0 ? null : fences.has(at) ? "code" : [isQuote, isItem].find((is) => is(lines[at])));
  for (let at = 0, end = 0; at < lines.length; at = end) {
    const kind = kindOf(at);
    end = kind === "code" ? fences.get(at) + 1 : at + 1;
    if (kind !== "code") while (end < lines.length && kindOf(end) === kind) end += 1;
    const part = lines.slice(at, end);
    budget.left -= kind === "code" ? CODE_ELEMENTS : 1;
    if (kind === "code") nodes.push(codeOf(part));
    else if (kind === isQuote) nodes.push({ kind: "quote", children: linesOf(part.map((line) => line.replace(QUOTE, "")), budget, depth + 1) });
    else if (kind === isItem) nodes.push({ kind: "list", items: part.map((line) => itemOf(line, budget)) });
    else nodes.push({ kind: "lines", children: inline(part.join("\n"), budget) });
  }
  return nodes;
}

const MARK = /`+|\*\*|[*_]|\[|(?<!\w)(?:https?:\/\/|www\.)|(?<![\w~$=]|\w['*+.-])\w[\w.+-]{0,63}@|@|\n/giu;
const LINK = /\[([^[\]\n]{1,500})\]\(((?:https?:\/\/|mailto:)[^\s()<>]{1,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500}){0,4})\)/iuy;
const ADDRESS = /(?:[^\s<>"`\]]|\](?!\()){1,2000}/uy;
const MAIL = /\w[\w.+-]{0,63}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,7}\.[a-z][\w-]{1,62}/iuy;
const MENTIONED = new RegExp(MENTION.source, `y${MENTION.flags}`);
const WWW = /^www/i;
// What may stand beside a pair: it is no part of a word, a number, a path or an operator.
const OUTSIDE = /[\s\p{Ps}\p{Pi}\p{Pe}\p{Pf}"'`.,;:!?—–-]|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uff65]/u;
// With what no bold or italic text begins, and ends: these stars are of a path, a pattern or an operator.
const NEVER_FIRST = /[\s*_/.,;)\]}=|]/;
const NEVER_LAST = /[\s*_/([{=|]/;

const readAt = (pattern, text, at) => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};

// The element that begins at `at` with this mark, `{ element, end }`; null if none does.
function elementAt(text, at, mark, spans) {
  if (mark[0] === "`") {
    const end = spans.get(at);
    const code = end && text.slice(at + mark.length, end - mark.length);
    return code && !code.includes("\n") ? { element: { tag: "code", children: [code] }, end } : null;
  }
  if (mark === "@") {
    const mention = readAt(MENTIONED, text, at);
    return mention ? { element: { tag: "mention", children: [mention] }, end: at + mention.length } : null;
  }
  const link = (shown, address, length = shown.length) => {
    const href = webAddress(address);
    return href ? { element: { tag: "a", href, children: [shown] }, end: at + length } : null;
  };
  if (mark === "[") {
    const whole = text[at - 1] === "!" ? undefined : readAt(LINK, text, at); // an image is no Markdown of people's
    const middle = whole?.indexOf("](") ?? 0;
    return whole ? link(whole.slice(1, middle), whole.slice(middle + 2, -1), whole.length) : null;
  }
  if (mark.endsWith("@")) {
    const mail = readAt(MAIL, text, at);
    return mail ? link(mail, `mailto:${mail}`) : null;
  }
  const address = readAt(ADDRESS, text, at);
  const shown = address.slice(0, autolinkEnd(address));
  return link(shown, WWW.test(shown) ? `http://${shown}` : shown);
}

/** What stands in one line or several, as strings and elements. Pairs are of one line. */
function inline(text, budget) {
  const out = [];
  const open = new Map(); // the mark of an opener -> its place in `out`
  const spans = codeSpans(text);
  let at = 0; // up to here all is in `out`
  const take = (part, from, to) => {
    if (from > at) out.push(text.slice(at, from));
    out.push(part);
    at = to;
  };
  const close = (mark, index) => {
    const place = open.get(mark);
    if (index > at) out.push(text.slice(at, index));
    out[place] = { tag: mark === "**" ? "strong" : "em", children: joined(out.splice(place + 1)) };
    for (const [other, opened] of open) if (opened >= place) open.delete(other);
    at = index + mark.length;
  };
  const marks = new RegExp(MARK);
  for (let found = marks.exec(text); found && budget.left > 0; found = marks.exec(text)) {
    const { 0: mark, index } = found;
    if (mark === "\n") open.clear();
    else if (mark[0] !== "*" && mark !== "_") {
      const found = elementAt(text, index, mark, spans);
      if (!found && mark.length > 1 && mark.endsWith("@")) marks.lastIndex -= 1; // it may still be a mention
      if (!found) continue;
      take(found.element, index, found.end);
      marks.lastIndex = found.end;
      budget.left -= 1;
    } else {
      // A pair touches what it encloses, and stands outside of words.
      const [before, after] = [text[index - 1] ?? " ", text[index + mark.length] ?? " "];
      if (open.has(mark) && !NEVER_LAST.test(before) && OUTSIDE.test(after)) {
        close(mark, index);
        budget.left -= 1;
      } else if (!NEVER_FIRST.test(after) && OUTSIDE.test(before)) {
        take({ opener: mark }, index, index + mark.length);
        open.set(mark, out.length - 1);
      }
    }
  }
  if (at < text.length) out.push(text.slice(at));
  return joined(out);
}

// Openers that nothing has closed are text.
function joined(parts) {
  const whole = [];
  for (const part of parts) {
    const piece = part.opener ?? part;
    if (typeof piece === "string" && typeof whole.at(-1) === "string") whole[whole.length - 1] += piece;
    else whole.push(piece);
  }
  return whole;
}
