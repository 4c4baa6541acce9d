/** A reply's Markdown on the page: its tree as elements, its links as links that leave the page, its code as blocks. */

import { createContext, createElement, Fragment, memo, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { jsx, jsxs } from "react/jsx-runtime";
import { toJsxRuntime } from "hast-util-to-jsx-runtime";
import { CodeBlock } from "$/public/code_block.js";
import { hostOf, webAddress } from "$/public/links.js";
import { completed, textOf, treeOf } from "$/public/markdown_tree.js";
import { hasMath, withDollars } from "$/public/math_text.js";
import { Words } from "$/public/words.js";

// Parts that few texts need are loaded with the first that does; until they are there, a text is shown without them.
function lazily(load) {
  let part = null;
  let isLoading = false;
  const listeners = new Set();
  const subscribe = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const read = () => part;
  async function begin() {
    if (isLoading) return;
    isLoading = true;
    try {
      part = await load();
      for (const listener of listeners) listener();
    } catch {
      isLoading = false; // the network: the next text tries again
    }
  }
  return function usePart(isNeeded) {
    const loaded = useSyncExternalStore(subscribe, read, read);
    useEffect(() => {
      if (isNeeded && loaded === null) void begin();
    }, [isNeeded, loaded]);
    return isNeeded ? loaded : null;
  };
}

const useMath = lazily(async () => (await import("$/public/math.js")).math);
const useCjk = lazily(async () => (await import("$/public/cjk.js")).cjk);
const CJK_MARKS = /[*~](?=[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef])|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef][*~]/;

const IsGrowing = createContext(false);

// The page's policy lets no image in from elsewhere, so a click shows it in a tab of its own.
function ImageLabel({ href, children }) {
  const { imageFrom } = useContext(Words);
  const from = imageFrom.replace("{host}", () => hostOf(href));
  return [createElement("span", { key: "alt" }, children), createElement("small", { key: "from" }, from)];
}

/** A link that leaves the page, and tells nobody where from. What may be no link is text. */
export function Link({ href, title, "data-image": image, children }) {
  const address = href?.startsWith("#") ? "" : webAddress(href);
  if (!address) return createElement("span", null, children);
  const away = { href: address, title, dir: "auto", target: "_blank", rel: "noopener noreferrer nofollow ugc" };
  return image === undefined
    ? createElement("a", { ...away, className: "message-link" }, children)
    : createElement("a", { ...away, className: "message-image" }, createElement(ImageLabel, { href: address, children }));
}

function Pre({ node }) {
  const isGrowing = useContext(IsGrowing);
  const [code] = node.children;
  const { dataInfo = "" } = code.properties;
  return createElement(CodeBlock, { code: textOf(code).replace(/\n$/, ""), language: String(dataInfo), isClosed: !isGrowing });
}

const Table = ({ node: _, ...props }) => createElement("div", { className: "table-box" }, createElement("table", props));

const COMPONENTS = { a: Link, pre: Pre, table: Table };
// A text is a child of its own also where it is the only one. React keeps that node when others come after it, and the
// reader's selection in it.
const inArray = (render) => (type, props, key) =>
  render(type, typeof props.children === "string" ? { ...props, children: [props.children] } : props, key);
const RUNTIME = { Fragment, jsx: inArray(jsx), jsxs, components: COMPONENTS, ignoreInvalidStyle: true, passNode: true };

/** A block of text (text_blocks.js) as Markdown; `isGrowing` says that it may be cut off anywhere. */
export const Markdown = memo(function Markdown({ text, isGrowing }) {
  const whole = useMemo(() => (isGrowing ? completed(text) : text), [text, isGrowing]);
  const mathText = useMemo(() => (hasMath(whole) ? withDollars(whole, isGrowing) : null), [whole, isGrowing]);
  const math = useMath(mathText !== null);
  const cjk = useCjk(CJK_MARKS.test(text));
  const shown = math ? mathText : whole;
  const elements = useMemo(() => toJsxRuntime(treeOf(shown, isGrowing, math, cjk), RUNTIME), [shown, isGrowing, math, cjk]);
  return createElement(IsGrowing, { value: isGrowing }, elements);
});
