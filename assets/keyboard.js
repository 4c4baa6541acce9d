/** The keys that work anywhere on the page. A key alone does something only where nobody types. */

import { useEffect } from "react";

const SHEET = "shortcuts";

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") != null;

function step(by) {
  const links = [...document.querySelectorAll("#sidebar a[href^='/t/']")];
  const at = links.findIndex((link) => link.getAttribute("aria-current") === "page");
  links[at + by]?.click();
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const { key, altKey, shiftKey, target } = event;
  const isCommand = event.ctrlKey || event.metaKey;
  const composer = document.getElementById("composer");
  const deed = (() => {
    if (key === "/" && isCommand) return () => document.getElementById(SHEET)?.showModal();
    if (key === "?" && !isCommand && !isTyping(target)) return () => document.getElementById(SHEET)?.showModal();
    if (key === "Escape" && shiftKey && !isCommand) return () => composer?.focus();
    if (key.toLowerCase() === "o" && isCommand && shiftKey) return () => document.querySelector("[data-key='new']")?.click();
    const isArrow = key === "ArrowUp" || key === "ArrowDown";
    if (isArrow && altKey && !isCommand && !shiftKey && (!isTyping(target) || target.value === "")) {
      return () => step(key === "ArrowUp" ? -1 : 1);
    }
    return null;
  })();
  if (deed === null) return;
  event.preventDefault();
  deed();
}

/** Listens for as long as the page is there; shows nothing. */
export function Keyboard() {
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return null;
}

/** For the link that skips what stands before the main part: its address stays as it is. */
export function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}
