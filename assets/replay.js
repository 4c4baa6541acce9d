/**
 * Replays: a reply that has ended, shown again as it grew, from its timeline of `[length, milliseconds]`.
 *
 * Lengths count code points. It is for the one tab that asked, and touches no text: at its end the text itself is there.
 */

import { createElement, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { durationOf, lengthAt } from "$/public/timeline.js";

const SPEEDS = [1, 2, 4];
const TICK_MS = 50;
const AT_END_MS = 700; // the whole text stands for so long before the replay goes

const expected = new Set(); // names of texts whose timeline was asked for here
const running = new Map(); // name -> { steps, speed, at, since }
const listeners = new Set();
let timer = null;

const tell = () => listeners.forEach((listener) => listener());

function tick() {
  const now = performance.now();
  for (const [name, replay] of running) {
    const at = replay.at + (now - replay.since) * replay.speed;
    if (at > durationOf(replay.steps) + AT_END_MS * replay.speed) running.delete(name);
    else running.set(name, { ...replay, at, since: now });
  }
  if (running.size === 0) {
    clearInterval(timer);
    timer = null;
  }
  tell();
}

/** Begins what this tab has asked for; what another page of it once asked for is of no interest. */
export function takeTimeline([name, steps]) {
  if (!expected.delete(name) || steps.length === 0) return;
  running.set(name, { steps, speed: 1, at: 0, since: performance.now() });
  timer ??= setInterval(tick, TICK_MS);
  tell();
}

function stop(name) {
  running.delete(name);
  tell();
}

function setSpeed(name, speed) {
  const replay = running.get(name);
  if (replay) running.set(name, { ...replay, speed });
  tell();
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The replay of the text called `name`, or undefined. */
export function useReplay(name) {
  const read = useCallback(() => running.get(name), [name]);
  useEffect(() => () => void running.delete(name), [name]); // out of sight it has nobody to play for
  return useSyncExternalStore(subscribe, read, read);
}

/** How much of its text a replay shows now; nothing glides for who wants less motion. */
export function shownLength({ steps, at }) {
  return lengthAt(steps, at, matchMedia("(prefers-reduced-motion: reduce)").matches);
}

const clock = (ms) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1_000) % 60).padStart(2, "0")}`;

/** What a replay is steered by. */
export function ReplayBar({ name, replay, endLabel, speedLabel }) {
  const total = durationOf(replay.steps);
  return createElement(
    "div",
    { className: "replay-bar" },
    createElement("button", { type: "button", onClick: () => stop(name), autoFocus: true }, endLabel),
    createElement("progress", { max: total || 1, value: Math.min(replay.at, total), "aria-hidden": true }),
    createElement("span", { className: "tabular-nums", "aria-hidden": true }, `${clock(Math.min(replay.at, total))} / ${clock(total)}`),
    createElement(
      "span",
      { role: "group", "aria-label": speedLabel },
      SPEEDS.map((speed) =>
        createElement(
          "button",
          { key: speed, type: "button", "aria-pressed": replay.speed === speed, onClick: () => setSpeed(name, speed) },
          `${speed}×`,
        ),
      ),
    ),
  );
}

/** A button that has the text called `name` replayed; `onReplay` asks for its timeline. */
export function ReplayButton({ name, label, className, onReplay, children }) {
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    if (!isAsking) return undefined;
    const timeout = setTimeout(() => setAsking(false), 1_000); // a second press within it is the same one
    return () => clearTimeout(timeout);
  }, [isAsking]);
  const ask = () => {
    if (isAsking) return;
    setAsking(true);
    expected.add(name);
    onReplay();
  };
  return createElement("button", { type: "button", onClick: ask, className, "aria-label": label, title: label }, children);
}
