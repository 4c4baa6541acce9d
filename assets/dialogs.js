/** Buttons that open and close dialogs, copy and download: what the browser has no attribute for yet. */

import { writeToClipboard } from "$/public/clipboard.js";

const COPIED_MS = 2000;

/** Opens the dialog that the button's data-dialog names; a menu around the button closes. */
export function openDialog({ currentTarget: button }) {
  // The menu first: the dialog gives the focus back to what has it now, which is to be the menu's own button.
  button.closest("[popover]")?.hidePopover();
  document.getElementById(button.dataset.dialog).showModal();
}

/** Closes the dialog around the button or form. */
export function closeDialog({ currentTarget }) {
  currentTarget.closest("dialog").close();
}

/** Empties what is shown once around the button, or, for a dialog that has closed, all that is in it. */
export function forget({ currentTarget }) {
  const around = currentTarget.closest(".shown-once") ?? currentTarget;
  for (const form of around.querySelectorAll("form")) form.reset();
  for (const field of around.querySelectorAll("input[readonly]")) field.value = "";
}

/** Lets the link lead to the server at its data-port, if it has one; the menu around it closes. */
export function download({ currentTarget: link }) {
  link.closest("[popover]")?.hidePopover();
  if (link.dataset.port) link.href = `//${location.hostname}:${link.dataset.port}${link.pathname}${link.search}`;
}

/** Copies the address of the button's data-path, or what stands in the field beside it. */
export async function copy({ currentTarget: button }) {
  const { path } = button.dataset;
  await writeToClipboard(path ? location.origin + path : button.parentElement.querySelector("input").value, button);
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, COPIED_MS);
}
