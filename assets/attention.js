/** What the server is told of the person at the page: whether they look at the end of the thread. */

import { useEffect, useRef } from "react";

const LOOK_EVERY_MS = 1_000;
const LOOKS = 2; // in a row: a glance on the way to somewhere else is none
const NEAR_PX = 40;
const BOX = ".scroll-follow-box";

function sees() {
  const box = document.querySelector(BOX);
  if (!box || document.visibilityState !== "visible") return false;
  return box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR_PX;
}

/**
 * Shows nothing. `onLook(isLooking)` is called when that has changed; and with each `opened` anew, for the server
 * knows nothing of what was before.
 */
export function Attention({ opened, onLook }) {
  const latest = useRef(onLook);
  useEffect(() => {
    latest.current = onLook;
  });

  useEffect(() => {
    if (!opened) return undefined;
    let looks = 0;
    let isLooking = false;
    const look = () => {
      looks = sees() ? looks + 1 : 0;
      if (looks >= LOOKS === isLooking) return;
      isLooking = !isLooking;
      latest.current(isLooking);
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
