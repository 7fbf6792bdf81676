import { expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { reshape } from "../../../src/compute/ops/reshape.js";
import { Tape } from "../../../src/compute/tape.js";
import { viewColumns } from "../../../src/compute/tensor.js";

it("a tensor with gaps is not reshaped", () => {
  const engine = new ReferenceEngine();
  const tape = new Tape(engine);
  const x = tape.constant(viewColumns(engine.zeros(2, 4), 0, 2));
  expect(() => reshape(tape, x, 4, 1)).toThrow(RangeError);
  expect(() => reshape(tape, tape.constant(engine.zeros(2, 4)), 3, 3)).toThrow(RangeError);
});
