/**
 * Markdown as models write it, as a tree of elements in which nothing runs, loads or takes anything from the page, and
 * nothing that was written is lost.
 *
 * Tags are text, but for a short list of harmless formatting without attributes. Definitions and footnotes stand where
 * they were written. A single "~" and a "$" that is no formula are themselves; a new line is a new line.
 */

import rehypeSanitize from "rehype-sanitize";
import remarkBreaks from "remark-breaks";
import remarkGfm from "remark-gfm";
import remarkParse from "remark-parse";
import remarkRehype from "remark-rehype";
import remend from "remend";
import { unified } from "unified";
import { autolinkEnd, endsAddress, onTheWeb, webAddress } from "$/public/links.js";

// Elements that a text may ask for by their tags. None moves, hides or sizes anything.
const HARMLESS = ["b", "strong", "i", "em", "u", "s", "del", "ins", "mark", "sub", "sup", "kbd"];
const TAG = new RegExp(`^<(/?)(${HARMLESS.join("|")})>$`, "i");
const BREAK = /^<br ?\/?>$/i;
const MAX_RAISED = 2; // `sub` and `sup` in one another: more would leave the line
const BEGUN_TAG = new RegExp(`<(?:/?(?:${[...new Set([...HARMLESS, "br"].flatMap((tag) => [...tag].map((_, end) => tag.slice(0, end + 1))))].join("|")})?)$`, "i");
const BEGUN_LINK = /!?\[([^[\]\n]{1,1000})\]\([^\s()]*$/;
const MAX_OPEN = 20; // tags in one another
const MAX_DEPTH = 250; // elements in one another; the guard lets no text come near

const SCHEMA = {
  tagNames: [
    ...HARMLESS,
    ...["a", "blockquote", "br", "code", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "span", "table"],
    ...["tbody", "td", "th", "thead", "tr", "ul"],
  ],
  attributes: {
    a: ["href", "title", "dataImage"],
    code: [["className", /^language-./], "dataInfo"],
    li: [["className", "task-list-item"]],
    ol: ["start"],
    td: ["align"],
    th: ["align"],
    ul: [["className", "contains-task-list"]],
  },
  protocols: { href: ["http", "https", "mailto"] },
  strip: ["script"],
};

// The parser takes these off the page: tags with all that they enclose, and what is said once and used elsewhere.
const DISABLED = ["htmlFlow", "definition", "gfmFootnoteCall", "gfmFootnoteDefinition", "gfmPotentialFootnoteCall", "labelStartFootnote"];

const AUTOLINKS = ["protocolAutolink", "wwwAutolink"];

// An autolink that takes for the end of the text what ends an address in scripts without spaces: so the Markdown behind
// it is read.
function bounded(construct) {
  if (!AUTOLINKS.includes(construct.name)) return construct;
  function tokenize(effects, ok, nok) {
    let isOver = false;
    const leave = (state) => (code) => {
      isOver = true;
      return state(code);
    };
    const stay = (state) => (code) => {
      const next = state(code > 0 && endsAddress(code) ? null : code);
      return isOver ? next : stay(next);
    };
    return stay(construct.tokenize.call(this, effects, leave(ok), leave(nok)));
  }
  return { ...construct, tokenize };
}

const withBoundedAutolinks = (extension) => ({
  ...extension,
  text: Object.fromEntries(Object.entries(extension.text ?? {}).map(([code, constructs]) => [code, [constructs].flat().map(bounded)])),
});

function remarkTruth() {
  const data = this.data();
  data.micromarkExtensions = [...(data.micromarkExtensions ?? []).map(withBoundedAutolinks), { disable: { null: DISABLED } }];
}

// What stands behind a fence, all of it, is shown as the name of its language.
function remarkFences() {
  const visit = (node) => {
    if (node.type === "code" && node.lang) node.data = { hProperties: { dataInfo: [node.lang, node.meta].filter(Boolean).join(" ") } };
    node.children?.forEach(visit);
  };
  return visit;
}

/** The text in a tree. */
export const textOf = (node) => node.value ?? (node.children ?? []).map(textOf).join("");
const isText = (node) => node?.type === "text";

function merged(nodes) {
  const whole = [];
  for (const node of nodes) {
    const last = whole.at(-1);
    if (isText(node) && isText(last)) whole[whole.length - 1] = { type: "text", value: last.value + node.value };
    else whole.push(node);
  }
  return whole;
}

// What stands between a tag and the one that closes it, among the children of one element; all other tags are text.
function withTags(nodes, isOpenEnd, raised) {
  const out = [];
  const open = []; // { tag, place } of what may still be closed
  const close = ({ tag, place }) => {
    const children = merged(out.splice(place).slice(1).map(asText));
    out.push({ type: "harmless", data: { hName: tag }, children });
  };
  for (const node of nodes) {
    const [, slash, name] = (node.type === "html" && TAG.exec(node.value)) || [];
    const tag = name?.toLowerCase();
    const isRaised = tag === "sub" || tag === "sup";
    if (node.type === "html" && BREAK.test(node.value)) out.push({ type: "break" });
    else if (!tag) out.push(asText(node));
    else if (slash) {
      const place = open.findLastIndex((each) => each.tag === tag);
      if (place < 0) out.push(asText(node));
      else {
        close(open[place]);
        open.splice(place);
      }
    } else {
      const depth = raised + open.filter((each) => each.tag === "sub" || each.tag === "sup").length;
      if (open.length < MAX_OPEN && (!isRaised || depth < MAX_RAISED)) open.push({ tag, place: out.length });
      out.push(node);
    }
  }
  // While a text grows, what has been opened at its end may still be closed, and is not shown to be taken back then.
  if (isOpenEnd) while (open.length > 0) close(open.pop());
  return merged(out.map(asText));
}

const asText = (node) => (node.type === "html" ? { type: "text", value: node.value } : node);

function remarkHarmlessTags() {
  return (tree, file) => {
    const visit = (node, isLast, raised) => {
      if (!node.children) return;
      if (node.children.some(({ type }) => type === "html")) node.children = withTags(node.children, isLast && file.data.isGrowing, raised);
      node.children.forEach((child, place) => {
        const tag = child.data?.hName;
        visit(child, isLast && place === node.children.length - 1, raised + (tag === "sub" || tag === "sup" ? 1 : 0));
      });
    };
    visit(tree, true, 0);
  };
}

// A row with more cells than its table has columns keeps them: the table gets the columns.
function remarkTables() {
  const visit = (node) => {
    if (node.type === "table") {
      const [head] = node.children;
      const columns = Math.max(...node.children.map((row) => row.children.length));
      while (head.children.length < columns) head.children.push({ type: "tableCell", children: [] });
      while (node.align.length < columns) node.align.push(null);
    }
    node.children?.forEach(visit);
  };
  return visit;
}

const IN_WORD = /[\p{L}\p{N}]/u;
const NO_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u; // scripts whose words have no space between
const isWord = (character) => IN_WORD.test(character) && !NO_SPACES.test(character);

// `2*3*4` is a product and `__init__` a name: marks within words of a script with spaces, or around one, are themselves.
function remarkOperators() {
  return (tree, { value, data }) => {
    const source = String(value);
    const isOperator = ({ type, position: { start, end } }) => {
      if (type === "strong" && source.startsWith("__", start.offset)) return /^\w+$/.test(source.slice(start.offset, end.offset));
      const after = source[end.offset] ?? (data.isGrowing ? "a" : ""); // what grows may go on with a word
      return (type === "strong" || type === "emphasis") && isWord(source[start.offset - 1] ?? "") && isWord(after);
    };
    const visit = (node) => {
      if (!node.children) return;
      node.children.forEach(visit);
      if (!node.children.some((child) => child.position && isOperator(child))) return;
      node.children = merged(
        node.children.flatMap((child) => {
          if (!child.position || !isOperator(child)) return [child];
          const mark = { type: "text", value: source[child.position.start.offset].repeat(child.type === "strong" ? 2 : 1) };
          return [mark, ...child.children, mark];
        }),
      );
    };
    visit(tree);
  };
}

const IN_NAME = /[~$=]$|\w['*]$/; // what stands before a mail address, if the parser takes a part of one for the whole

// An address in a sentence ends where the sentence goes on, also in scripts that have no spaces. What stands in `<>` and
// is no link keeps them, and a part of a mail address is none.
function remarkAddresses() {
  const text = (value) => ({ type: "text", value });
  const mail = (link, shown, before) => {
    if (IN_NAME.test(before)) return [text(shown)];
    const begin = Math.max(0, shown.search(/[a-z0-9][^@]*@/i));
    const address = shown.slice(begin);
    return [text(shown.slice(0, begin)), { ...link, url: `mailto:${address}`, children: [text(address)] }];
  };
  const web = (link, shown) => {
    const end = autolinkEnd(shown);
    const url = link.url.slice(0, link.url.length - shown.length + end);
    return [{ ...link, url, children: [text(shown.slice(0, end))] }, text(shown.slice(end))];
  };
  return (tree, { value }) => {
    const source = String(value);
    const addressed = (node, before) => {
      const { start, end } = node.position ?? {};
      const first = start && source[start.offset];
      const [only] = node.children;
      if (first === "<" && !webAddress(node.url)) return [text(source.slice(start.offset, end.offset))];
      if (first === "[" || node.children.length !== 1 || !isText(only) || !node.url.endsWith(only.value)) return [node];
      if (node.url === `mailto:${only.value}`) return mail(node, only.value, before?.value ?? "");
      return node.url.startsWith("mailto:") ? [node] : web(node, only.value);
    };
    const visit = (node) => {
      if (!node.children) return;
      if (node.children.some(({ type }) => type === "link")) {
        const parts = node.children.flatMap((child, place) => (child.type === "link" ? addressed(child, node.children[place - 1]) : [child]));
        node.children = merged(parts.filter((part) => part.value !== ""));
      }
      node.children.forEach(visit);
    };
    visit(tree);
  };
}

// An image becomes a link that says so in `dataImage`, for `Link` to show it as one.
function inertImage({ src, alt }, isInLink) {
  const address = isInLink ? "" : onTheWeb(src);
  return {
    type: "element",
    tagName: address ? "a" : "span",
    properties: address ? { href: address, dataImage: "" } : {},
    children: alt ? [{ type: "text", value: alt }] : [],
  };
}

/**
 * Puts a link in the place of each image, for what loads by itself tells a stranger who reads this, and when; and a
 * character in the place of a task's checkbox, for no text brings controls to the page.
 */
function rehypeInert() {
  const visit = (node, isInLink, depth) => {
    if (!node.children) return;
    if (depth > MAX_DEPTH) throw new RangeError("nested too deeply");
    node.children = node.children.map((child) => {
      if (child.tagName === "img") return inertImage(child.properties, isInLink);
      if (child.tagName === "input") return { type: "text", value: child.properties.checked ? "☑" : "☐" };
      visit(child, isInLink || child.tagName === "a", depth + 1);
      return child;
    });
  };
  return (tree) => visit(tree, false, 0);
}

const DIRECTED = new Set(["h1", "h2", "h3", "h4", "h5", "h6", "p", "td", "th"]);
const CONTAINERS = new Set(["blockquote", "li", "ol", "table", "ul"]);
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;

// The numbers of a list have the room that the longest takes.
function digitsOf({ properties, children }) {
  const last = (properties.start ?? 1) + children.filter(({ tagName }) => tagName === "li").length - 1;
  return `--digits: ${String(last).length}`;
}

// Each part has the direction of its own first word; so has what is around such parts, which a browser would pass over.
function rehypeLayout() {
  const visit = (node) => {
    if (DIRECTED.has(node.tagName)) node.properties.dir = "auto";
    if (node.tagName === "ol") node.properties.style = digitsOf(node);
    if (CONTAINERS.has(node.tagName)) node.properties.dir = RIGHT_TO_LEFT.test(/\p{L}/u.exec(textOf(node))?.[0] ?? "") ? "rtl" : "ltr";
    node.children?.forEach(visit);
  };
  return visit;
}

function createProcessor(math, cjk) {
  const processor = unified().use(remarkParse);
  if (cjk) processor.use(cjk.before);
  processor.use(remarkGfm, { singleTilde: false });
  if (cjk) processor.use(cjk.after);
  processor.use(remarkTruth);
  if (math) processor.use(...math.remarkPlugin);
  processor.use(remarkFences).use(remarkTables).use(remarkOperators).use(remarkHarmlessTags).use(remarkAddresses).use(remarkBreaks).use(remarkRehype);
  processor.use(rehypeInert).use(rehypeSanitize, SCHEMA).use(rehypeLayout);
  if (math) processor.use(math.rehypePlugin);
  return processor.freeze();
}

const processors = new Map();

function processorOf(math, cjk) {
  const key = `${Boolean(math)} ${Boolean(cjk)}`;
  if (!processors.has(key)) processors.set(key, createProcessor(math, cjk));
  return processors.get(key);
}

const REMEND = {
  comparisonOperators: false, // it would escape what is a quote at the end
  htmlTags: false,
  images: false,
  inlineKatex: false,
  katex: false,
  links: false,
  singleTilde: false,
  strikethrough: false,
};

/** What a text that grows will be if no more comes: of a link that is half written its text, of half a tag nothing. */
export const completed = (text) => remend(text.replace(BEGUN_LINK, "$1").replace(BEGUN_TAG, ""), REMEND);

/** The tree (hast) of a text; `isGrowing` says that it may go on. `math` and `cjk` are the parts that are loaded, or null. */
export function treeOf(text, isGrowing, math, cjk) {
  const processor = processorOf(math, cjk);
  const file = { value: text, data: { isGrowing } };
  return processor.runSync(processor.parse(text), file);
}
