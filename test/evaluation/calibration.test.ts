import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { Calibration, categoryColumn } from "../../src/evaluation/calibration.js";
import { evaluateSplit } from "../../src/evaluation/evaluate.js";
import { fromRows } from "../../src/sparse/csr.js";
import { split } from "../support/datasets.js";
import { itemsOf } from "../support/filters.js";
import { scoring } from "../support/fixed-scores.js";

const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-calibration.json", import.meta.url), "utf8"),
) as { genres: string[][]; cases: { history: number[]; list: number[]; value: number }[] };

const catalogue = (genres: readonly (readonly string[])[]) =>
  itemsOf(genres.map((genre, year) => ({ genre, year, released: null, colour: null, inStock: null })));
const attributesOf = (genres: readonly (readonly string[])[]) =>
  catalogue(genres).attributes ?? ItemAttributes.of(0, []);
const calibrationOf = async (genres: readonly (readonly string[])[]) =>
  new Calibration(await categoryColumn(attributesOf(genres), "genre", "categories"));

describe("calibration", () => {
  it("is NumPy's", async () => {
    const calibration = await calibrationOf(fixture.genres);
    for (const { history, list, value } of fixture.cases)
      expect(calibration.of(Uint32Array.from(history), Uint32Array.from(list))).toBeCloseTo(value, 12);
  });

  it("of a worked example", async () => {
    const calibration = await calibrationOf([["Romance"], ["Action"], ["Romance", "Action"], []]);
    const of = (history: number[], list: number[]) =>
      calibration.of(Uint32Array.from(history), Uint32Array.from(list));
    // Half romance, half action: an item with both, or one of each, has the same distribution; items without are left out.
    expect(of([0, 1], [2])).toBe(0);
    expect(of([2, 3], [0, 1, 3])).toBe(0);
    // Only romance in the list: 1/2 log2(.5 / (.99 + .005)) + 1/2 log2(.5 / .005).
    expect(of([0, 1], [0])).toBeCloseTo(0.5 * Math.log2(0.5 / 0.995) + 0.5 * Math.log2(100), 12);
    // Nothing in common, or an empty list.
    for (const list of [[1], [3], []]) expect(of([0], list)).toBeCloseTo(Math.log2(100), 12);
    expect(of([3], [0])).toBe(0);
  });

  it("is at least 0, and 0 for the history itself", async () => {
    const genre = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 3 });
    const some = fc.uniqueArray(fc.nat(9), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(genre, { minLength: 10, maxLength: 10 }),
        some,
        some,
        async (genres, one, other) => {
          const calibration = await calibrationOf(genres);
          const [history, list] = [Uint32Array.from(one), Uint32Array.from(other)];
          expect(calibration.of(history, history)).toBeCloseTo(0, 12);
          const value = calibration.of(history, list);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(Math.log2(100) + 1e-12);
          expect(calibration.of(history, list)).toBe(value);
        },
      ),
    );
  });

  it("in an evaluation compares each user's list with the fold-in items", async () => {
    const items = catalogue([["Romance"], ["Action"], ["Romance"], ["Action"]]);
    const recommender = { ...scoring(4, () => [4, 3, 2, 1]), items };
    // The first user has item 0 and gets 1, the second one has item 1 and gets 0; then 2 and 2.
    const users = split(fromRows(4, [[0], [1]]), fromRows(4, [[3], [3]]), "user");
    const metrics = ["calibration@1", "calibration@2"];
    const { perUser } = await evaluateSplit(recommender, users, { metrics, categories: "Genre" });
    expect(perUser["calibration@1"][0]).toBeCloseTo(Math.log2(100), 12);
    expect(perUser["calibration@2"][0]).toBeCloseTo(Math.log2(1 / (0.99 * 0.5 + 0.01)), 12);
    expect(perUser["calibration@1"][1]).toBeCloseTo(Math.log2(100), 12);
  });

  it("needs an attribute with categories", async () => {
    const recommender = { ...scoring(1, () => [1]), items: catalogue([["Romance"]]) };
    const users = split(fromRows(1, [[]]), fromRows(1, [[0]]), "user");
    const refused = (categories?: string, model = recommender) =>
      expect(evaluateSplit(model, users, { metrics: ["calibration@5"], ...(categories && { categories }) }))
        .rejects;
    await refused().toThrow(/^metric: calibration@5 compares categories .* --categories .*such as genre/);
    await refused("gener").toThrow(/^categories: the items have no attribute "gener".*Did you mean "genre"/);
    await refused("year").toThrow(/^categories: year is a number \(expected an attribute with categories/);
    await refused(
      "genre",
      scoring(1, () => [1]),
    ).toThrow(/^categories: .*no item attributes/);
  });
});
