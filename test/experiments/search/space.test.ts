import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { searchCommand } from "../../../src/experiments/search/command.js";
import { drawSettings, gridOf, parseSpace } from "../../../src/experiments/search/space.js";
import { findAlgorithm } from "../../../src/models/registry.js";

const algorithm = await findAlgorithm("mult-vae");
const vae = await findAlgorithm("vae");
const parse = (...texts: string[]) => parseSpace(algorithm, texts);

describe("the space of a search", () => {
  it("is every combination of the values, the last option varying fastest", () => {
    expect(gridOf(parse("dropout=.3,0.5", "gated=true,false"))).toEqual([
      { dropout: 0.3, gated: true },
      { dropout: 0.3, gated: false },
      { dropout: 0.5, gated: true },
      { dropout: 0.5, gated: false },
    ]);
  });

  it("has lists in brackets, a bare value being a list of one", () => {
    expect(gridOf(parse("hidden=[600],[600,300],200"))).toEqual([
      { hidden: [600] },
      { hidden: [600, 300] },
      { hidden: [200] },
    ]);
  });

  it("uses a value that is given twice only once", () => {
    expect(gridOf(parse("dropout=.5,0.5"))).toHaveLength(1);
  });

  it.each([
    ["dropot=.5", /no such option.*"dropout"/],
    ["dropout", /not a list of values/],
    ["dropout=", /not a list of values/],
    ["dropout=.3,,.5", /not a list of values/],
    ["dropout=.5...1", /not a range/],
    ["dropout=-1..1:log", /above 0/],
  ])("refuses %s", (text, message) => {
    expect(() => parse(text)).toThrow(UserError);
    expect(() => parse(text)).toThrow(message);
  });

  it("rejects an option that is given twice, a range in a grid, and a grid that is too large", () => {
    expect(() => parse("dropout=.3", "dropout=.5")).toThrow(/given twice/);
    expect(() => gridOf(parse("dropout=.1...5"))).toThrow();
    expect(() => gridOf(parse("dropout=0..0.5"))).toThrow(/--random/);
    const many = `batchSize=${Array.from({ length: 101 }, (_, b) => b + 1).join(",")}`;
    expect(() => gridOf(parse(many, many.replace("batchSize", "latent")))).toThrow(/more than 10000/);
  });

  it("draws from ranges, whole numbers where the option is one, and the same for the same seed", () => {
    const space = parse("learningRate=1e-4..1e-2", "epochs=10..20", "hidden=100..800", "dropout=.1,.2");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), (count, seed) => {
        const drawn = drawSettings(space, count, seed);
        expect(drawn).toHaveLength(count);
        expect(new Set(drawn.map((setting) => JSON.stringify(setting))).size).toBe(count);
        for (const { learningRate, epochs, hidden, dropout } of drawn) {
          expect(learningRate).toBeGreaterThanOrEqual(1e-4);
          expect(learningRate).toBeLessThanOrEqual(1e-2);
          expect(Number.isInteger(epochs) && Number(epochs) >= 10 && Number(epochs) <= 20).toBe(true);
          expect(hidden).toEqual([expect.any(Number)]);
          expect([0.1, 0.2]).toContain(dropout);
        }
        // A longer search begins with the shorter one.
        expect(drawSettings(space, count + 3, seed).slice(0, count)).toEqual(drawn);
      }),
      { numRuns: 30 },
    );
  });

  it("draws log-uniformly if the ends of a range differ by a factor of 10", () => {
    const below = (range: string) =>
      drawSettings(parse(range), 200, 1).filter(({ learningRate }) => Number(learningRate) < 1e-3).length /
      200;
    // Half and a tenth; three standard errors about them.
    expect(Math.abs(below("learningRate=1e-4..1e-2") - 0.5)).toBeLessThan(0.11);
    expect(Math.abs(below("learningRate=1e-4..1e-2:linear") - 0.09)).toBeLessThan(0.07);
  });

  it("names an option of a group in full, however it is given", () => {
    const wanted = [{ name: "compatibility.anneal", alternatives: ["update", "epoch"] }];
    expect(parseSpace(vae, ["anneal=update,epoch"])).toEqual(wanted);
    expect(parseSpace(vae, ["compatibility.anneal=update,epoch"])).toEqual(wanted);
    expect(() => parseSpace(vae, ["anneal=update", "compatibility.anneal=epoch"])).toThrow(/is given twice/);
    const options = { compatibility: { initialBeta: 0.5 }, "compatibility.restoreBest": false };
    expect(
      searchCommand("ml-1m", { model: "vae", space: parseSpace(vae, ["anneal=update,epoch"]), options }),
    ).toBe(
      "foldin search data/ml-1m --model vae --set compatibility.initialBeta=0.5 --set compatibility.restoreBest=false --grid compatibility.anneal=update,epoch",
    );
  });

  it("draws no more points than there are", () => {
    expect(drawSettings(parse("dropout=.1,.2", "gated=true,false"), 50, 1)).toHaveLength(4);
    expect(drawSettings(parse("epochs=1..3"), 50, 1)).toHaveLength(3);
  });

  it("draws for a seed the points that the command drew by its former name", () => {
    // Printed by the last version whose command was `foldin sweep`.
    expect(
      drawSettings(parse("learningRate=1e-4..1e-2", "beta=0..1", "hidden=[600],[600,300]"), 3, 7),
    ).toEqual([
      { learningRate: 0.000566, beta: 0.668, hidden: [600, 300] },
      { learningRate: 0.00485, beta: 0.85, hidden: [600] },
      { learningRate: 0.00141, beta: 0.52, hidden: [600, 300] },
    ]);
  });

  it("is written down as a command that means the same", () => {
    const space = parse("learningRate=1e-4..1e-2", "hidden=[600],[600,300]", "initialValues=he,glorot");
    const command = searchCommand("ml-1m", {
      model: "mult-vae",
      space,
      random: 5,
      options: { epochs: 3 },
      seed: 7,
    });
    expect(command).toBe(
      "foldin search data/ml-1m --model mult-vae --set epochs=3 --grid learningRate=0.0001..0.01:log 'hidden=[600],[600,300]' initialValues=he,glorot --random 5 --seed 7",
    );
    const grid = ["learningRate=0.0001..0.01:log", "hidden=[600],[600,300]", "initialValues=he,glorot"];
    expect(parse(...grid)).toEqual(space);
  });
});
