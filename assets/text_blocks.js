/**
 * The blocks of a text, as it grows: what is rendered one by one.
 *
 * Nothing in a block changes what another shows, so that only the last ones of a growing text are looked at again. A
 * block is text for Markdown, or the code of a fence, which needs no parser, or too much for either and shown as it is.
 */

import { costOf, LIMITS } from "$/public/text_guard.js";

const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const ITEM = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)[ \t]{0,4}/;
const HEADING = /^ {0,3}#{1,6}(?=[ \t]|$)/;
const LIST_LINES = 30; // after so many a list goes on in a block of its own, which changes nothing to the eye

function indentOf(line) {
  let columns = 0;
  for (const character of line) {
    if (character === " ") columns += 1;
    else if (character === "\t") columns += 4 - (columns % 4);
    else break;
  }
  return columns;
}

const closesFence = (line, { mark }) => {
  const rest = line.trim();
  return rest.length >= mark.length && indentOf(line) < 4 && rest === mark[0].repeat(rest.length);
};

/** What one line says about where blocks begin, with the block `now` before it, if that has not ended. */
function beginsBlock(now, line, indent) {
  if (HEADING.test(line) && indent < now.content) return true;
  const isItem = now.isList && indent < now.content && ITEM.test(line);
  if (isItem && now.lines >= LIST_LINES) return true;
  if (!now.isBlank) return now.isHeading;
  if (now.isList) return indent < now.content && !isItem;
  return !(now.isIndented && indent >= 4);
}

const begin = (start, indent) => ({
  start,
  lines: 0,
  content: 4, // columns from which on a line belongs to the block whatever it is
  isList: false,
  isIndented: indent >= 4,
  isHeading: false,
  isBlank: false,
});

function afterLine(now, line, indent) {
  now.lines += 1;
  now.isBlank = false;
  now.isHeading = HEADING.test(line) && indent < now.content;
  now.isIndented &&= indent >= 4;
  const item = indent < now.content && ITEM.exec(line);
  if (item) {
    now.isList = true;
    now.content = Math.max(2, item[0].length);
  }
}

/**
 * The blocks from `start` on: `{ kind, start, end, text, total }`, where `kind` is "text" or "code" (which has
 * `language` and `isClosed` besides) or "plain". `total` is what this and all blocks before it cost.
 */
function scan(text, start, spent) {
  const blocks = [];
  let now = null;
  let total = spent;

  function end(at, more) {
    const raw = text.slice(now.start, at);
    const cost = more ? costOf.code(more.text, more.language) : costOf.text(raw);
    const isTooMuch = cost > LIMITS.block;
    total += isTooMuch ? 1 : cost;
    const isPlain = isTooMuch || total > LIMITS.all;
    blocks.push({ kind: isPlain ? "plain" : "text", text: raw, ...(more && !isPlain && more), start: now.start, end: at, total });
    now = null;
  }

  const endCode = (at, isClosed) => {
    const { indentation, language, lines } = now.fence;
    const stripped = indentation ? lines.map((line) => line.slice(Math.min(indentation, line.length - line.trimStart().length))) : lines;
    end(at, { kind: "code", text: stripped.join("\n"), language, isClosed });
  };

  for (let at = start; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const next = newline < 0 ? text.length : newline + 1;
    const line = text.slice(at, newline < 0 ? next : newline);
    if (now?.fence) {
      if (closesFence(line, now.fence)) endCode(next, true);
      else now.fence.lines.push(line);
    } else if (line.trim() === "") {
      if (now) now.isBlank = true;
    } else {
      const indent = indentOf(line);
      const fence = indent < (now?.isList ? Math.min(now.content, 4) : 4) && FENCE.exec(line);
      if (now && (fence || beginsBlock(now, line, indent) || at - now.start > LIMITS.lines)) end(at);
      // Once all is spent, the rest is one block, however long.
      if (!now && total > LIMITS.all) {
        blocks.push({ kind: "plain", text: text.slice(at), start: at, end: text.length, total });
        return blocks;
      }
      now ??= begin(at, indent);
      if (fence) {
        const [, { length: indentation }, mark, info] = fence;
        now.fence = { indentation, mark, language: info.trim(), lines: [] };
      } else afterLine(now, line, indent);
    }
    at = next;
  }
  if (now?.fence) endCode(text.length, false);
  else if (now) end(text.length);
  return blocks;
}

/** What tells the blocks of one text, each time with more of it. A line that is not whole may still join two blocks. */
export function createBlocks() {
  let seen = "";
  let blocks = [];
  return (text) => {
    if (text === seen) return blocks;
    const kept = text.startsWith(seen) ? blocks.slice(0, -2) : [];
    const last = kept.at(-1);
    seen = text;
    blocks = [...kept, ...scan(text, last?.end ?? 0, last?.total ?? 0)];
    return blocks;
  };
}
