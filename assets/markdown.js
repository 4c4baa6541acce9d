/** Markdown as people and models write it, rendered so that nothing in it runs, loads or takes anything from the page. */

import { Component, createContext, createElement, memo, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { code } from "@streamdown/code";
import { defaultRehypePlugins, Streamdown } from "streamdown";
import { hasMath, isTooMuchMath, withDollars } from "$/public/math_text.js";

const [sanitize, sanitizeSchema] = defaultRehypePlugins.sanitize;
const [harden, hardenOptions] = defaultRehypePlugins.harden;
const REFUSED_TAGS = new Set(["img", "picture", "source", "input"]);
const REFUSED_ATTRIBUTES = new Set(["name", "id", "itemProp", "accessKey", "tabIndex"]);
const WEB = ["http", "https"];
const ORIGIN = typeof window === "undefined" ? "http://localhost" : window.location.origin;
const MAX_DEPTH = 250; // elements in one another; the guard lets no text come near
const INCOMPLETE_IMAGE = "streamdown:incomplete-image"; // streamdown's address while an image is half written

const allowed = (attributes) =>
  attributes.filter((attribute) => !REFUSED_ATTRIBUTES.has(Array.isArray(attribute) ? attribute[0] : attribute));

const SCHEMA = {
  ...sanitizeSchema,
  clobberPrefix: "user-content-",
  tagNames: sanitizeSchema.tagNames.filter((tag) => !REFUSED_TAGS.has(tag)),
  attributes: {
    ...Object.fromEntries(
      Object.entries(sanitizeSchema.attributes)
        .filter(([tag]) => !REFUSED_TAGS.has(tag))
        .map(([tag, attributes]) => [tag, allowed(attributes)]),
    ),
    a: [...allowed(sanitizeSchema.attributes.a), "dataImage"],
  },
  protocols: { ...sanitizeSchema.protocols, href: [...WEB, "mailto"], src: WEB },
};

// The address of an image on the web, with its host, or "": `harden` would take `//host/path` for a path of this server.
function webAddress(src) {
  if (!src || typeof src !== "string" || src === INCOMPLETE_IMAGE) return "";
  try {
    const address = new URL(src, ORIGIN);
    return WEB.includes(address.protocol.slice(0, -1)) ? address.href : "";
  } catch {
    return "";
  }
}

// An image becomes a link that says so in `dataImage`, for `Link` to show it as one.
function inertImage({ src, alt }, isInLink) {
  const address = isInLink ? "" : webAddress(src);
  return {
    type: "element",
    tagName: address ? "a" : "span",
    properties: address ? { href: address, dataImage: "" } : {},
    children: alt ? [{ type: "text", value: alt }] : [],
  };
}

/**
 * Puts a link in the place of each image, for what loads by itself tells a stranger who reads this, and when; and a
 * character in the place of a task's checkbox, for no text brings controls to the page. What is nested too deeply fails
 * here, where the boundary around the message catches it: a thousand levels overflow React's own stack once the text
 * is on the page, and end the page with it (react 19).
 */
function inert() {
  const visit = (node, isInLink, depth) => {
    if (!node.children) return;
    if (depth > MAX_DEPTH) throw new RangeError("nested too deeply");
    node.children = node.children.map((child) => {
      if (child.tagName === "img") return inertImage(child.properties, isInLink);
      if (child.tagName === "input") return { type: "text", value: child.properties.checked ? "☑" : "☐" };
      if (child.properties) delete child.properties.dataImage;
      visit(child, isInLink || child.tagName === "a", depth + 1);
      return child;
    });
  };
  return (tree) => visit(tree, false, 0);
}

const REHYPE_PLUGINS = [
  inert,
  [sanitize, SCHEMA],
  [
    harden,
    {
      ...hardenOptions,
      allowedImagePrefixes: [],
      allowDataImages: false,
      allowedProtocols: ["mailto:"],
      defaultOrigin: ORIGIN,
      linkBlockPolicy: "text-only",
    },
  ],
];
// To parse HTML takes a seventh of the rendering, also where there is none.
const WITH_HTML = [defaultRehypePlugins.raw, ...REHYPE_PLUGINS];

// The ids that a link inside the text would lead to are taken out above, so it is shown as text.
function Link({ href, title, "data-image": image, children }) {
  if (!href || href.startsWith("#")) return createElement("span", null, children);
  const away = { href, title, target: "_blank", rel: "noopener noreferrer nofollow ugc" };
  return image === undefined
    ? createElement("a", { ...away, className: "message-link" }, children)
    : createElement("a", { ...away, className: "message-image" }, createElement(ImageLabel, { href, alt: children }));
}

const Words = createContext({});

// The page's policy lets no image in from elsewhere, so a click shows it in a tab of its own.
function ImageLabel({ href, alt }) {
  const { imageFrom } = useContext(Words);
  const from = imageFrom.replace("{host}", () => new URL(href, ORIGIN).host);
  return [createElement("span", { key: "alt" }, alt), createElement("small", { key: "from" }, from)];
}

const COMPONENTS = { a: Link };
const PLUGINS = { code };

// Mathematics, a third of a megabyte with its fonts, is loaded with the first text that has some.
let withMath = null; // the plugins with it, once it is there
let isLoading = false;
const listeners = new Set();

async function loadMath() {
  if (isLoading) return;
  isLoading = true;
  try {
    const { math } = await import("$/public/math.js");
    withMath = { code, math };
    for (const listener of listeners) listener();
  } catch {
    isLoading = false; // the network: the next text tries again
  }
}

const onMath = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

const readMath = () => withMath;

function usePlugins(needsMath) {
  const plugins = useSyncExternalStore(onMath, readMath, readMath);
  useEffect(() => {
    if (needsMath && plugins === null) void loadMath();
  }, [needsMath, plugins]);
  return (needsMath && plugins) || PLUGINS;
}

const CONTROLS = { code: { copy: true, download: false }, table: false };
const REMEND = { linkMode: "text-only" };
const LINK_SAFETY = { enabled: false };
const THEMES = ["github-light", "github-dark-default"]; // "github-dark" has comments that are too faint to read

/** A text as Markdown; `isLive` says that it still grows, and may be cut off anywhere. `words` stay the same object. */
export const Markdown = memo(({ text, isLive, words }) => {
  const mathText = hasMath(text) ? withDollars(text) : null;
  const needsMath = mathText !== null && !isTooMuchMath(mathText);
  const plugins = usePlugins(needsMath);
  const remarkRehypeOptions = useMemo(() => ({ footnoteLabel: words.footnotes }), [words]);
  const rendered = createElement(
    Streamdown,
    {
      mode: "streaming",
      isAnimating: isLive,
      parseIncompleteMarkdown: isLive,
      remarkRehypeOptions,
      rehypePlugins: text.includes("<") ? WITH_HTML : REHYPE_PLUGINS,
      components: COMPONENTS,
      plugins,
      controls: CONTROLS,
      remend: REMEND,
      linkSafety: LINK_SAFETY,
      shikiTheme: THEMES,
      lineNumbers: false,
      codeBlockMaxHeight: 0,
      tableMaxHeight: 0,
      translations: words,
    },
    plugins === PLUGINS ? text : mathText,
  );
  return createElement(Words, { value: words }, rendered);
});
Markdown.displayName = "Markdown";

/** A text as it is. */
export const PlainText = ({ text }) => createElement("div", { className: "message-plain" }, text);

/** Shows the text itself where its Markdown cannot be rendered: one message never takes the page with it. */
export class PlainOnError extends Component {
  state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  render() {
    return this.state.hasFailed ? createElement(PlainText, { text: this.props.text }) : this.props.children;
  }
}
