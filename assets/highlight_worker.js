/**
 * The worker that tells what is what in code. It loads nothing and knows no page: it is sent grammars and code.
 *
 * A grammar's expressions may take minutes on one line, and only the end of the worker stops them; highlighter.js ends it.
 */

import { codeToTokensBase, createShikiPrimitive, getLastGrammarState } from "@shikijs/primitive";
import { createJavaScriptRegexEngine } from "@shikijs/engine-javascript";
import { KINDS } from "$/public/code_kinds.js";

const THEME = {
  name: "kinds",
  type: "light",
  fg: KINDS[0].name,
  bg: "none",
  settings: KINDS.map(({ name, scopes }) => ({ scope: scopes, settings: { foreground: name } })),
};
// So that the time of a text is not spent on what the grammar's expressions take to be translated.
const SAMPLE = `if (a.b == "c" && d[0] > 1.5) { return f(x, 'y'); } // e\nclass A { int b = 2; }\n# c\n<a b="c">d</a>\n`;

const places = new Map(KINDS.map(({ name }, place) => [name, place]));
const shiki = createShikiPrimitive({
  engine: createJavaScriptRegexEngine({ forgiving: true }),
  themes: [THEME],
  langs: [],
  warnings: false,
});
const states = new Map(); // code that goes on -> what its grammar has open

// `[length, kind, length, kind, …]` in UTF-16 units; lines end with what they end with in the code.
function runsOf(lines) {
  const runs = [];
  const add = (length, kind) => {
    if (length === 0) return;
    if (runs.length > 0 && runs.at(-1) === kind) runs[runs.length - 2] += length;
    else runs.push(length, kind);
  };
  lines.forEach((tokens, line) => {
    if (line > 0) add(1, 0);
    for (const { content, color } of tokens) add(content.length, places.get(color) ?? 0);
  });
  return runs;
}

function highlight({ id, language, code, isFirst }) {
  const grammarState = isFirst ? undefined : states.get(id);
  const lines = codeToTokensBase(shiki, code, { lang: language, theme: THEME.name, grammarState, tokenizeMaxLineLength: 0 });
  states.set(id, getLastGrammarState(shiki, lines));
  return runsOf(lines);
}

function learn({ language, grammars }) {
  shiki.loadLanguageSync(grammars);
  codeToTokensBase(shiki, SAMPLE, { lang: language, theme: THEME.name });
  return null;
}

onmessage = ({ data }) => {
  if (data.forget) states.delete(data.forget);
  else postMessage(data.grammars ? learn(data) : highlight(data));
};
