/** The composer's manners: Enter sends, a blank is refused, each send has a nonce, the box grows with its text. */

const NONCE_BYTES = 12;
const GROWS_BY_ITSELF = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

// Not crypto.randomUUID, which exists on secure pages alone: a chat on a local network has none.
const newNonce = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** For the form's submit, before anything else sees it. */
export function beforeSend(event) {
  const { text, nonce } = event.currentTarget.elements;
  if (text.value.trim() === "") {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  nonce.value = newNonce();
  text.focus();
  queueMicrotask(() => {
    text.style.height = "";
    document.dispatchEvent(new Event("message-sent"));
  });
}

/** For the text box: Enter sends, Shift+Enter is a new line, and the Enter that ends an IME's composition is neither. */
export function sendOnEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  if (!event.repeat) event.currentTarget.form.requestSubmit();
}

/** For the text box, where the browser does not fit a field to its content. */
export function growWithText(event) {
  if (GROWS_BY_ITSELF) return;
  const box = event.currentTarget;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}
