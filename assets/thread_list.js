/** The list of threads: sorted and grouped by day, narrowed as somebody types, with marks of what is new and what runs. */

import { createElement, memo, useEffect, useMemo, useRef, useState } from "react";
import { Link } from "react-router";
import { SIDEBAR_ROW } from "$/public/shared.js";
import { grouped, matching, merged } from "$/public/sidebar_rows.js";

const ASK_AFTER_MS = 250;
const MANY = 99;
const DRAWER = "sidebar";

function closeDrawer() {
  const drawer = document.getElementById(DRAWER);
  if (drawer?.matches(":popover-open")) drawer.hidePopover();
}

function focusSearch(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
  const drawer = document.getElementById(DRAWER);
  const search = drawer?.querySelector("input[type=search]");
  if (!search || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  if (search.offsetParent === null) drawer.showPopover();
  search.focus();
  search.select();
}

// The arrows go from link to link, and from the first one back to the field.
function onArrow(event) {
  const around = event.currentTarget;
  const links = [...around.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const search = around.querySelector("input");
  const next = {
    ArrowDown: links[at + 1],
    ArrowUp: at > 0 ? links[at - 1] : search,
    Home: at < 0 ? null : links[0],
    End: at < 0 ? null : links.at(-1),
    Enter: document.activeElement === search ? links[0] : null,
  }[event.key];
  if (!next || event.nativeEvent.isComposing) return;
  event.preventDefault();
  if (event.key === "Enter") next.click();
  else next.focus();
}

const ThreadLink = memo(function ThreadLink({ id, title, unread, isLive, isCurrent, words, onChoose }) {
  const isNew = unread > 0 && !isCurrent && !isLive;
  return createElement(
    "li",
    null,
    createElement(
      Link,
      {
        to: `/t/${id}`,
        className: "thread-link",
        "aria-current": isCurrent ? "page" : undefined,
        "data-unread": isNew || undefined,
        onClick: onChoose,
      },
      createElement("span", { className: "thread-title", dir: "auto" }, title || words.untitled),
      isLive && createElement("span", { className: "thread-live", title: words.live }, createElement("span", { className: "sr-only" }, words.live)),
      isNew &&
        createElement(
          "span",
          { className: "thread-unread" },
          unread > MANY ? `${MANY}+` : unread,
          createElement("span", { className: "sr-only" }, ` ${words.unread}`),
        ),
    ),
  );
});

/**
 * The list and the field that narrows it.
 *
 * `threads` and `fresh` are rows; `found` is `[query, rows]`, what the server has found for a query beyond these.
 * `onSearch(query)` asks it.
 */
export const ThreadList = memo(function ThreadList({ threads, fresh, found, current, words, onSearch }) {
  const [query, setQuery] = useState("");
  const asked = useRef(onSearch);
  useEffect(() => {
    asked.current = onSearch;
  });
  const sought = query.trim(); // not deferred: Enter chooses the first of what is listed
  useEffect(() => {
    document.addEventListener("keydown", focusSearch);
    return () => document.removeEventListener("keydown", focusSearch);
  }, []);
  useEffect(() => {
    if (sought === "") return undefined;
    const timer = setTimeout(() => asked.current(sought), ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [sought]);

  const rows = useMemo(() => merged(threads, fresh), [threads, fresh]);
  const groups = useMemo(() => {
    if (sought === "") return grouped(rows, Date.now(), words);
    const here = matching(rows, sought, words.untitled);
    const known = new Set(rows.map((row) => row[SIDEBAR_ROW.thread]));
    const beyond = found[0] === sought ? found[1].filter((row) => !known.has(row[SIDEBAR_ROW.thread])) : [];
    const shown = [...here, ...beyond];
    return shown.length > 0 ? [[words.found, shown]] : [];
  }, [rows, sought, found, words]);

  const choose = () => {
    setQuery("");
    closeDrawer();
  };
  const onEscape = (event) => {
    if (event.key !== "Escape" || query === "") return;
    event.preventDefault(); // the drawer stays
    setQuery("");
  };

  const empty = sought === "" ? words.none : found[0] === sought ? words.noMatch : "";
  return createElement(
    "div",
    { className: "thread-list", onKeyDown: onArrow },
    createElement("input", {
      type: "search",
      className: "thread-search",
      value: query,
      maxLength: 100,
      placeholder: words.search,
      "aria-label": words.search,
      "aria-keyshortcuts": "Control+K Meta+K",
      autoComplete: "off",
      spellCheck: false,
      onChange: (event) => setQuery(event.target.value),
      onKeyDown: onEscape,
    }),
    createElement(
      "nav",
      { className: "thread-groups", "aria-label": words.threads },
      groups.map(([name, group]) =>
        createElement(
          "section",
          { key: name },
          createElement("h2", { className: "thread-group" }, name),
          createElement(
            "ul",
            null,
            group.map((row) =>
              createElement(ThreadLink, {
                key: row[SIDEBAR_ROW.thread],
                id: row[SIDEBAR_ROW.thread],
                title: row[SIDEBAR_ROW.title],
                unread: row[SIDEBAR_ROW.unread],
                isLive: row[SIDEBAR_ROW.live] === 1,
                isCurrent: row[SIDEBAR_ROW.thread] === current,
                words,
                onChoose: choose,
              }),
            ),
          ),
        ),
      ),
      createElement("p", { className: "thread-none", role: "status" }, groups.length === 0 ? empty : null),
    ),
  );
});
