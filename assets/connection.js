/** The page's connection: the sign that it is gone and then back, and what notices at once that it only seems to be there. */

import { createElement as h, useEffect, useRef, useState } from "react";

const PATIENCE_MS = 600; // for an answer, before the connection counts as dead
const HIDDEN_MS = 3_000; // out of sight for so long: it may have been lost unseen
const TICK_MS = 2_000;
const ASLEEP_MS = 15_000; // between two ticks: the machine slept
const BACK_MS = 2_500;

/** Calls `doubt` whenever the connection may have died unseen: on waking, on a new network, when somebody says so. */
function watch(doubt) {
  let hiddenAt = document.visibilityState === "hidden" ? Date.now() : Infinity;
  let tickAt = Date.now();
  const onVisibility = () => {
    if (document.visibilityState === "hidden") {
      hiddenAt = Date.now();
    } else {
      if (Date.now() - hiddenAt >= HIDDEN_MS) doubt();
      hiddenAt = Infinity;
    }
  };
  const onShow = ({ persisted }) => persisted && doubt();
  const timer = setInterval(() => {
    const isAwake = Date.now() - tickAt < ASLEEP_MS;
    tickAt = Date.now();
    if (!isAwake && document.visibilityState === "visible") doubt();
  }, TICK_MS);
  const listeners = [
    [document, "visibilitychange", onVisibility],
    [document, "resume", doubt],
    [document, "connection-doubt", doubt],
    [window, "pageshow", onShow],
    [window, "online", doubt],
  ];
  for (const [target, name, call] of listeners) target.addEventListener(name, call);
  return () => {
    clearInterval(timer);
    for (const [target, name, call] of listeners) target.removeEventListener(name, call);
  };
}

/**
 * Shows the sign while `isDown`, and for a moment that it is back.
 *
 * A socket may be dead for minutes before it is noticed. So after each doubt `onAsk(number)` asks the server, which
 * comes back in `answered`; without an answer the connection is given up, and Reflex makes a new one at once.
 */
export function Connection({ isDown, answered, words, icons, onAsk }) {
  const asked = useRef(0);
  const latest = useRef({});
  useEffect(() => {
    latest.current = { onAsk, answered, isDown };
  });
  useEffect(() => {
    let timer;
    const stop = watch(() => {
      clearTimeout(timer);
      asked.current = Date.now();
      latest.current.onAsk(asked.current);
      timer = setTimeout(() => {
        // engine.io closes its sockets on this event as if the network were gone (engine.io-client 6.6), and nothing
        // else here heeds it: the socket itself is out of reach in Reflex 0.10.
        if (latest.current.answered !== asked.current && !latest.current.isDown) dispatchEvent(new Event("offline"));
      }, PATIENCE_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, []);

  const wasDown = useRef(false);
  const [isBack, setIsBack] = useState(false);
  useEffect(() => {
    if (isDown) {
      wasDown.current = true;
      setIsBack(false);
      return undefined;
    }
    if (!wasDown.current) return undefined;
    wasDown.current = false;
    setIsBack(true);
    const timer = setTimeout(() => setIsBack(false), BACK_MS);
    return () => clearTimeout(timer);
  }, [isDown]);

  const sign = isDown ? ["offline", words.gone] : isBack ? ["check", words.back] : null;
  return h(
    "div",
    { role: "status", className: "connection-sign", "data-down": isDown ? "" : undefined },
    sign &&
      h(
        "p",
        null,
        h("svg", { viewBox: "0 0 24 24", className: "composer-icon", "aria-hidden": true }, icons[sign[0]].map((d) => h("path", { key: d, d }))),
        sign[1],
      ),
  );
}
