import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { Adam } from "../../src/compute/optimizers.js";
import type { Tape } from "../../src/compute/tape.js";
import { fromRows } from "../../src/sparse/csr.js";
import { DivergedError } from "../../src/training/divergence.js";
import { minimise, updatesPerPass } from "../../src/training/minimise.js";

/** An objective that is worth `value`. */
function worth(tape: Tape, value: number) {
  const one = tape.empty(1, 1);
  tape.engine.fill(one, 1);
  return sum(tape.constant(one)).times(value);
}

/** A loss of 2 per user, with another part of 10 per entry. */
function pass(engine: ReferenceEngine, users: number, batchSize: number) {
  const seen: { update: number; entries: number; rows: number }[] = [];
  const histories = fromRows(
    100,
    Array.from({ length: users }, (_, user) => Array.from({ length: user }, (_, i) => i)),
  );
  const order = Uint32Array.from({ length: users }, (_, i) => users - 1 - i);
  const run = minimise({
    engine,
    histories,
    batchSize,
    epoch: { number: 3, order, updates: 40 },
    optimizer: new Adam(engine, []),
    reports: ["loss", "entries"],
    loss(tape, batch, update) {
      seen.push({ update, entries: batch.entries, rows: batch.rows });
      return { loss: worth(tape, 2 * batch.rows), parts: { entries: worth(tape, 10 * batch.entries) } };
    },
  });
  return { run, seen };
}

describe("one pass of updates", () => {
  it("goes through the users in order, the last batch being smaller, and counts on", async () => {
    const { run, seen } = pass(new ReferenceEngine(), 7, 3);
    const { updates, means } = await run;
    expect(seen).toEqual([
      { update: 41, rows: 3, entries: 6 + 5 + 4 },
      { update: 42, rows: 3, entries: 3 + 2 + 1 },
      { update: 43, rows: 1, entries: 0 },
    ]);
    expect(updates).toBe(43);
    expect(updates - 40).toBe(updatesPerPass(7, 3));
    expect(means).toEqual({ loss: 2, entries: (10 * 21) / 7 });
  });

  it("runs ahead of a slow engine, but never by more than three updates", async () => {
    const engine = new ReferenceEngine();
    const read = engine.read.bind(engine);
    let waiting = 0;
    let most = 0;
    engine.read = async (tensor) => {
      const value = read(tensor);
      most = Math.max(most, ++waiting);
      await new Promise((resolve) => setTimeout(resolve, 2));
      waiting--;
      return value;
    };
    const { run, seen } = pass(engine, 20, 1);
    await run;
    expect(seen).toHaveLength(20);
    expect(most).toBe(3);
    expect(waiting).toBe(0);
  });

  it("leaves nothing in the engine, also on a failure", async () => {
    const engine = new ReferenceEngine();
    await pass(engine, 9, 2).run;
    const before = engine.memory();
    await pass(engine, 9, 2).run;
    const failing = minimise({
      engine,
      histories: fromRows(3, [[0], [1], [2]]),
      batchSize: 1,
      epoch: { number: 1, order: Uint32Array.of(0, 1, 2), updates: 0 },
      optimizer: new Adam(engine, []),
      reports: ["loss"],
      loss: (tape, _, update) => ({ loss: worth(tape, update === 2 ? Number.NaN : 1) }),
    });
    await expect(failing).rejects.toThrow(DivergedError);
    await expect(failing).rejects.toThrow(/epoch 1, update 2/);
    expect(engine.memory()).toBe(before);
  });
});
