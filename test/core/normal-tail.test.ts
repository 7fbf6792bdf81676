import { expect, it } from "vitest";
import { normalTail } from "../../src/core/normal-tail.js";

it.each([
  // Tables of the normal distribution: 1 - Phi(z).
  [0, 0.5],
  [1, 0.158655254],
  [1.959963985, 0.025],
  [3, 0.001349898],
  [5, 2.866515719e-7],
  [-1, 0.841344746],
])("P(Z >= %d) is %d", (z, tail) => {
  expect(Math.abs(normalTail(z) / tail - 1)).toBeLessThan(2e-7);
});
