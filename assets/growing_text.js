/**
 * Text nodes that grow under the reader's selection.
 *
 * React sets the whole value of a text node that has changed, and the browser then takes every selection out of it
 * (react 19). Only what is new is put into these nodes, so that a selection in what was there stays. To ask for: the same
 * in React.
 */

function setValue(value) {
  const now = this.data;
  let same = 0;
  if (value.startsWith(now)) same = now.length;
  else while (same < now.length && now[same] === value[same]) same += 1;
  if (same === now.length) this.appendData(value.slice(same));
  else this.replaceData(same, now.length - same, value.slice(same));
}

const VALUE = {
  get() {
    return this.data;
  },
  set: setValue,
  configurable: true,
};

const seen = new WeakSet();

/** Lets the text nodes in `element` keep what is selected in them while they grow. */
export function keepSelection(element) {
  if (!element) return;
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    if (seen.has(node)) continue;
    seen.add(node);
    Object.defineProperty(node, "nodeValue", VALUE);
  }
}
