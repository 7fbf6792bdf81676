// What TensorBoard reads. The fixture has the bytes of an event file and what TensorBoard 2.21 read from it (write it again with
// FOLDIN_UPDATE_FIXTURE=1 scripts/with-trackers.sh npx vitest run <this file>).

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTensorboard } from "../../../../src/experiments/trackers/tensorboard/tensorboard.js";
import { epochRecord, trackedRun } from "../../../support/tracked.js";

const python = process.env.FOLDIN_TRACKERS_PYTHON;
if (!python)
  console.log("skipped: FOLDIN_TRACKERS_PYTHON names no Python with TensorBoard (scripts/with-trackers.sh)");
const fixture = join(import.meta.dirname, "../fixtures/tensorboard.json");

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-tensorboard-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Read {
  readonly scalars: Record<string, [step: number, value: number][]>;
  readonly hparams: Record<string, unknown>;
  readonly status: number;
  readonly text: string;
}
const readWithPython = (folder: string): Read =>
  JSON.parse(
    execFileSync(
      String(python),
      [join(import.meta.dirname, "../../../support/tensorboard-check.py"), folder],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      },
    ),
  );

/** The training of the fixture: three epochs, one value that is not finite, a test. */
async function follow(folder: string): Promise<string> {
  let time = 1_700_000_000;
  const tracker = await openTensorboard(folder, { now: () => time++ });
  tracker.begin(trackedRun());
  for (const epoch of [1, 2, 3])
    tracker.epoch(epochRecord(epoch, epoch === 2 ? { kl: Number.NaN } : { kl: 1 }));
  tracker.end({ state: "finished", folder: undefined });
  tracker.report({ folder: "", epoch: 2, metrics: { "test/ndcg@100": 0.25 } });
  await tracker.close();
  const run = join(folder, "vae");
  return join(run, readdirSync(run)[0]);
}

const points = (value: (epoch: number) => number) => [1, 2, 3].map((epoch) => [epoch, value(epoch)]);
const expected = {
  scalars: {
    "train/learning rate": points(() => Math.fround(0.001)),
    "train/loss": points((epoch) => 10 - epoch),
    "train/kl": [
      [1, 1],
      [3, 1],
    ],
    "validation/ndcg@100": points((epoch) => epoch / 8),
    "time/training seconds": points(() => 0.5),
    "time/validation seconds": points(() => 0.25),
    "test/ndcg@100": [[3, 0.25]],
  },
  hparams: {
    ...{ model: "mult-vae", seed: 7, engine: "native", precision: "float32", dataset: "demo" },
    ...{ "dataset.users": 10, "dataset.items": 20, "dataset.interactions": 30 },
    ...{ hidden: "[600]", learningRate: 0.001, "weights.decay": 0.5, tied: true },
  },
  status: 1,
};

describe("an event file", () => {
  it("has the bytes from which TensorBoard read every value, option and the end", async () => {
    const bytes = readFileSync(await follow(join(home, "fixture"))).toString("base64");
    if (python && process.env.FOLDIN_UPDATE_FIXTURE)
      writeFileSync(
        fixture,
        `${JSON.stringify({ bytes, read: readWithPython(join(home, "fixture/vae")) }, null, 2)}\n`,
      );
    const { bytes: stored, read } = JSON.parse(readFileSync(fixture, "utf8")) as {
      bytes: string;
      read: Read;
    };
    expect(bytes).toBe(stored);
    expect(read).toMatchObject(expected);
    expect(read.scalars).toEqual(expected.scalars);
    expect(read.text).toContain("| learningRate | 0.001 |");
  });

  it.skipIf(!python)("is read by TensorBoard", async () => {
    await follow(join(home, "live"));
    const read = readWithPython(join(home, "live/vae"));
    expect(read).toMatchObject(expected);
    expect(read.scalars).toEqual(expected.scalars);
  });

  it("is begun with the first epoch, and not at all without one", async () => {
    const tracker = await openTensorboard(join(home, "none"));
    tracker.begin(trackedRun());
    tracker.end({ state: "failed", message: "diverged" });
    await tracker.close();
    expect(readdirSync(join(home, "none"))).toEqual([]);
  });
});

describe("a resumed training", () => {
  /** Epochs in one session. */
  async function session(
    folder: string,
    epochs: readonly number[],
    resumed: boolean,
    earlier: readonly number[] = [],
  ) {
    const tracker = await openTensorboard(folder);
    tracker.begin(trackedRun({ resumed, earlier: earlier.map((epoch) => epochRecord(epoch)) }));
    for (const epoch of epochs) tracker.epoch(epochRecord(epoch));
    tracker.end({ state: "stopped", message: "" });
    await tracker.close();
    return readdirSync(join(folder, "vae")).sort();
  }

  it("writes another file, which TensorBoard reads after the first one", async () => {
    const folder = join(home, "two");
    const [first] = await session(folder, [1, 2, 3], false);
    const both = await session(folder, [3, 4], true);
    expect([both.length, both[0]]).toEqual([2, first]);
    // SessionLog { status: START } at step 3.
    expect(readFileSync(join(folder, "vae", both[1])).toString("hex")).toContain("10033a020801");
  });

  it.skipIf(!python)("has every epoch once in TensorBoard", async () => {
    const folder = join(home, "once");
    await session(folder, [1, 2, 3, 4], false);
    await session(folder, [3, 4, 5], true, [1, 2, 3, 4]);
    expect(readWithPython(join(folder, "vae")).scalars["train/loss"].map(([step]) => step)).toEqual([
      1, 2, 3, 4, 5,
    ]);
    // A new training under the same name replaces the old one.
    await session(folder, [1, 2], false);
    expect(readWithPython(join(folder, "vae")).scalars["train/loss"].map(([step]) => step)).toEqual([1, 2]);
  });

  it.skipIf(!python)("has its earlier epochs too if they were not followed", async () => {
    const folder = join(home, "late");
    await session(folder, [3, 4], true, [1, 2, 3]);
    expect(readWithPython(join(folder, "vae")).scalars["train/loss"]).toEqual(
      [1, 2, 3, 4].map((k) => [k, 10 - k]),
    );
  });
});

it("a folder that can no longer be written ends the event files, with one line", async () => {
  const notes: string[] = [];
  const folder = join(home, "full");
  const tracker = await openTensorboard(folder, { onNote: (text) => notes.push(text) });
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in the way");
  tracker.begin(trackedRun());
  for (const epoch of [1, 2]) tracker.epoch(epochRecord(epoch));
  await tracker.close();
  expect(notes).toEqual([
    expect.stringMatching(
      /^warning: the event files in .* cannot be written: .*; training continues without them$/,
    ),
  ]);
  chmodSync(folder, 0o600);
  await expect(openTensorboard(folder)).rejects.toThrow(/full: .*file/);
});
