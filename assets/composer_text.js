/** What the composer knows of texts: who is mentioned, what an "@" may become, how long a text is. */

import { AI, MENTION } from "$/public/shared.js";

const MENTIONS = new RegExp(`(?:${MENTION.source}) ?`, `g${MENTION.flags}`);

// An "@" at the caret with what is typed of a name, which may have two words; not in a word, an address or a path.
const BEGUN = /(?<![\p{L}\p{N}_.@/+:-])@((?:[\p{L}\p{N}_'’-]+ )?[\p{L}\p{N}_'’-]*)$/u;
const IN_WORD = /^[\p{L}\p{N}_]/u;
const CHOICES = 6;

/** Whether a message asks the AI by name. */
export const mentionsAi = (text) => MENTION.test(text);

/** The text with the AI's name before it, unless it is in it. */
export const withMention = (text) => (mentionsAi(text) ? text : `@${AI} ${text.trimStart()}`);

/** The text without the AI's name. */
export const withoutMention = (text) => text.replace(MENTIONS, "").trimStart();

/** Characters (code points) that the server will count: blank edges do not. */
export function lengthOf(text) {
  const trimmed = text.trim();
  return /[\uD800-\uDBFF]/.test(trimmed) ? Array.from(trimmed).length : trimmed.length;
}

/** What was written first and came back, and what was written since. */
export function joined(first, since) {
  if (since.trim() === "" || since === first) return first;
  return `${first}\n\n${since}`;
}

function fits(name, query) {
  const key = name.toLowerCase();
  return key.startsWith(query) || (!query.includes(" ") && key.split(" ").some((word) => word.startsWith(query)));
}

/**
 * What may stand for the "@…" that ends at the caret, `{ from, choices: [{ name, isAi, hue }] }`, or null.
 *
 * The AI comes first; of `people` (`{ name, hue }`) those whose name begins so before those of whom a later word does.
 * Where all of a name is there already, there is nothing to choose.
 */
export function completionAt(text, caret, people) {
  const begun = BEGUN.exec(text.slice(0, caret));
  if (!begun || IN_WORD.test(text.slice(caret))) return null;
  const query = begun[1].toLowerCase();
  const names = people
    .filter(({ name }) => fits(name, query))
    .sort(
      (one, other) =>
        other.name.toLowerCase().startsWith(query) - one.name.toLowerCase().startsWith(query) ||
        one.name.localeCompare(other.name),
    );
  const choices = [...(AI.startsWith(query) ? [{ name: AI, isAi: true }] : []), ...names].slice(0, CHOICES);
  if (choices.length === 0 || choices.some(({ name }) => name.toLowerCase() === query)) return null;
  return { from: begun.index, choices };
}

/** The text, and where its caret is then, with `name` in the place of what stands between `from` and `caret`. */
export function completed(text, from, caret, name) {
  const before = `${text.slice(0, from)}@${name} `;
  return { text: before + text.slice(caret).replace(/^ /, ""), caret: before.length };
}
