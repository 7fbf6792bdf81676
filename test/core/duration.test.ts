import { expect, it } from "vitest";
import { duration } from "../../src/core/duration.js";

it("durations have readable units and are never 60 s or 60 min", () => {
  expect([0.44, 59.7, 200, 7500].map(duration)).toEqual(["0.4 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]);
  expect([9.94, 9.96, 59.4, 3599.6].map(duration)).toEqual(["9.9 s", "10 s", "59 s", "1 h 0 min"]);
});
