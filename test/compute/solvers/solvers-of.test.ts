import { expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { solversOf } from "../../../src/compute/solvers/solvers-of.js";
import { UserError } from "../../../src/core/errors.js";

it("an engine without solvers is refused by name", () => {
  const without = Object.create(new ReferenceEngine(), { solvers: { value: undefined } }) as Engine;
  expect(() => solversOf(without)).toThrow(UserError);
  expect(() => solversOf(without)).toThrow("the reference engine has no solvers");
});
