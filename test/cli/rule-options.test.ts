import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addRuleOptions, type RuleFlags, rulesFrom, rulesText } from "../../src/cli/rule-options.js";

const flagsOf = (...args: string[]): RuleFlags =>
  addRuleOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }))
    .parse(args, { from: "user" })
    .opts();

describe("the options of rules", () => {
  it("are those of the library", async () => {
    const flags = flagsOf(
      ...["--diversity", "0.3", "--novelty", ".2", "--at-most", "series=1", "--at-most", "a = b=2"],
      ...["--boost", "0.2: genre = Comedy", "--boost", "-0.1: time = '12:30'"],
    );
    expect(await rulesFrom(flags)).toEqual({
      diversity: 0.3,
      novelty: 0.2,
      atMost: { series: 1, "a = b": 2 },
      boost: [
        { where: { attribute: "genre", is: "Comedy" }, by: 0.2 },
        { where: { attribute: "time", is: "12:30" }, by: -0.1 },
      ],
    });
    expect(rulesText(flags)).toBe(
      "diversity 0.3; novelty 0.2; at most 1 per series; at most 2 per a = b; boost 0.2: genre = Comedy; boost -0.1: time = '12:30'",
    );
  });

  it("without rules are empty", async () => {
    for (const flags of [flagsOf(), flagsOf("--diversity", "0", "--novelty", "0")]) {
      expect(await rulesFrom(flags)).toEqual({});
      expect(rulesText(flags)).toBe("");
    }
  });

  it.each(["genre", "genre=", "=2", "genre=0", "genre=1.5", "genre=-1"])("refuse --at-most %s", (text) => {
    expect(() => flagsOf("--at-most", text)).toThrow(/Expected an attribute and a number of items/);
  });

  it.each([
    ["genre = Comedy", /^--boost: "genre = Comedy" is not a boost \(expected a number from -1 to 1, a colon/],
    ["2: genre = Comedy", /is not a boost/],
    [": genre = Comedy", /is not a boost/],
    ["0.2: genre =", /^--boost, position \d+: the filter ends early/],
  ])("refuse --boost '%s'", async (text, message) => {
    await expect(rulesFrom(flagsOf("--boost", text))).rejects.toThrow(message);
  });
});
