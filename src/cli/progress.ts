// Progress on stderr: a bar on a terminal, occasional plain lines elsewhere. Both display the same events. If a task runs
// inside another one (validation inside training), only the outer task is shown.

import cliProgress from "cli-progress";
import { duration } from "../core/duration.js";
import { printable } from "../core/printable.js";
import type { ProgressEvent, ProgressListener } from "../core/progress.js";
import { clip, count, displayWidth, number } from "./table.js";

export interface ProgressDisplay {
  readonly listener: ProgressListener;
  /** Runs `write` while the bar is hidden. */
  aside(write: () => void): void;
  /** Removes the bar. */
  close(): void;
}

interface Task {
  readonly name: string;
  readonly total: number | undefined;
  readonly unit: string;
  readonly startedAt: number;
  done: number;
  values: Record<string, number>;
  /** The origin for the time estimate: the start, or the first advance of resumed work. */
  paceFrom: { time: number; done: number } | undefined;
  shownAt: number;
}

const BAR_CELLS = 24;
const SHORTEST_BAR = 8;

export function createProgress(
  stream: NodeJS.WriteStream,
  now: () => number = () => performance.now() / 1000,
): ProgressDisplay {
  const terminal = stream.isTTY === true;
  const columns = () => (stream.columns ?? 80) - 1;
  let task: Task | undefined;
  let bar: cliProgress.SingleBar | undefined;

  const showBar = () => {
    if (!task || bar) return;
    bar = new cliProgress.SingleBar({
      stream,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      linewrap: false,
      fps: 10,
      gracefulExit: false,
      format: () => clip(task ? printable(barLine(task, now(), columns())) : "", columns()),
    });
    bar.start(task.total ?? 1, 0);
  };
  const hideBar = () => {
    bar?.stop();
    bar = undefined;
  };
  const line = (text: string) => {
    hideBar();
    stream.write(`${printable(text)}\n`);
    if (terminal) showBar();
  };

  const finish = () => {
    if (!task) return;
    const ended = task;
    hideBar();
    task = undefined;
    // Tasks under a second are not reported.
    if (now() - ended.startedAt >= 1) stream.write(`${printable(summary(ended, now()))}\n`);
  };

  const listener = (event: ProgressEvent) => {
    const time = now();
    switch (event.type) {
      case "start":
        if (task) return;
        task = {
          name: event.task,
          total: event.total,
          unit: event.unit ?? "",
          startedAt: time,
          done: 0,
          values: {},
          paceFrom: undefined,
          shownAt: time,
        };
        if (terminal) showBar();
        return;
      case "advance": {
        if (!task || task.name !== event.task) return;
        task.paceFrom ??= event.done <= 1 ? { time: task.startedAt, done: 0 } : { time, done: event.done };
        task.done = event.done;
        task.values = { ...task.values, ...event.values };
        if (terminal) bar?.update(Math.min(event.done, task.total ?? 1));
        else if (task.done === task.total) return;
        // One line every few seconds at first, then less often: an hour of work prints about one screen.
        else if (time - task.shownAt >= Math.max(5, (time - task.startedAt) / 15)) {
          task.shownAt = time;
          stream.write(`${printable(plainLine(task, time))}\n`);
        }
        return;
      }
      case "end":
        if (task?.name === event.task) finish();
        return;
      case "note":
        line(event.text);
        return;
      default:
        event satisfies never;
    }
  };

  return {
    listener,
    aside(write) {
      hideBar();
      write();
      if (terminal) showBar();
    },
    close() {
      hideBar();
      task = undefined;
    },
  };
}

/** The values by importance: loss, beta, validation metrics, others. The last `dropped` values are omitted. */
function valuesText(task: Task, dropped = 0): string {
  const order = (name: string) =>
    name === "loss" ? 0 : name === "beta" ? 1 : name.startsWith("validation") ? 2 : 3;
  const values = Object.entries(task.values).sort(([a], [b]) => order(a) - order(b));
  return values
    .slice(0, Math.max(0, values.length - dropped))
    .map(([name, value]) => `${name.replace("validation ", "")} ${number(value)}`)
    .join("  ");
}

function doneText(task: Task): string {
  const unit = task.unit === "" ? "" : ` ${task.unit}`;
  // Fractions of an epoch only move the bar.
  const done = count(Math.floor(task.done));
  return task.total === undefined ? `${done}${unit}` : `${done}/${count(task.total)}${unit}`;
}

function leftText({ total, done, paceFrom }: Task, time: number): string {
  if (total === undefined || !paceFrom || done <= paceFrom.done || done >= total) return "";
  const secondsPerUnit = (time - paceFrom.time) / (done - paceFrom.done);
  return `${duration(Math.max(0, secondsPerUnit * (total - done)))} left`;
}

function join(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("  ");
}

/** One line of at most `cells` cells. The bar uses the remaining width; values are dropped from the end until it fits. */
function barLine(task: Task, time: number, cells: number): string {
  const { name, total } = task;
  if (total === undefined)
    return join([
      name,
      task.done > 0 ? doneText(task) : "",
      duration(time - task.startedAt),
      valuesText(task),
    ]);
  const share = Math.min(task.done / Math.max(1, total), 1);
  for (let dropped = 0; ; dropped++) {
    const values = valuesText(task, dropped);
    const words = [doneText(task), values, leftText(task, time)];
    const room = Math.min(BAR_CELLS, cells - displayWidth(join([name, ...words])) - 2);
    if (room >= SHORTEST_BAR || values === "") {
      const filled = Math.round(Math.max(0, room) * share);
      return join([name, "█".repeat(filled) + "░".repeat(Math.max(0, room - filled)), ...words]);
    }
  }
}

function plainLine(task: Task, time: number): string {
  return `${task.name}: ${join([doneText(task), valuesText(task), leftText(task, time)])}`;
}

function summary(task: Task, time: number): string {
  const done = task.done > 0 ? doneText(task) : "";
  return `${task.name}: ${join([done, valuesText(task), `took ${duration(time - task.startedAt)}`])}`;
}
