/** The clipboard: what is copied by a button, as text and as HTML, and formulas as they are written. */

import { useEffect, useState } from "react";

const COPIED_MS = 2_000;
const KEPT = new Set(["href", "start", "align"]);

/** Puts a text into the clipboard, at the press of `button`; with `html` also that, for what takes rich text. */
export async function writeToClipboard(text, button, html = "") {
  const types = { "text/plain": text, ...(html && { "text/html": html }) };
  try {
    const blobs = Object.entries(types).map(([type, value]) => [type, new Blob([value], { type })]);
    return await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
  } catch {
    // Forbidden, or not there: a chat on a local network is no secure page.
  }
  const box = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
  button.after(box);
  box.select();
  const take = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    for (const [type, value] of Object.entries(types)) event.clipboardData.setData(type, value);
  };
  document.addEventListener("copy", take, { capture: true, once: true });
  document.execCommand("copy");
  document.removeEventListener("copy", take, { capture: true });
  box.remove();
  button.focus();
}

/** Whether something was copied a moment ago, and what copies it, as `writeToClipboard` does. */
export function useCopied() {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (...what) => {
    await writeToClipboard(...what);
    setCopied(true);
  };
  return [isCopied, copy];
}

// A formula is three times on the page: as it is read out, as it is written, and as it is set.
function withFormulasOnce(root) {
  for (const formula of root.querySelectorAll(".katex-display, .katex")) {
    if (!root.contains(formula)) continue;
    const tex = formula.querySelector("annotation")?.textContent ?? formula.textContent;
    const mark = formula.matches(".katex-display") ? "$$" : "$";
    formula.replaceWith(`${mark}${tex}${mark}`);
  }
}

/** A copy of what is on the page as HTML that means the same elsewhere: no classes, no buttons, each formula once. */
export function htmlOf(content) {
  const root = content.cloneNode(true);
  withFormulasOnce(root);
  for (const own of root.querySelectorAll("button, .code-head, .message-note")) own.remove();
  for (const element of root.querySelectorAll("*")) {
    const isAsWritten = element.matches(".message-lines, .message-plain, .message-item");
    for (const { name } of [...element.attributes]) if (!KEPT.has(name)) element.removeAttribute(name);
    if (isAsWritten) element.style.whiteSpace = "pre-wrap";
    else if (element.localName === "span") element.replaceWith(...element.childNodes);
  }
  return root.innerHTML;
}

// What somebody selects and copies has each formula once, too.
function copySelection(event) {
  const selection = document.getSelection();
  if (event.target.closest?.("input, textarea") || !selection?.rangeCount || selection.isCollapsed) return;
  const range = selection.getRangeAt(0).cloneRange();
  const formulaAround = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(".katex");
  const [first, last] = [range.startContainer, range.endContainer].map(formulaAround);
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const box = document.createElement("div");
  box.append(range.cloneContents());
  if (!box.querySelector(".katex")) return;
  withFormulasOnce(box);
  const html = htmlOf(box);
  // Only what is laid out knows its lines.
  box.className = "copied-selection";
  document.body.append(box);
  const text = box.innerText;
  box.remove();
  event.clipboardData.setData("text/plain", text);
  event.clipboardData.setData("text/html", html);
  event.preventDefault();
}

if (typeof document !== "undefined") document.addEventListener("copy", copySelection);
