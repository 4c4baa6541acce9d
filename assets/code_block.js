/** A block of code: its language, a button that copies it, and its text, highlighted as far as that has come. */

import { createElement, memo, useContext, useEffect, useMemo, useRef, useState } from "react";
import { useCopied } from "$/public/clipboard.js";
import { KINDS } from "$/public/code_kinds.js";
import { grammarOf } from "$/public/code_languages.js";
import { Words } from "$/public/words.js";

const PIECE_LINES = 16; // what is highlighted, and rendered, at once
const MAX_RUNS = 500; // of a piece: one line may have thousands, and each is an element

// The pieces of code, of so many lines each; the last of code that still grows is not whole.
function piecesOf(code) {
  const pieces = [];
  let start = 0;
  let lines = 0;
  for (let newline = code.indexOf("\n"); newline >= 0; newline = code.indexOf("\n", newline + 1)) {
    lines += 1;
    if (lines % PIECE_LINES === 0) {
      pieces.push(code.slice(start, newline));
      start = newline + 1;
    }
  }
  return [...pieces, code.slice(start)];
}

// Text that somebody has selected is not replaced under their hands: its colours wait.
const isSelected = (element) => {
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && element && selection.containsNode(element, true));
};

function whenNotSelected(element, call) {
  if (!isSelected(element)) {
    call();
    return;
  }
  const look = () => {
    if (isSelected(element)) return;
    document.removeEventListener("selectionchange", look);
    call();
  };
  document.addEventListener("selectionchange", look);
}

function useHighlighting(pieces, language, isClosed) {
  const [runs, setRuns] = useState([]);
  const [isPlain, setPlain] = useState(false);
  const [block, setBlock] = useState(null);
  const element = useRef(null);
  useEffect(() => {
    if (!grammarOf(language)) return undefined;
    let opened = null;
    let isGone = false;
    const onPiece = (place, told) =>
      whenNotSelected(element.current?.children[place], () => {
        if (isGone) return;
        setRuns((before) => Object.assign([...before], { [place]: told.length > 2 * MAX_RUNS ? null : told }));
      });
    import("$/public/highlighter.js")
      .then(({ highlighter }) => {
        if (isGone) return;
        opened = highlighter.open(language, onPiece, () => setPlain(true));
        setBlock(opened);
      })
      .catch(() => setPlain(true));
    return () => {
      isGone = true;
      opened?.close();
      setBlock(null);
      setRuns([]);
    };
  }, [language]);
  useEffect(() => block?.take(isClosed ? pieces : pieces.slice(0, -1)), [block, pieces, isClosed]);
  return { runs, isPlain, element };
}

const Piece = memo(function Piece({ text, runs, isLast }) {
  const end = isLast ? "" : "\n";
  if (!runs) return createElement("span", null, [text + end]);
  let at = 0;
  const children = [];
  for (let place = 0; place < runs.length; place += 2) {
    const part = text.slice(at, at + runs[place]);
    const kind = runs[place + 1];
    at += runs[place];
    children.push(kind === 0 ? part : createElement("span", { key: place, className: `code-${KINDS[kind].name}` }, part));
  }
  return createElement("span", null, ...children, text.slice(at) + end);
});

const COPY = "M9 9h11v11H9zM5 15H4V4h11v1";
const CHECK = "M4 12.5l5 5L20 6.5";

const Mark = ({ path }) =>
  createElement(
    "svg",
    { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", strokeWidth: 2, "aria-hidden": true },
    createElement("path", { d: path, strokeLinecap: "round", strokeLinejoin: "round" }),
  );

function CopyCode({ code }) {
  const { copyCode, copied } = useContext(Words);
  const [isCopied, toClipboard] = useCopied();
  const copy = ({ currentTarget }) => toClipboard(code, currentTarget);
  return createElement(
    "button",
    { type: "button", className: "code-copy", onClick: copy, "aria-label": copyCode, title: copyCode },
    createElement(Mark, { path: isCopied ? CHECK : COPY }),
    createElement("span", { className: "sr-only", role: "status" }, isCopied ? copied : ""),
  );
}

/** Code in a language, "" if it has none; `isClosed` says that it grows no more. */
export const CodeBlock = memo(function CodeBlock({ code, language, isClosed }) {
  const { plainCode } = useContext(Words);
  const pieces = useMemo(() => piecesOf(code), [code]);
  const { runs, isPlain, element } = useHighlighting(pieces, language, isClosed);
  return createElement(
    "div",
    { className: "code-block", dir: "ltr" },
    createElement(
      "div",
      { className: "code-head" },
      createElement("span", { className: "code-language" }, language),
      isPlain && createElement("span", { className: "code-note" }, plainCode),
      createElement(CopyCode, { code }),
    ),
    createElement(
      "pre",
      null,
      createElement(
        "code",
        { ref: element },
        pieces.map((text, place) =>
          createElement(Piece, { key: place, text, runs: runs[place], isLast: place === pieces.length - 1 }),
        ),
      ),
    ),
  );
});
