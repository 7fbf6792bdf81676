import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createProgress } from "../../src/cli/progress.js";
import { displayWidth } from "../../src/cli/table.js";
import type { ProgressEvent } from "../../src/core/progress.js";

/** A display on a stream that keeps what it gets, with a clock that we set. */
function display({ terminal }: { terminal: boolean }) {
  const clock = { now: 0 };
  let text = "";
  const stream = Object.assign(new PassThrough(), { isTTY: terminal, columns: 100 });
  stream.on("data", (chunk) => {
    text += String(chunk);
  });
  const progress = createProgress(stream as unknown as NodeJS.WriteStream, () => clock.now);
  const resize = (columns: number) => {
    stream.columns = columns;
  };
  return { clock, progress, resize, text: () => text };
}

const start: ProgressEvent = { type: "start", task: "training", total: 100, unit: "epochs" };

function advance(done: number, loss: number): ProgressEvent {
  return { type: "advance", task: "training", done, values: { loss, "validation ndcg@100": 0.4 } };
}

describe("progress without a terminal", () => {
  it("prints plain lines, a few seconds apart, with values and time left", () => {
    const { clock, progress, text } = display({ terminal: false });
    progress.listener(start);
    for (let epoch = 1; epoch <= 10; epoch++) {
      clock.now = epoch;
      progress.listener(advance(epoch, 400 - epoch));
    }
    expect(text().trimEnd().split("\n")).toEqual([
      "training: 5/100 epochs  loss 395  ndcg@100 0.4  1 min 35 s left",
      "training: 10/100 epochs  loss 390  ndcg@100 0.4  1 min 30 s left",
    ]);
  });

  it("counts whole epochs, and estimates the time of resumed work from where it resumed", () => {
    const { clock, progress, text } = display({ terminal: false });
    progress.listener(start);
    clock.now = 1;
    progress.listener(advance(60.25, 9));
    clock.now = 21;
    progress.listener(advance(70.25, 8));
    expect(text().split("\n").at(-2)).toBe("training: 70/100 epochs  loss 8  ndcg@100 0.4  1 min 0 s left");
  });

  it("prints fewer lines as time goes on: an hour fits on a screen", () => {
    const { clock, progress, text } = display({ terminal: false });
    progress.listener({ ...start, total: 3600 });
    for (let epoch = 1; epoch <= 3600; epoch++) {
      clock.now = epoch;
      progress.listener(advance(epoch, 1));
    }
    expect(text().split("\n").length).toBeLessThan(100);
  });

  it("prints a summary when the task ends, without escape sequences", () => {
    const { clock, progress, text } = display({ terminal: false });
    progress.listener(start);
    clock.now = 3;
    progress.listener(advance(100, 12.5));
    progress.listener({ type: "end", task: "training" });
    expect(text()).toBe("training: 100/100 epochs  loss 12.5  ndcg@100 0.4  took 3.0 s\n");
  });

  it("shows the outer of two nested tasks", () => {
    const { clock, progress, text } = display({ terminal: false });
    progress.listener(start);
    progress.listener({ type: "start", task: "validation", total: 10 });
    clock.now = 60;
    progress.listener({ type: "advance", task: "validation", done: 5 });
    progress.listener({ type: "end", task: "validation" });
    progress.listener(advance(1, 3));
    expect(text()).toMatch(/^training: 1\/100 epochs {2}loss 3 [^\n]*\n$/);
  });
});

describe("progress on a terminal", () => {
  it("draws a bar with values, moves it aside for notes, and leaves one line behind", () => {
    const { clock, progress, text } = display({ terminal: true });
    progress.listener(start);
    clock.now = 2;
    progress.listener(advance(50, 350));
    progress.listener({ type: "note", text: "resumed from epoch 12" });
    progress.listener(advance(100, 340));
    clock.now = 4;
    progress.listener({ type: "end", task: "training" });
    expect(text()).toContain("████████████░░░░░░░░░░░░");
    expect(text()).toMatch(/resumed from epoch 12\n/);
    expect(text()).toMatch(/training: 100\/100 epochs {2}loss 340 {2}ndcg@100 0.4 {2}took 4.0 s\n$/);
  });

  it("keeps the time left visible on a narrow terminal: the bar shrinks, then the last values are dropped", () => {
    const { clock, progress, text, resize } = display({ terminal: true });
    const values = { loss: 350.25, kl: 29.31, beta: 0.1234, "validation ndcg@100": 0.4321 };
    const lastLine = () =>
      text()
        .split("\n")
        .flatMap((line) => line.split("\u001b[1G"))
        .at(-1)
        ?.split("\u001b")[0] ?? "";
    progress.listener(start);
    clock.now = 1;
    progress.listener({ type: "advance", task: "training", done: 1, values });
    clock.now = 50;
    for (let columns = 140; columns >= 30; columns--) {
      resize(columns);
      progress.listener({ type: "advance", task: "training", done: 50, values });
      progress.listener({ type: "note", text: "redraw" });
      expect(displayWidth(lastLine()), lastLine()).toBeLessThan(columns);
      if (columns >= 45) expect(lastLine()).toMatch(/^training {2}█+░+ {2}50\/100 epochs {2}.*50 s left$/);
      if (columns >= 57) expect(lastLine()).toContain("loss 350.3");
      if (columns >= 87) expect(lastLine()).toContain("loss 350.3  beta 0.1234  ndcg@100 0.4321");
      expect(lastLine().includes("kl")).toBe(columns >= 97);
    }
    progress.close();
  });
});
