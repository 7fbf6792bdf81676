import { describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { SharedTurns } from "../../src/core/shared-turns.js";

/** Keeps the processor busy for at least so many milliseconds. */
function busy(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

describe("shared turns", () => {
  it("resume one computation per turn of the event loop, however many are waiting", async () => {
    const turns = new SharedTurns();
    let turn = 0;
    let over = false;
    const count = () => {
      turn++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const steps: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const pauses = turns.begin();
        for (let step = 0; step < 5; step++) {
          await pauses.yield();
          steps.push(turn);
        }
      }),
    );
    over = true;
    expect(steps).toHaveLength(100);
    expect(new Set(steps).size).toBe(100);
  });

  it("prefer computations that have had less time", async () => {
    const turns = new SharedTurns();
    let done = false;
    let before = 0;
    const large = Array.from({ length: 10 }, async () => {
      const pauses = turns.begin();
      for (let step = 0; step < 20 && !done; step++) {
        busy(1);
        await pauses.yield();
        before++;
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    before = 0;
    const small = turns.begin();
    await small.yield();
    done = true;
    expect(before).toBeLessThanOrEqual(1);
    await Promise.all(large);
  });

  it("report the end of a slice and stop aborted computations", async () => {
    const controller = new AbortController();
    const pauses = new SharedTurns().begin(controller.signal);
    await pauses.yield();
    busy(10);
    expect(pauses.due).toBe(true);
    await pauses.yield();
    controller.abort();
    await expect(pauses.yield()).rejects.toThrow(AbortedError);
  });
});
