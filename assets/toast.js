/** A toast: what is shown for some seconds. */

import { createElement, useEffect, useRef, useState } from "react";

/** Shows its children until `ms` have passed, then calls `onOver`; while the pointer or the focus is in it, it stays. */
export function Toast({ ms, className, onOver, children }) {
  const [isHeld, setIsHeld] = useState(false);
  const over = useRef(onOver);
  useEffect(() => {
    over.current = onOver;
  });
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(() => over.current(), ms);
    return () => clearTimeout(timer);
  }, [ms, isHeld]);
  const hold = () => setIsHeld(true);
  const release = () => setIsHeld(false);
  return createElement(
    "div",
    { className, onPointerEnter: hold, onPointerLeave: release, onFocus: hold, onBlur: release },
    children,
  );
}
