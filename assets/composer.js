/**
 * The composer: a message is written, sent, and kept until the server has it.
 *
 * What was sent stays with its nonce until the server says that it is stored, over a lost connection and a reload, and
 * is sent again then; the nonce makes it one message. What the server refuses comes back, before what was typed since.
 */

import { createElement as h, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "react-router";
import { completed, completionAt, joined, lengthOf, mentionsAi, withMention, withoutMention } from "$/public/composer_text.js";
import { createDrafts } from "$/public/drafts.js";
import { MAX_TEXT, PERSON_HERE, ROW } from "$/public/shared.js";
import { lastRowOf, textOf } from "$/public/transcript_feed.js";

const NONCE_BYTES = 12;
const SAVE_MS = 400;
const LATE_MS = 1_500; // until a message that is not confirmed says so
const DOUBT_MS = 4_000; // until the connection is looked at
const NEAR = 0.9; // of the limit: from here on the count is shown
const GROWS_BY_ITSELF = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

const THREAD = /^\/t\/([^/]+)\/?$/;

const drafts = createDrafts();

// Not crypto.randomUUID, which exists on secure pages alone: a chat on a local network has none.
const newNonce = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** For a button whose data-compose is a text: it stands in the composer then. */
export const compose = ({ currentTarget }) =>
  document.dispatchEvent(new CustomEvent("compose", { detail: currentTarget.dataset.compose }));

/** For a button whose data-edit names a message's text as "message.version": it can be edited in the composer then. */
export const editMessage = ({ currentTarget }) =>
  document.dispatchEvent(new CustomEvent("edit-message", { detail: currentTarget.dataset.edit }));

const Icon = ({ paths, size }) =>
  h(
    "svg",
    { viewBox: "0 0 24 24", className: `composer-icon ${size ?? ""}`, "aria-hidden": true, focusable: false },
    paths.map((d) => h("path", { key: d, d })),
  );

// The text box is the browser's: React takes over late, and must not lose what was typed before it did.
function useBox() {
  const box = useRef(null);
  const [text, setText] = useState("");
  const put = useCallback((value, caret = value.length) => {
    box.current.value = value;
    box.current.setSelectionRange(caret, caret);
    fit(box.current);
    setText(value);
  }, []);
  return { box, text, setText, put };
}

// For browsers that do not fit a field to its content.
function fit(box) {
  if (GROWS_BY_ITSELF) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

/** The list of those whom an "@" may mean, driven from the text box; `take` and `leave` end it. */
function useCompletion(people, box, put) {
  const [state, setState] = useState(null); // { from, choices, at }
  const left = useRef(-1); // where an "@" stands that was not to be completed
  const look = useCallback(() => {
    const { value, selectionStart, selectionEnd } = box.current;
    const found = selectionStart === selectionEnd ? completionAt(value, selectionStart, people) : null;
    if (found === null) left.current = -1;
    setState((was) => {
      if (found === null || found.from === left.current) return null;
      return { ...found, at: was?.from === found.from ? Math.min(was.at, found.choices.length - 1) : 0 };
    });
  }, [people, box]);
  const close = useCallback(() => setState(null), []);
  const take = useCallback(
    (at) => {
      const { value, selectionStart } = box.current;
      const next = completed(value, state.from, selectionStart, state.choices[at].name);
      put(next.text, next.caret);
      setState(null);
    },
    [state, box, put],
  );
  const onKey = (event) => {
    if (state === null) return false;
    const { from, choices, at } = state;
    const step = { ArrowDown: 1, ArrowUp: choices.length - 1 }[event.key];
    if (step !== undefined) setState({ from, choices, at: (at + step) % choices.length });
    else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) take(at);
    else if (event.key === "Escape") {
      left.current = from;
      setState(null);
    } else return false;
    event.preventDefault();
    return true;
  };
  return { completion: state, look, close, take, onKey };
}

/** The messages of this thread that were sent and are not stored yet; `onBack` is given those that are refused. */
function useUnsent({ me, thread, opened, isDown, stored, refused, onSend, onEdit, onBack }) {
  const [unsent, setUnsent] = useState([]);
  const transmit = useCallback(
    ({ nonce, text, message }) => {
      if (message) onEdit(message, text, nonce);
      else onSend(text, nonce);
    },
    [onSend, onEdit],
  );
  const drop = useCallback(
    (nonces) => {
      for (const nonce of nonces) drafts.confirm(me, thread, nonce);
      setUnsent((items) => items.filter(({ nonce }) => !nonces.includes(nonce)));
    },
    [me, thread],
  );
  useEffect(() => setUnsent(me && thread ? drafts.unsent(me, thread) : []), [me, thread]);
  // Each time the page has come back to the server, and of another one at first: nobody knows what arrived.
  const latest = useRef({});
  useEffect(() => {
    latest.current = { transmit, drop, unsent, onBack };
  });
  useEffect(() => {
    if (isDown || !me || !thread || !opened) return;
    for (const item of drafts.unsent(me, thread)) latest.current.transmit(item);
  }, [opened, isDown, me, thread]);
  useEffect(() => {
    latest.current.drop(stored);
  }, [stored]);
  useEffect(() => {
    const back = latest.current.unsent.filter(({ nonce }) => refused.includes(nonce));
    latest.current.drop(back.map(({ nonce }) => nonce));
    if (back.length > 0) latest.current.onBack(back);
  }, [refused]);
  const send = (text, message) => {
    const item = { nonce: newNonce(), text, message };
    drafts.send(me, thread, item);
    setUnsent((items) => [...items, item]);
    if (!isDown) transmit(item);
  };
  const takeBack = () => {
    drop(unsent.map(({ nonce }) => nonce));
    onBack(unsent);
  };
  return { unsent, send, takeBack };
}

/** Whether something has been there for `ms` without a break. */
function useLasting(isThere, ms) {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    if (!isThere) return setLasts(false);
    const timer = setTimeout(() => setLasts(true), ms);
    return () => clearTimeout(timer);
  }, [isThere, ms]);
  return lasts;
}

/** Keeps what stands in the box as this person's draft in this thread, and brings it back. */
function useDraft({ me, thread, text, box, put, isEditing }) {
  const shown = useRef({ me: 0, thread: "" });
  const save = useCallback(() => {
    const of = shown.current;
    if (of.me && of.thread && !isEditing) drafts.write(of.me, of.thread, text);
  }, [text, isEditing]);
  const latestSave = useRef(save);
  useEffect(() => {
    latestSave.current = save;
  });
  useLayoutEffect(() => {
    const before = shown.current;
    if (!me || !thread || (before.me === me && before.thread === thread)) return;
    latestSave.current();
    // What was typed before the page knew where it is belongs here; what was typed elsewhere stays there.
    const typed = before.thread === "" ? box.current.value : "";
    shown.current = { me, thread };
    const draft = drafts.read(me, thread);
    const value = draft === "" ? typed : joined(draft, typed);
    if (value !== box.current.value) put(value);
  }, [me, thread, box, put]);
  useEffect(() => {
    const timer = setTimeout(save, SAVE_MS);
    return () => clearTimeout(timer);
  }, [text, save]);
  useEffect(() => {
    const now = () => latestSave.current();
    const onHide = () => document.visibilityState === "hidden" && now();
    addEventListener("pagehide", now);
    document.addEventListener("visibilitychange", onHide);
    return () => {
      now();
      removeEventListener("pagehide", now);
      document.removeEventListener("visibilitychange", onHide);
    };
  }, []);
}

const LIST = "composer-choices";
const choiceId = (at) => `composer-choice-${at}`;

function Choices({ completion, take, words }) {
  return h(
    "ul",
    { id: LIST, role: "listbox", "aria-label": words.choices, className: "composer-choices" },
    completion.choices.map(({ name, isAi, hue }, at) =>
      h(
        "li",
        {
          key: isAi ? "" : name,
          id: choiceId(at),
          role: "option",
          "aria-selected": at === completion.at,
          onPointerDown: (event) => event.preventDefault(), // the text box keeps the focus
          onClick: () => take(at),
        },
        isAi
          ? h("span", { className: "composer-choice-ai", "aria-hidden": true }, "@")
          : h("span", { className: "person-dot", style: { "--hue": hue }, "aria-hidden": true }),
        h("span", null, name),
        isAi && h("small", null, words.choiceAi),
      ),
    ),
  );
}

/** Takes the place of a composer whose person was signed out: nothing of theirs stays in the browser. */
export function ForgetDrafts() {
  useEffect(() => drafts.clear(), []);
  return null;
}

/** Where a message is written; `onSend(text, nonce)` and `onEdit(message, text, nonce)` are given each until stored. */
export function Composer(props) {
  const { me, shown, people, here, always, isDown, words, icons } = props;
  // By the address, and not by the state, which follows it: what is sent goes to the address's thread.
  const thread = THREAD.exec(useLocation().pathname)?.[1] ?? "";
  const { box, text, setText, put } = useBox();
  const [editing, setEditing] = useState(null); // { message, before, draft }
  const [hasty, setHasty] = useState(null); // what was to be sent before the page knew for whom
  const others = useMemo(() => {
    const byId = new Map(Object.entries(people).map(([id, person]) => [Number(id), person]));
    for (const each of here) {
      byId.set(each[PERSON_HERE.id], { name: each[PERSON_HERE.name], hue: each[PERSON_HERE.hue] });
    }
    byId.delete(me);
    return [...byId.values()];
  }, [people, here, me]);
  const { completion, look, close, take, onKey } = useCompletion(others, box, put);

  const beginEdit = useCallback(
    (message, before, now = before) => {
      setEditing((was) => ({ message, before, draft: was ? was.draft : box.current.value }));
      put(now);
      box.current.focus();
    },
    [box, put],
  );
  const endEdit = useCallback(() => {
    put(editing.draft);
    setEditing(null);
    box.current.focus();
  }, [editing, box, put]);

  const onBack = useCallback(
    (items) => {
      const [first] = items;
      if (items.length === 1 && first.message && !editing && box.current.value.trim() === "") {
        beginEdit(first.message, "", first.text);
        return;
      }
      const back = items.map((item) => item.text).join("\n\n");
      if (editing) setEditing({ ...editing, draft: joined(back, editing.draft) });
      else put(joined(back, box.current.value));
    },
    [editing, beginEdit, box, put],
  );
  const { unsent, send, takeBack } = useUnsent({ ...props, thread, onBack });
  const isLate = useLasting(unsent.length > 0, LATE_MS);
  const isDoubtful = useLasting(unsent.length > 0 && !isDown, DOUBT_MS);
  useEffect(() => {
    if (isDoubtful) document.dispatchEvent(new Event("connection-doubt"));
  }, [isDoubtful]);

  useDraft({ me, thread, text, box, put, isEditing: editing !== null });
  useEffect(() => {
    setText(box.current.value); // what was typed before this came to life
  }, [box, setText]);
  useEffect(() => setEditing(null), [thread]);
  useEffect(() => {
    const onCompose = ({ detail }) => {
      put(joined(detail, ""));
      box.current.focus();
    };
    const onEdit = ({ detail }) => beginEdit(Number(detail.split(".")[0]), textOf(detail));
    document.addEventListener("compose", onCompose);
    document.addEventListener("edit-message", onEdit);
    return () => {
      document.removeEventListener("compose", onCompose);
      document.removeEventListener("edit-message", onEdit);
    };
  }, [box, put, beginEdit]);

  const length = text.length < MAX_TEXT * NEAR ? 0 : lengthOf(text);
  const isOver = length > MAX_TEXT;
  const isAsking = always || mentionsAi(text);

  const submit = () => {
    const written = box.current.value;
    box.current.focus();
    if (written.trim() === "" || lengthOf(written) > MAX_TEXT || !thread) return;
    if (!me) {
      setHasty(written); // the page does not know yet who writes
      return;
    }
    close();
    if (editing) {
      if (written.trim() !== editing.before.trim()) send(written, editing.message);
      endEdit();
      return;
    }
    send(written, 0);
    put("");
    drafts.write(me, thread, "");
    document.dispatchEvent(new Event("message-sent"));
  };

  const latestSubmit = useRef(submit);
  useEffect(() => {
    latestSubmit.current = submit;
  });
  useEffect(() => {
    if (!me || hasty === null) return;
    setHasty(null);
    if (box.current.value === hasty) latestSubmit.current();
  }, [me, hasty, box]);

  const toggleAsk = () => {
    const { value, selectionEnd } = box.current;
    const next = mentionsAi(value) ? withoutMention(value) : withMention(value);
    put(next, Math.max(0, next.length - (value.length - selectionEnd)));
    box.current.focus();
    look();
  };

  const onKeyDown = (event) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    const isPlain = !(event.shiftKey || event.altKey || event.ctrlKey || event.metaKey);
    if (onKey(event)) return;
    if (event.key === "Escape" && editing) {
      event.preventDefault();
      endEdit();
    } else if (event.key === "ArrowUp" && isPlain && !editing && box.current.value === "" && lastRowOf(me) && shown === thread) {
      event.preventDefault();
      const row = lastRowOf(me);
      beginEdit(row[ROW.message], textOf(`${row[ROW.message]}.${row[ROW.version]}`));
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      if (event.repeat) return;
      if ((event.ctrlKey || event.metaKey) && !always && !editing && box.current.value.trim() !== "") {
        put(withMention(box.current.value));
      }
      submit();
    }
  };

  return h(
    "form",
    {
      className: "composer",
      "data-editing": editing ? "" : undefined,
      onSubmit: (event) => {
        event.preventDefault();
        submit();
      },
    },
    h(
      "div",
      { role: "status", className: "composer-waiting" },
      (isLate || (unsent.length > 0 && isDown)) &&
        h(
          "p",
          null,
          h(Icon, { paths: icons.clock }),
          h("span", null, isDown ? words.waiting : words.sending),
          isDown && h("button", { type: "button", onClick: takeBack }, words.takeBack),
        ),
    ),
    h(
      "div",
      { className: "composer-box" },
      completion && h(Choices, { completion, take, words }),
      editing &&
        h(
          "p",
          { className: "composer-editing" },
          h(Icon, { paths: icons.pencil }),
          h("span", null, words.editing),
          h("button", { type: "button", onClick: endEdit }, words.cancel),
        ),
      h("textarea", {
        id: "composer",
        ref: box,
        name: "text",
        rows: 1,
        autoFocus: true,
        autoComplete: "off",
        placeholder: always ? words.placeholderAlways : words.placeholder,
        className: "composer-text",
        dir: "auto",
        enterKeyHint: "send",
        "aria-label": editing ? words.editLabel : words.label,
        "aria-describedby": "composer-hint composer-count",
        "aria-autocomplete": "list",
        "aria-haspopup": "listbox",
        "aria-controls": completion ? LIST : undefined,
        "aria-activedescendant": completion ? choiceId(completion.at) : undefined,
        "aria-invalid": isOver || undefined,
        onKeyDown,
        onInput: (event) => {
          fit(event.currentTarget);
          setText(event.currentTarget.value);
          look();
        },
        onClick: look,
        onBlur: close,
        onKeyUp: (event) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && look(),
      }),
      h(
        "div",
        { className: "composer-tools" },
        !always &&
          !editing &&
          h(
            "button",
            { type: "button", className: "composer-ask", "aria-pressed": isAsking, title: words.askTitle, onClick: toggleAsk },
            h(Icon, { paths: icons.river }),
            words.ask,
          ),
        h(
          "span",
          { id: "composer-count", className: "composer-count", "data-over": isOver ? "" : undefined },
          length > 0 && `${length.toLocaleString()} / ${MAX_TEXT.toLocaleString()}`,
        ),
        h(
          "button",
          {
            type: "submit",
            className: "composer-send",
            "aria-label": editing ? words.save : words.send,
            "aria-disabled": text.trim() === "" || isOver,
          },
          h(Icon, { paths: editing ? icons.check : icons.send, size: "composer-icon-large" }),
        ),
      ),
    ),
    h("span", { role: "status", className: "sr-only" }, isOver ? words.tooLong : completion ? words.choicesHint : ""),
  );
}
