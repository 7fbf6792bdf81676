// Progress on stderr: a bar on a terminal, plain lines at a bearable rate elsewhere; both listen to the same events.
// Where one task runs inside another (validation inside training), only the outer one is shown.

import cliProgress from "cli-progress";
import type { ProgressEvent, ProgressListener } from "../core/progress.js";
import { clip, count, duration, number } from "./table.js";

export interface ProgressDisplay {
  readonly listener: ProgressListener;
  /** Runs `write` with the bar out of its way. */
  aside(write: () => void): void;
  /** Ends whatever is shown. */
  close(): void;
}

interface Task {
  readonly name: string;
  readonly total: number | undefined;
  readonly unit: string;
  readonly startedAt: number;
  done: number;
  values: Record<string, number>;
  /** From where the pace is measured: the start, or the first advance of work that was resumed midway. */
  paceFrom: { time: number; done: number } | undefined;
  shownAt: number;
}

const BAR_CELLS = 24;

export function createProgress(
  stream: NodeJS.WriteStream,
  now: () => number = () => performance.now() / 1000,
): ProgressDisplay {
  const terminal = stream.isTTY === true;
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
      format: () => clip(task ? barLine(task, now()) : "", (stream.columns ?? 80) - 1),
    });
    bar.start(task.total ?? 1, 0);
  };
  const hideBar = () => {
    bar?.stop();
    bar = undefined;
  };
  const line = (text: string) => {
    hideBar();
    stream.write(`${text}\n`);
    if (terminal) showBar();
  };

  const finish = () => {
    if (!task) return;
    const ended = task;
    hideBar();
    task = undefined;
    // What was over at once needs no word.
    if (now() - ended.startedAt >= 1) stream.write(`${summary(ended, now())}\n`);
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
        // A line every few seconds, ever fewer as the work goes on: an hour fills a screen, not a book.
        else if (time - task.shownAt >= Math.max(5, (time - task.startedAt) / 15)) {
          task.shownAt = time;
          stream.write(`${plainLine(task, time)}\n`);
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

function valuesText(task: Task): string {
  return Object.entries(task.values)
    .map(([name, value]) => `${name.replace("validation ", "")} ${number(value)}`)
    .join("  ");
}

function doneText(task: Task): string {
  const unit = task.unit === "" ? "" : ` ${task.unit}`;
  // A fraction of an epoch moves the bar, not the count.
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

function barLine(task: Task, time: number): string {
  if (task.total === undefined)
    return join([
      task.name,
      task.done > 0 ? doneText(task) : "",
      duration(time - task.startedAt),
      valuesText(task),
    ]);
  const filled = Math.round((BAR_CELLS * Math.min(task.done, task.total)) / Math.max(1, task.total));
  const cells = "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
  return join([task.name, cells, doneText(task), valuesText(task), leftText(task, time)]);
}

function plainLine(task: Task, time: number): string {
  return `${task.name}: ${join([doneText(task), valuesText(task), leftText(task, time)])}`;
}

function summary(task: Task, time: number): string {
  const done = task.done > 0 ? doneText(task) : "";
  return `${task.name}: ${join([done, valuesText(task), `took ${duration(time - task.startedAt)}`])}`;
}
