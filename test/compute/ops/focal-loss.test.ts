import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { sum } from "../../../src/compute/objective.js";
import { focalLoss } from "../../../src/compute/ops/focal-loss.js";
import { Tape } from "../../../src/compute/tape.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { precisions } from "../../support/engine-names.js";

/** The loss of one item with three equal logits, in the target or not, and its gradient in one of them. */
async function at(engine: Engine, logit: number, inTarget: boolean) {
  const tape = new Tape(engine);
  const [a, b, c] = [0, 1, 2].map(() => tape.input(engine.tensor(1, 1, [logit])));
  const target = tape.sparse(fromRows(1, [inTarget ? [0] : []]));
  const loss = focalLoss(tape, [a, b, c], target, { alpha: 0.25, gamma: 2 });
  tape.backward(sum(loss));
  const numbers = await Promise.all([loss.value, a.gradient()].map((tensor) => engine.read(tensor)));
  tape.dispose();
  return numbers.map(([number]) => number);
}

describe.each(precisions(1e-12, 1e-5))("the focal loss on the %s engine", (_, tolerance, open) => {
  it("grows with log(1 - p) down to 1e-37 and stays there, with finite gradients", async () => {
    const engine = await open();
    // 1 - p is 3 e^-l up to terms of e^-2l: 1e-37 at l = 86.295.
    for (const logit of [85, 86, 86.2, 86.29, 86.3, 86.4, 87, 120, 1000]) {
      const [loss, gradient] = await at(engine, logit, false);
      const expected = 0.75 * Math.min(logit - Math.log(3), 37 * Math.log(10));
      expect(Math.abs(loss / expected - 1), `${logit}`).toBeLessThan(tolerance);
      expect(Number.isFinite(gradient)).toBe(true);
    }
    await engine.close();
  });

  it("is -alpha log p for an item of the target whose p underflows", async () => {
    const engine = await open();
    for (const logit of [-40, -60, -120, -1000]) {
      const [loss, gradient] = await at(engine, logit, true);
      expect(Math.abs(loss / (0.25 * -3 * logit) - 1), `${logit}`).toBeLessThan(tolerance * 10);
      expect(Math.abs(gradient + 0.25), `${logit}`).toBeLessThan(tolerance);
    }
    await engine.close();
  });
});
