/** A message's text on the page, block by block: a person's as it was written, a reply's as Markdown. */

import { Component, createElement, Fragment, memo, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { readMessage } from "$/public/chat_text.js";
import { CodeBlock } from "$/public/code_block.js";
import { keepSelection } from "$/public/growing_text.js";
import { Link, Markdown } from "$/public/markdown.js";
import { createBlocks } from "$/public/text_blocks.js";
import { costOfMessage, LIMITS } from "$/public/text_guard.js";
import { Words } from "$/public/words.js";

// A hundred messages at once would hold up the page for seconds. So what has ended takes turns, the newest first and as
// many as the reader is about to see before the first paint; until its turn a block shows its text as it is.
const SLICE_MS = 12; // what was made in it is laid out after it
const BETWEEN_MS = 8;
const waiting = [];
let isTakingTurns = false;

function takeTurns() {
  const end = performance.now() + SLICE_MS;
  let isOver = false;
  while (waiting.length > 0 && !isOver) {
    const { take, isLast } = waiting.pop();
    flushSync(take);
    isOver = isLast || performance.now() > end;
  }
  isTakingTurns = waiting.length > 0;
  if (isTakingTurns) setTimeout(takeTurns, BETWEEN_MS);
}

/** Waits until everything has had its turn. */
export const whenRendered = () =>
  new Promise((resolve) => {
    const look = () => (isTakingTurns ? setTimeout(look, BETWEEN_MS) : resolve());
    setTimeout(look);
  });

// With `isLast` it is the last of its slice, for it takes more to lay out than to make.
function useTurn(isFirst, isLast = false) {
  const [hasTurn, setHasTurn] = useState(isFirst);
  useLayoutEffect(() => {
    if (hasTurn) return undefined;
    const turn = { take: () => setHasTurn(true), isLast };
    waiting.push(turn);
    if (!isTakingTurns) {
      isTakingTurns = true;
      queueMicrotask(takeTurns);
    }
    return () => {
      const place = waiting.indexOf(turn);
      if (place >= 0) waiting.splice(place, 1);
    };
  }, [hasTurn, isLast]);
  return hasTurn;
}

// UTF-16 units of plain text that are laid out at once: in some scripts the time for it grows with their square.
const PART = 2_000;

// A text in parts that end with a line, or, where a line is longer than that, anywhere.
function partsOf(text) {
  const parts = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.lastIndexOf("\n", start + PART);
    const end = text.length - start <= PART ? text.length : newline > start ? newline : start + PART;
    parts.push(text.slice(start, end));
    start = text[end] === "\n" ? end + 1 : end;
  }
  return parts;
}

const PlainPart = memo(({ text }) => createElement("div", { className: "message-plain" }, [text]));

function PlainInTurn({ text, isFirst }) {
  return useTurn(isFirst, true) ? createElement(PlainPart, { text }) : null;
}

// Each part in its turn; with `isFirst` the first one is there at once.
const Plain = ({ text, isFirst }) =>
  partsOf(text.trimEnd()).map((part, place) => createElement(PlainInTurn, { key: place, text: part, isFirst: isFirst && place === 0 }));

const TooMuch = ({ text, isFirst, words }) =>
  createElement(
    Fragment,
    null,
    createElement(Plain, { text, isFirst }),
    createElement("p", { className: "message-note" }, words.tooMuch),
  );

// Shows the text itself where its Markdown cannot be rendered: one block never takes the page with it.
class PlainOnError extends Component {
  state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  render() {
    return this.state.hasFailed ? createElement(Plain, { text: this.props.text, isFirst: true }) : this.props.children;
  }
}

function InTurn({ isFirst, text, children }) {
  return useTurn(isFirst) ? createElement(PlainOnError, { text }, children) : createElement(Plain, { text, isFirst: true });
}

const Block = memo(function Block({ kind, text, language, isClosed, isGrowing, words }) {
  if (kind === "plain") return createElement(TooMuch, { text, isFirst: isGrowing, words });
  const content =
    kind === "code"
      ? createElement(CodeBlock, { code: text, language, isClosed: isClosed || !isGrowing })
      : createElement(Markdown, { text, isGrowing });
  return createElement(InTurn, { isFirst: isGrowing, text }, content);
});

// Blocks that come to the page at once, the last ones of a text first: no more are added once they are so many, cost so
// much or have so many UTF-16 units.
const SECTION = { blocks: 20, cost: 300, length: 4_000 };

function Section({ isFirst, children }) {
  return useTurn(isFirst) ? children : null;
}

// The blocks in sections. What a block grows to changes nothing in those before it.
function sectionsOf(blocks) {
  const sections = [];
  let [cost, length] = [Infinity, 0];
  blocks.forEach((block, place) => {
    if (cost >= SECTION.cost || length >= SECTION.length || sections.at(-1).blocks.length >= SECTION.blocks) {
      sections.push({ start: place, blocks: [] });
      cost = length = 0;
    }
    sections.at(-1).blocks.push(block);
    cost += block.total - (blocks[place - 1]?.total ?? 0);
    length += block.text.length;
  });
  return sections;
}

/** A reply; `isLive` says that it grows. What is replayed keeps its place, so that nothing below it moves. */
export const ReplyText = memo(function ReplyText({ text, isLive, isReplayed = false, words }) {
  const [blocksOf] = useState(createBlocks);
  const element = useRef(null);
  const blocks = blocksOf(text);
  useLayoutEffect(() => {
    if (isLive) keepSelection(element.current.lastElementChild);
  });
  const sections = sectionsOf(blocks).map(({ start, blocks: some }) => {
    const elements = some.map(({ kind, text: shown, language, isClosed }, place) =>
      createElement(Block, { key: place, kind, text: shown, language, isClosed, isGrowing: isLive && start + place === blocks.length - 1, words }),
    );
    return createElement(Section, { key: start, isFirst: start + some.length === blocks.length }, elements);
  });
  const props = { ref: element, className: "message-text", "data-by": "ai", "data-live": isLive || undefined, "data-replayed": isReplayed ? "" : undefined };
  return createElement(Words, { value: words }, createElement("div", props, sections));
});

const elementOf = (part, key) => {
  if (typeof part === "string") return part;
  const children = part.children.map(elementOf);
  if (part.tag === "a") return createElement(Link, { key, href: part.href, title: part.href }, ...children);
  if (part.tag === "mention") return createElement("span", { key, className: "message-mention" }, ...children);
  return createElement(part.tag, { key }, ...children);
};

function nodeOf(node, key) {
  if (node.kind === "code") return createElement(CodeBlock, { key, code: node.text, language: node.language, isClosed: true });
  if (node.kind === "quote") return createElement("blockquote", { key, dir: "auto" }, node.children.map(nodeOf));
  if (node.kind === "list") {
    const items = node.items.map(({ mark, children }, place) =>
      createElement("li", { key: place, className: "message-item", dir: "auto", style: { "--mark": mark.length } }, mark, ...children.map(elementOf)),
    );
    return createElement("ul", { key, className: "message-list" }, items);
  }
  return createElement("div", { key, className: "message-lines" }, ...node.children.map(elementOf));
}

const PersonNodes = ({ text }) => readMessage(text).map(nodeOf);

/** A person's message. */
export const PersonText = memo(function PersonText({ text, words }) {
  const shown =
    costOfMessage(text) > LIMITS.block
      ? createElement(TooMuch, { text, isFirst: false, words })
      : createElement(InTurn, { isFirst: false, text }, createElement(PersonNodes, { text }));
  return createElement(Words, { value: words }, createElement("div", { className: "message-text", "data-by": "person" }, shown));
});
