/** What the server is told of the person at the page: whether they look at the end of the thread, and that they type. */

import { useEffect, useRef } from "react";
import { TYPING_LASTS_MS } from "$/public/shared.js";

const LOOK_EVERY_MS = 1_000;
const LOOKS = 2; // in a row: a glance on the way to somewhere else is none
const TYPES_EVERY_MS = TYPING_LASTS_MS / 2;
const NEAR_PX = 40;
const BOX = ".scroll-follow-box";
const COMPOSER = ".composer-text";

function sees() {
  const box = document.querySelector(BOX);
  if (!box || document.visibilityState !== "visible") return false;
  return box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR_PX;
}

/**
 * Shows nothing. `onLook(isLooking)` is called when that has changed; and with each `opened` anew, for the server
 * knows nothing of what was before. `onType()` is called while something is being typed, now and then.
 */
export function Attention({ opened, onLook, onType }) {
  const latest = useRef({});
  useEffect(() => {
    latest.current = { onLook, onType };
  });

  useEffect(() => {
    let typedAt = -Infinity;
    const type = ({ target }) => {
      if (!target.matches(COMPOSER) || target.value.trim() === "" || performance.now() - typedAt < TYPES_EVERY_MS) return;
      typedAt = performance.now();
      latest.current.onType();
    };
    const send = () => {
      typedAt = -Infinity;
    };
    document.addEventListener("input", type);
    document.addEventListener("message-sent", send);
    return () => {
      document.removeEventListener("input", type);
      document.removeEventListener("message-sent", send);
    };
  }, [opened]);

  useEffect(() => {
    if (!opened) return undefined;
    let looks = 0;
    let isLooking = false;
    const look = () => {
      looks = sees() ? looks + 1 : 0;
      if (looks >= LOOKS === isLooking) return;
      isLooking = !isLooking;
      latest.current.onLook(isLooking);
    };
    const leave = () => document.visibilityState === "visible" || look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    document.addEventListener("visibilitychange", leave);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", leave);
    };
  }, [opened]);
  return null;
}
