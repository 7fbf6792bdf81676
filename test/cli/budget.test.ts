import { describe, expect, it } from "vitest";
import { budget } from "../../src/cli/budget.js";

describe("a time on the command line", () => {
  it.each([
    ["90s", 90],
    ["30m", 1800],
    ["20min", 1200],
    ["1h30m", 5400],
    ["1.5h", 5400],
    ["2D", 172_800],
  ])("%s", (text, seconds) => {
    expect(budget(text)).toBe(seconds);
  });

  it.each(["", "30", "m", "0m", "-5m", "1h30", "1 h", "ten minutes"])("refuses %j", (text) => {
    expect(() => budget(text)).toThrow(/such as 30m/);
  });
});
