/** A page of nothing but one message's text, for tests that show many: built from the assets, and called by text_page.py. */

import { createElement } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { htmlOf } from "$/public/clipboard.js";
import { LANGUAGES } from "$/public/code_languages.js";
import { PersonText, ReplyText, whenRendered } from "$/public/rendered_text.js";

const WORDS = { imageFrom: "Show image from {host}", copyCode: "Copy", copied: "Copied", plainCode: "Plain", tooMuch: "Too much" };
const root = createRoot(document.getElementById("root"));
const article = () => document.querySelector(".message-text");
const later = () => new Promise((resolve) => setTimeout(resolve));
let shown = 0;

/** Shows a text at once, in the place of the one before or as the same one that has grown. */
function show(kind, text, isLive = false, isSame = false) {
  if (!isSame) shown += 1;
  const element = kind === "reply" ? ReplyText : PersonText;
  flushSync(() => root.render(createElement(element, { key: shown, text, isLive, words: WORDS })));
}

/** Shows a text that has ended, once it is rendered. */
async function showEnded(kind, text, isSame = false) {
  show(kind, text, false, isSame);
  await whenRendered();
}

/** What the page says, of formulas what was written: the style sheet of this page hides how they are set. */
const told = () => article()?.innerText ?? "";

async function ended(kind, text) {
  await showEnded(kind, text);
  return told();
}

/** What the page says after each piece of a reply, and at its end. */
async function grown(pieces) {
  const states = [];
  let text = "";
  for (const piece of pieces) {
    text += piece;
    show("reply", text, true, states.length > 0);
    states.push(told());
  }
  await showEnded("reply", text, true);
  return [...states, told()];
}

/** Loads the parts that a page loads when they are needed. */
async function loadAll() {
  show("reply", "$x^2$ **注意：**正文");
  for (let tries = 0; tries < 500; tries += 1) {
    await showEnded("reply", "$x^2$ **注意：**正文");
    if (document.querySelector(".katex") && document.querySelector("strong")) return;
    await later();
  }
  throw new Error("not loaded");
}

Object.assign(window, { show, showEnded, ended, grown, told, loadAll, htmlOf, LANGUAGES });
