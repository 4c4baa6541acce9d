/** Printing: the page has only the newest messages of a long thread, and paper is to have all. */

import { useEffect, useState } from "react";
import { whenRendered } from "$/public/rendered_text.js";

/**
 * Whether the keys for printing were pressed while there are earlier messages: their caller then fetches them until there
 * are none, and the browser's own dialog opens. Where there are none, the keys are the browser's.
 */
export function usePrinting(hasEarlier) {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    if (!hasEarlier) return undefined;
    const onKey = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "p") return;
      event.preventDefault();
      setPrinting(true);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [hasEarlier]);
  useEffect(() => {
    if (!isPrinting || hasEarlier) return;
    setPrinting(false);
    void whenRendered().then(() => window.print());
  }, [isPrinting, hasEarlier]);
  return isPrinting;
}
