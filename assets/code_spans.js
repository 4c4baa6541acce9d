/** Code spans in a text: where a run of backticks has one of the same length that closes it. */

/** The closing run of each run of backticks, as the place after it, by the place of the opening one. */
export function codeSpans(text) {
  const next = new Map(); // length of a run -> the place after the next one so long
  const ends = new Map();
  for (const { 0: run, index } of [...text.matchAll(/`+/g)].reverse()) {
    if (next.has(run.length)) ends.set(index, next.get(run.length));
    next.set(run.length, index + run.length);
  }
  return ends;
}
