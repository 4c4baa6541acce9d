/** Timelines: how a text grew, as steps `[length, milliseconds]`; lengths count code points. */

/** How many milliseconds it took until all of the text stood there. */
export const durationOf = (steps) => steps.at(-1)[1];

/** How much of the text stood there after `ms`; with `isStepwise` it comes as it was stored, and not evenly between. */
export function lengthAt(steps, ms, isStepwise = false) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle][1] <= ms) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return steps[0][0];
  const [length, at] = steps[low - 1];
  if (low === steps.length || isStepwise) return length;
  const [next, then] = steps[low];
  return Math.floor(length + ((next - length) * (ms - at)) / (then - at));
}

/** The first `length` code points of a text. */
export const firstOf = (text, length) => (/[\uD800-\uDFFF]/.test(text) ? Array.from(text).slice(0, length).join("") : text.slice(0, length));
