import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { UserError } from "../../../src/core/errors.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { sequenceContent, vectorContent, wordContent } from "../../../src/data/content/in-memory.js";
import type { ItemContent } from "../../../src/data/content.js";
import type { Dataset } from "../../../src/data/dataset.js";
import { Vocabulary } from "../../../src/data/vocabulary.js";
import { coldItems } from "../../../src/evaluation/cold-items.js";
import { evaluate } from "../../../src/evaluation/evaluate.js";
import { contentKnn } from "../../../src/models/content/content-knn.js";
import { parseOptions } from "../../../src/models/options.js";
import { type ContentAware, isContentAware } from "../../../src/recommender/content-aware.js";
import { emptyMatrix, fromPairs, fromRows, takeRows } from "../../../src/sparse/csr.js";
import { checkerboard, split, vocabulary } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

interface Case {
  options: Record<string, unknown>;
  /** W [history, candidate], row-major. */
  weights: number[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/numpy-content-knn.json", import.meta.url), "utf8"),
) as { clicks: number[][]; counts: number[][]; vectors: number[][]; cases: Case[]; dense: Case[] };

/** A matrix of the numbers that are not 0. */
function sparse(rows: number[][]) {
  const entries = rows.flatMap((row, r) => row.flatMap((value, c) => (value === 0 ? [] : [{ r, c, value }])));
  const part = (name: "r" | "c" | "value") => entries.map((entry) => entry[name]);
  return fromPairs(rows.length, rows[0].length, part("r"), part("c"), part("value"));
}

const catalogue = fixture.counts.length;
const words = vocabulary("word", fixture.counts[0].length);
const bags = (counts: number[][]) => wordContent(sparse(counts), words);
const vectors = (rows: number[][]) => vectorContent(Float32Array.from(rows.flat()), rows[0].length);

function datasetOf(content: ItemContent | undefined, items = catalogue): Dataset {
  const train = fromRows(
    items,
    fixture.clicks.map((row) => row.flatMap((click, item) => (click && item < items ? [item] : []))),
  );
  const nobody = split(emptyMatrix(0, items), emptyMatrix(0, items), "v");
  const users = vocabulary("u", train.rows);
  return {
    name: "set",
    items: vocabulary("i", items),
    users,
    train,
    validation: nobody,
    test: nobody,
    content,
  };
}

const alone = (items: number) =>
  fromRows(
    items,
    Array.from({ length: items }, (_, item) => [item]),
  );

describe.each(engineNames)("content-knn on the %s engine", (engineName) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine({ engine: engineName, threads: 2 });
  });
  afterAll(() => engine.close());

  async function trained(dataset: Dataset, options: Record<string, unknown> = {}): Promise<ContentAware> {
    const model = await contentKnn.fit(dataset, parseOptions(contentKnn, options), { engine, seed: 1 });
    if (!isContentAware(model)) throw new Error("content-knn knows content");
    return model;
  }
  const scoresOf = async (model: ContentAware) => [...(await model.score(alone(model.items.size)).read())];
  const expectClose = (actual: number[], expected: number[], digits: number) => {
    expect(actual).toHaveLength(expected.length);
    for (const [k, value] of expected.entries()) expect(actual[k], `number ${k}`).toBeCloseTo(value, digits);
  };

  it.each(fixture.cases)("has NumPy's weights: $options", async ({ options, weights }) => {
    const model = await trained(datasetOf(bags(fixture.counts)), options);
    expectClose(await scoresOf(model), weights, 4);
    model.dispose();
  });

  it.each(fixture.dense)("has NumPy's weights of vectors: $options", async ({ options, weights }) => {
    const model = await trained(datasetOf(vectors(fixture.vectors)), options);
    expectClose(await scoresOf(model), weights, 5);
    model.dispose();
  });

  it("counts the tokens of sequences", async () => {
    const lists = fixture.counts.map((row) =>
      row.flatMap((count, token) => new Array<number>(count).fill(token)),
    );
    const one = await trained(datasetOf(sequenceContent(fromRows(words.size, lists), words)));
    const other = await trained(datasetOf(bags(fixture.counts)));
    expect(await scoresOf(one)).toEqual(await scoresOf(other));
    for (const model of [one, other]) model.dispose();
  });

  it.each<[string, Record<string, unknown>, (from: number, to: number) => ItemContent]>([
    ["words", { weighting: "none" }, (from, to) => bags(fixture.counts.slice(from, to))],
    [
      "words beside clicks",
      { weighting: "none", clicks: true, contentWeight: 0.5 },
      (from, to) => bags(fixture.counts.slice(from, to)),
    ],
    ["vectors", {}, (from, to) => vectors(fixture.vectors.slice(from, to))],
  ])("takes in new items as if they had been there without clicks: %s", async (_, options, content) => {
    // Nobody has the items 7 and 8; with room for every neighbour nothing is displaced.
    const whole = await trained(datasetOf(content(0, 9)), options);
    const first = await trained(datasetOf(content(0, 7), 7), options);
    const before = await scoresOf(first);
    const second = await first.withItems(
      { items: new Vocabulary(["i7"]), content: content(7, 8) },
      "neighbours",
    );
    const third = await second.withItems(
      { items: new Vocabulary(["i8"], ["The last"]), content: content(8, 9) },
      "neighbours",
    );
    expect(third.items.ids).toEqual(whole.items.ids);
    expect(third.items.titles?.[8]).toBe("The last");
    expectClose(await scoresOf(third), await scoresOf(whole), 5);
    expect(await scoresOf(first)).toEqual(before);
    const old = fromRows(9, [[0, 2, 5]]);
    const scores = await first.score(fromRows(7, [[0, 2, 5]])).read();
    expectClose([...(await third.score(old).read())].slice(0, 7), [...scores], 6);
    const restored = await contentKnn.restore(await third.save(), { engine });
    expect(await restored.score(old).read()).toEqual(await third.score(old).read());
    for (const model of [whole, first, second, third, restored]) model.dispose();
  });

  it("weights words of new items as those of training", async () => {
    // Nothing but the new item's own neighbours may depend on it: those of BM25 come out as NumPy has them.
    const model = await trained(datasetOf(bags(fixture.counts)));
    const copy = { items: new Vocabulary(["copy"]), content: bags([fixture.counts[2]]) };
    const extended = await model.withItems(copy, "neighbours");
    const votes = [...(await extended.score(fromRows(10, [[2], [9]])).read())];
    const original = [...(await model.score(fromRows(9, [[2]])).read())];
    // A copy is as like to others as its original, and 1 to the original itself.
    expect(votes[9]).toBeCloseTo(1, 5);
    expect(votes[10 + 2]).toBeCloseTo(1, 5);
    for (const item of [0, 1, 3, 4, 5, 6, 7, 8]) expect(votes[10 + item]).toBeCloseTo(original[item], 5);
    for (const one of [model, extended]) one.dispose();
  });

  it("ranks cold items far above chance where content decides", async () => {
    const random = new RandomSequence({ seed: 5, step: 0, stream: 0 });
    const [users, items, topics] = [80, 120, 6];
    const topicOf = (item: number) => item % topics;
    // Each item has words of its topic and others; users like one topic. The last 40 items are cold.
    const counts = Array.from({ length: items }, (_, item) =>
      Array.from({ length: 60 }, (_, word) =>
        random.uniform() < (word % topics === topicOf(item) ? 0.3 : 0.05) ? 1 : 0,
      ),
    );
    const liked = Array.from({ length: users }, (_, user) =>
      Array.from({ length: items }, (_, item) => item).filter(
        (item) => topicOf(item) === user % topics && random.uniform() < 0.5,
      ),
    );
    const train = fromRows(
      items,
      liked.map((list) => list.filter((item) => item < 80)),
    );
    const heldOut = fromRows(
      items,
      liked.map((list) => list.filter((item) => item >= 80)),
    );
    const test = split(train, heldOut, "u");
    const content = wordContent(sparse(counts), vocabulary("word", 60));
    const names = { items: vocabulary("i", items), users: vocabulary("u", users) };
    const dataset: Dataset = { name: "topics", ...names, train, validation: test, test, content };
    const model = await trained(dataset, { neighbours: 30 });
    const only = { items: coldItems(train), among: "themselves" } as const;
    expect(only.items).toHaveLength(40);
    const { metrics } = await evaluate(model, dataset, { metrics: ["recall-plain@7"], only });
    // By chance 7 of 40: .175.
    expect(metrics["recall-plain@7"].mean).toBeGreaterThan(0.6);
    model.dispose();
  });

  it("rejects unsupported settings with a one-line message", async () => {
    await expect(trained(datasetOf(undefined))).rejects.toThrow(
      /^set: has no content of its items \(expected a dataset with content\)\. Prepare it with --content/,
    );
    await expect(trained(datasetOf(vectors(fixture.vectors)), { clicks: true })).rejects.toThrow(
      /^clicks: clicks cannot be combined with vectors/,
    );
    const model = await trained(datasetOf(vectors(fixture.vectors)));
    const longer = vectorContent(new Float32Array(6), 6);
    const adding = model.withItems({ items: new Vocabulary(["new"]), content: longer }, "neighbours");
    await expect(adding).rejects.toThrow(UserError);
    await expect(adding).rejects.toThrow(
      /the vectors of the new items do not have the form that the model was trained on/,
    );
    model.dispose();
  });
});

it("a checkerboard's content is enough without clicks", async () => {
  const engine = await openEngine({ engine: "reference" });
  const board = checkerboard(10, 10);
  const colours = wordContent(
    fromRows(
      2,
      board.items.ids.map((_, item) => [item % 2]),
    ),
    vocabulary("colour", 2),
  );
  const given = { ...board, content: colours };
  const model = await contentKnn.fit(given, parseOptions(contentKnn, { weighting: "none" }), {
    engine,
    seed: 1,
  });
  const best = await model.score(takeRows(board.train, [0, 3])).topK(1, takeRows(board.train, [0, 3]));
  expect([...best.items]).toEqual([0, 3]);
  await engine.close();
});
