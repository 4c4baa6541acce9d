/**
 * The typesetter of mathematics, which is loaded where a text has some.
 *
 * It trusts nothing that it sets: no link, no image, no class, no file, no macro, no size that fills the page. Its HTML
 * is parsed here and not by the browser, to which the style of each element would be a break of the page's policy.
 */

import { fromHtml } from "hast-util-from-html";
import katex from "katex";
import styles from "katex/dist/katex.min.css?inline";
import remarkMath from "remark-math";
import { areTooMuch, isTooTall } from "$/public/math_text.js";

const OPTIONS = {
  throwOnError: false,
  errorColor: "var(--muted-foreground)",
  maxExpand: 100, // macros
  maxSize: 20, // em, of what a text makes as large as it likes
  strict: "ignore",
  trust: false,
};

// A font that is small enough the builder writes into the sheet, where the page's policy has it not; its file is named too.
const WRITTEN_OUT = /url\(["']?data:[^)]*\)\s*format\([^)]*\),\s*/g;

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles.replaceAll(WRITTEN_OUT, ""));
document.adoptedStyleSheets.push(sheet);

const textOf = (node) => node.value ?? (node.children ?? []).map(textOf).join("");

// Marks what Markdown takes for a formula. HTML and fences of a text cannot name it, and the sanitizer lets it through.
const MARK = `language-math-${Math.random().toString(36).slice(2)}`;

/** Finds formulas as remark-math does, and marks them. */
function remarkMarkedMath(options) {
  remarkMath.call(this, options);
  const visit = (node) => {
    if (node.type === "inlineMath") node.data.hProperties = { className: [MARK] };
    else if (node.type === "math") node.data.hChildren[0].properties = { className: [MARK] };
    node.children?.forEach(visit);
  };
  return visit;
}

const isMath = (node) => node?.tagName === "code" && [node.properties.className].flat().includes(MARK);
const isDisplay = (node) => node.tagName === "pre" && node.children.length === 1 && isMath(node.children[0]);

function formulasOf(node) {
  return isMath(node) ? [textOf(node)] : (node.children ?? []).flatMap(formulasOf);
}

function typeset(node, displayMode) {
  const formula = textOf(node);
  const asWritten = [{ type: "text", value: formula }];
  try {
    const html = katex.renderToString(formula, { ...OPTIONS, displayMode });
    return isTooTall(html) ? asWritten : fromHtml(html, { fragment: true }).children;
  } catch {
    return asWritten;
  }
}

/** Typesets what was marked. The limits of the whole text hold here again, for only here is sure what is a formula. */
function rehypeMath() {
  return (tree) => {
    const isTooMuch = areTooMuch(formulasOf(tree));
    const visit = (node) => {
      if (!node.children) return;
      node.children = node.children.flatMap((child) => {
        const isBlock = isDisplay(child);
        if (isBlock || isMath(child)) {
          return isTooMuch ? [{ type: "text", value: textOf(child) }] : typeset(child, isBlock);
        }
        visit(child);
        return [child];
      });
    };
    visit(tree);
  };
}

export const math = {
  name: "katex",
  type: "math",
  remarkPlugin: [remarkMarkedMath, { singleDollarTextMath: false }], // a single one is a price
  rehypePlugin: rehypeMath,
};
