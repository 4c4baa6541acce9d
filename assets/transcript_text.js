/**
 * What of the transcript lives in the browser: the text of each message, the time it was sent, the place the reader is at.
 *
 * Texts never pass through React's props. `TextFeed` takes every frame from the live state at the moment it arrives and
 * each `MessageText` reads the one text it names, so that a frame costs the rendering of one message.
 */

import {
  Component,
  createElement,
  memo,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { flushSync } from "react-dom";
import { code } from "@streamdown/code";
import { defaultRehypePlugins, Streamdown } from "streamdown";
import { StateStoreContext } from "$/utils/context-registry";
import { createGuard } from "$/public/text_guard.js";
import { createTextStore } from "$/public/text_store.js";

const texts = createTextStore();

/**
 * Brings the frames of the live state to the texts; placed once on a page.
 *
 * React may render two updates as one, and then the frames of the first were never seen: hence the state's own store,
 * which calls at once for each update (reflex 0.10.1).
 */
export function TextFeed({ state, field, onGap }) {
  const states = useContext(StateStoreContext);
  const latestOnGap = useRef(onGap);
  useEffect(() => {
    latestOnGap.current = onGap;
  });
  useLayoutEffect(() => {
    const take = () => texts.accept(states.getSnapshot(state)?.[field] ?? []);
    take();
    return states.subscribe(state, take);
  }, [states, state, field]);
  useEffect(() => texts.onGap((name, have) => latestOnGap.current?.(name, have)), []);
  return null;
}

/** What there is of the text `name`. */
export const textOf = (name) => texts.read(name);

function useText(name) {
  const subscribe = useCallback((listener) => texts.subscribe(name, listener), [name]);
  const read = useCallback(() => texts.read(name), [name]);
  return useSyncExternalStore(subscribe, read, read);
}

// Markdown -------------------------------------------------------------------------------------------------------

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
  defaultRehypePlugins.raw,
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

// The ids that a link inside the text would lead to are taken out above, so it is shown as text.
function Link({ href, title, "data-image": image, children }) {
  if (!href || href.startsWith("#")) return createElement("span", null, children);
  const away = { href, title, target: "_blank", rel: "noopener noreferrer nofollow ugc" };
  return image === undefined
    ? createElement("a", { ...away, className: "message-link" }, children)
    : createElement("a", { ...away, className: "message-image" }, createElement(ImageLabel, { href, alt: children }));
}

// The page's policy lets no image in from elsewhere, so a click shows it in a tab of its own.
const ImageLabel = ({ href, alt }) => [
  createElement("span", { key: "alt" }, alt),
  createElement("small", { key: "from" }, `Show image from ${new URL(href, ORIGIN).host}`),
];

const COMPONENTS = { a: Link };
const PLUGINS = { code };
const CONTROLS = { code: { copy: true, download: false }, table: false };
const REMEND = { linkMode: "text-only" };
const LINK_SAFETY = { enabled: false };
const THEMES = ["github-light", "github-dark-default"]; // "github-dark" has comments that are too faint to read

const Markdown = memo(({ text, isLive }) =>
  createElement(
    Streamdown,
    {
      mode: "streaming",
      isAnimating: isLive,
      parseIncompleteMarkdown: isLive,
      rehypePlugins: REHYPE_PLUGINS,
      components: COMPONENTS,
      plugins: PLUGINS,
      controls: CONTROLS,
      remend: REMEND,
      linkSafety: LINK_SAFETY,
      shikiTheme: THEMES,
      lineNumbers: false,
      codeBlockMaxHeight: 0,
      tableMaxHeight: 0,
    },
    text,
  ),
);
Markdown.displayName = "Markdown";

const PlainText = ({ text }) => createElement("div", { className: "message-plain" }, text);

/** Shows the text itself where its Markdown cannot be rendered: one message never takes the page with it. */
class PlainOnError extends Component {
  state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  render() {
    return this.state.hasFailed ? createElement(PlainText, { text: this.props.text }) : this.props.children;
  }
}

const Thinking = ({ label }) =>
  createElement(
    "span",
    { className: "message-thinking", role: "img", "aria-label": label },
    createElement("i"),
    createElement("i"),
    createElement("i"),
  );

// A hundred messages at once would hold up the page for seconds. So finished ones take turns, the newest first and as
// many as the reader is about to see before the first paint; until its turn a message shows its text as it is.
const SLICE_MS = 50;
const BETWEEN_MS = 16;
const waiting = [];
let isTakingTurns = false;

function takeTurns() {
  const start = performance.now();
  while (waiting.length > 0 && performance.now() - start < SLICE_MS) flushSync(waiting.pop());
  isTakingTurns = waiting.length > 0;
  if (isTakingTurns) setTimeout(takeTurns, BETWEEN_MS);
}

function useTurn(isFirst) {
  const [hasTurn, setHasTurn] = useState(isFirst);
  useLayoutEffect(() => {
    if (hasTurn) return undefined;
    const take = () => setHasTurn(true);
    waiting.push(take);
    if (!isTakingTurns) {
      isTakingTurns = true;
      queueMicrotask(takeTurns);
    }
    return () => {
      const place = waiting.indexOf(take);
      if (place >= 0) waiting.splice(place, 1);
    };
  }, [hasTurn]);
  return hasTurn;
}

function RenderedText({ text, isLive }) {
  const [guard] = useState(createGuard);
  const hasTurn = useTurn(isLive);
  return hasTurn && !guard.isTooMuch(text)
    ? createElement(PlainOnError, { text }, createElement(Markdown, { text, isLive }))
    : createElement(PlainText, { text });
}

/**
 * The text of the message `name`, as Markdown.
 *
 * `live` says that it may still grow; until its first character comes, `thinking` names the three dots in its place.
 * People's line ends are kept as they typed them, the AI's are Markdown's.
 */
export const MessageText = memo(function MessageText({ name, live, byAi, thinking }) {
  const text = useText(name);
  if (text === "") return live ? createElement(Thinking, { label: thinking }) : null;
  return createElement(
    "div",
    { className: "message-text", "data-live": live || undefined, "data-by": byAi ? "ai" : "person", dir: "auto" },
    createElement(RenderedText, { key: name, text, isLive: live }),
  );
});

// Time -----------------------------------------------------------------------------------------------------------

/** A time in the reader's language and zone; `at` is seconds since the epoch. */
export const LocalTime = memo(function LocalTime({ at, className }) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const isToday = date.toDateString() === new Date().toDateString();
  const day = date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  return createElement(
    "time",
    { dateTime: date.toISOString(), title: date.toLocaleString(), className, suppressHydrationWarning: true },
    isToday ? time : `${day}, ${time}`,
  );
});

// Scrolling ------------------------------------------------------------------------------------------------------

const NEAR_PX = 40;

const distanceToEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

/**
 * A box that stays at its end while its content grows, as long as the reader is there.
 *
 * Scrolling up leaves the end, scrolling down to it or sending a message ("message-sent" on the document) comes back.
 * Away from the end a button leads there; `newLabel` is on it when something came since, else `endLabel` names it.
 */
export function ScrollFollow({ label, newLabel, endLabel, children }) {
  const box = useRef(null);
  const content = useRef(null);
  const isFollowing = useRef(true);
  const lastTop = useRef(0);
  const heightWhenLeft = useRef(0);
  const [below, setBelow] = useState("");

  const toEnd = useCallback(() => {
    isFollowing.current = true;
    box.current.scrollTop = box.current.scrollHeight;
    setBelow("");
  }, []);

  useLayoutEffect(() => {
    toEnd();
    const watch = new ResizeObserver(() => {
      if (isFollowing.current) box.current.scrollTop = box.current.scrollHeight;
      else if (content.current.offsetHeight > heightWhenLeft.current) setBelow("new");
    });
    watch.observe(box.current);
    watch.observe(content.current);
    document.addEventListener("message-sent", toEnd);
    return () => {
      watch.disconnect();
      document.removeEventListener("message-sent", toEnd);
    };
  }, [toEnd]);

  const onScroll = useCallback(() => {
    const { scrollTop } = box.current;
    const distance = distanceToEnd(box.current);
    if (scrollTop < lastTop.current && distance > 1) {
      if (isFollowing.current) heightWhenLeft.current = content.current.offsetHeight;
      isFollowing.current = false;
    } else if (distance <= NEAR_PX && scrollTop >= lastTop.current) {
      isFollowing.current = true;
    }
    lastTop.current = scrollTop;
    setBelow((was) => (isFollowing.current || distance <= NEAR_PX ? "" : was || "end"));
  }, []);

  return createElement(
    "div",
    { className: "scroll-follow" },
    createElement(
      "div",
      { ref: box, onScroll, className: "scroll-follow-box", tabIndex: 0, role: "log", "aria-live": "off", "aria-label": label },
      createElement("div", { ref: content }, children),
    ),
    below &&
      createElement(
        "button",
        { type: "button", className: "scroll-follow-end", onClick: toEnd, "aria-label": endLabel, "data-new": below === "new" || undefined },
        below === "new" ? newLabel : null,
        createElement("span", { "aria-hidden": true }, "↓"),
      ),
  );
}
