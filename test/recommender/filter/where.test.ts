// The text form of filters: its meaning as JSON, and what is refused, with the position.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { type Filter, MOST_DEPTH } from "../../../src/recommender/filter/filter.js";
import { parseWhere } from "../../../src/recommender/filter/where.js";

describe("the text of a filter", () => {
  it.each<[string, Filter]>([
    ["genre = Comedy", { attribute: "genre", is: "Comedy" }],
    ["genre == Sci-Fi", { attribute: "genre", is: "Sci-Fi" }],
    ["year>=1990", { attribute: "year", atLeast: 1990 }],
    ["year != 1990", { attribute: "year", isNot: 1990 }],
    ["code = 007", { attribute: "code", is: "007" }],
    ["code = '7'", { attribute: "code", is: "7" }],
    ["price < -0.5", { attribute: "price", below: -0.5 }],
    ["released <= 2009-09-13T21:30", { attribute: "released", atMost: "2009-09-13T21:30" }],
    ["inStock = true", { attribute: "inStock", is: true }],
    ['"in stock" = "yes ""and"" no"', { attribute: "in stock", is: 'yes "and" no' }],
    ["'Children''s' = x", { attribute: "Children's", is: "x" }],
    ["genre in (Comedy, 'Sci Fi', 3)", { attribute: "genre", isOneOf: ["Comedy", "Sci Fi", 3] }],
    ["genre NOT IN (Comedy)", { not: { attribute: "genre", isOneOf: ["Comedy"] } }],
    ["year is missing", { attribute: "year", missing: true }],
    ["year Is Not Missing", { attribute: "year", missing: false }],
    ["missing = 1", { attribute: "missing", is: 1 }],
    [
      "a = 1 or b = 2 and not c = 3",
      {
        or: [
          { attribute: "a", is: 1 },
          { and: [{ attribute: "b", is: 2 }, { not: { attribute: "c", is: 3 } }] },
        ],
      },
    ],
    [
      "(a = 1 or b = 2) and c > 3",
      {
        and: [
          {
            or: [
              { attribute: "a", is: 1 },
              { attribute: "b", is: 2 },
            ],
          },
          { attribute: "c", above: 3 },
        ],
      },
    ],
  ])("%s", (text, filter) => {
    expect(parseWhere(text)).toEqual(filter);
  });

  it.each([
    ["", /^where: is empty/],
    ["genre", /^where, position 6: the filter ends early \(expected =, !=, .* after "genre"\)/],
    ["genre Comedy", /^where, position 7: unexpected "Comedy" \(expected =, .*\)\. Put names and values/],
    ["genre = Sci Fi", /^where, position 13: unexpected "Fi" \(expected and, or, or the end\)\. Put names/],
    ["genre = and", /^where, position 9: unexpected "and" \(expected a value\)/],
    ["genre = 'Comedy", /^where, position 9: the quote ' is not closed/],
    ["genre = Children's", /^where, position 17: the quote ' is not closed/],
    ["(genre = Comedy", /^where, position 16: the filter ends early \(expected and, or, "," or "\)"\)/],
    ["genre = Comedy)", /^where, position 15: unexpected "\)"/],
    ["genre in Comedy", /^where, position 10: unexpected "Comedy" \(expected "\("\)/],
    ["genre not Comedy", /^where, position 11: unexpected "Comedy" \(expected in\)/],
    ["year is 1990", /^where, position 9: unexpected "1990" \(expected missing\)/],
    ["year >> 1990", /^where, position 7: unexpected ">" \(expected a value\)/],
    ["year ! 1990", /^where, position 6: unexpected !/],
    [`${"(".repeat(MOST_DEPTH + 1)}a = 1`, /nested more than 50 levels deep/],
    [`a = ${"x".repeat(100_000)}`, /has 100004 characters \(expected at most 100000\)/],
  ])("%s is refused", (text, message) => {
    expect(() => parseWhere(text)).toThrow(UserError);
    expect(() => parseWhere(text)).toThrow(message);
  });

  it("is read in a time that grows with its length, whatever it is", () => {
    const milliseconds = (text: string) => {
      const started = performance.now();
      try {
        parseWhere(text);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
      return performance.now() - started;
    };
    for (const text of [
      `'${"''".repeat(40_000)}`,
      `a = 1${" and a = 1".repeat(9_000)}`,
      `a in (${"1,".repeat(45_000)}`,
      `${" ".repeat(90_000)}!`,
      `${"not ".repeat(20_000)}`,
    ])
      expect(milliseconds(text), text.slice(0, 20)).toBeLessThan(1000);
  });

  it("never fails with another error", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "and",
        "or",
        "not",
        "in",
        "is",
        "missing",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<=",
        "'",
        '"',
        " ",
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parseWhere(pieces.join(" "));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
