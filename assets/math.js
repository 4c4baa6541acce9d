/**
 * The typesetter of mathematics, which is loaded where a text has some.
 *
 * It trusts nothing that it sets: no link, no image, no class, no file, no size beyond a line or two. Its HTML is parsed
 * here and not by the browser, to which the style of each element would be a break of the page's policy.
 */

import { fromHtml } from "hast-util-from-html";
import katex from "katex";
import styles from "katex/dist/katex.min.css?inline";
import remarkMath from "remark-math";

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

const isMath = (node) => node?.tagName === "code" && [node.properties.className].flat().includes("language-math");

function typeset(node, displayMode) {
  const formula = textOf(node);
  try {
    return fromHtml(katex.renderToString(formula, { ...OPTIONS, displayMode }), { fragment: true }).children;
  } catch {
    return [{ type: "text", value: formula }];
  }
}

function rehypeMath() {
  const visit = (node) => {
    if (!node.children) return;
    node.children = node.children.flatMap((child) => {
      if (child.tagName === "pre" && child.children.length === 1 && isMath(child.children[0])) {
        return typeset(child.children[0], true);
      }
      if (isMath(child)) return typeset(child, false);
      visit(child);
      return [child];
    });
  };
  return visit;
}

export const math = {
  name: "katex",
  type: "math",
  remarkPlugin: [remarkMath, { singleDollarTextMath: false }], // a single one is a price
  rehypePlugin: rehypeMath,
};
