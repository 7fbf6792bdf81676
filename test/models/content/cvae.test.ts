import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { Tape } from "../../../src/compute/tape.js";
import { UserError } from "../../../src/core/errors.js";
import type { ProgressEvent } from "../../../src/core/progress.js";
import {
  imageContent,
  sequenceContent,
  vectorContent,
  wordContent,
} from "../../../src/data/content/in-memory.js";
import type { ItemContent, WordContent } from "../../../src/data/content.js";
import type { Dataset } from "../../../src/data/dataset.js";
import { cvae, penaltyOf } from "../../../src/models/content/cvae.js";
import { TiedMlp } from "../../../src/models/content/tied-mlp.js";
import { parseOptions } from "../../../src/models/options.js";
import { allocate } from "../../../src/nn/parameters.js";
import { closingWith } from "../../../src/recommender/closing-with.js";
import { type ContentAware, isContentAware } from "../../../src/recommender/content-aware.js";
import { recommend } from "../../../src/recommender/recommend.js";
import type { EpochRecord, RunContext } from "../../../src/recommender/run-context.js";
import { isUncertain } from "../../../src/recommender/uncertain.js";
import { emptyMatrix, fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { expectToResumeAnywhere, memoryCache, smallCatalogue } from "../../support/content-models.js";
import { split, vocabulary } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";
import { datasetOf, ITEMS, pictures, sequences } from "../../support/modalities.js";

type Counts = [word: number, count: number][][];
interface Trained {
  options: Record<string, unknown>;
  pretraining: number[][];
  reports: Record<string, number[]>;
  weights: Record<string, number[]>;
  items: number[];
  itemCovariances: number[];
  scores: number[];
  deviations: number[];
  newItem: { content: number[]; posterior: number[] };
}
const fixture = JSON.parse(readFileSync(new URL("../fixtures/torch-cvae.json", import.meta.url), "utf8")) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  words: Counts;
  newWords: Counts;
  vectors: number[][];
  newVectors: number[][];
  trained: Record<Kind, Trained>;
};
type Kind = "words" | "vectors" | "bayes" | "printed";
const { seed, items, rows, probe } = fixture;
const WIDTH = 7;
const nobody = split(emptyMatrix(0, items), emptyMatrix(0, items), "v");

function bags(counts: Counts, maxima?: ArrayLike<number>): ItemContent {
  const lists = fromRows(
    WIDTH,
    counts.map((row) => row.map(([word]) => word)),
  );
  const values = Float32Array.from(counts.flatMap((row) => row.map(([, count]) => count)));
  return wordContent({ ...lists, values }, vocabulary("w", WIDTH), { maxima });
}
const contents: Record<Kind, ItemContent> = {
  words: bags(fixture.words),
  bayes: bags(fixture.words),
  printed: bags(fixture.words),
  vectors: vectorContent(
    Float32Array.from(fixture.vectors.flat()),
    WIDTH,
    Uint8Array.from(fixture.words, (row) => (row.length > 0 ? 1 : 0)),
  ),
};
const newBags = bags(fixture.newWords, contents.words.kind === "words" ? contents.words.maxima : []);
const added: Record<Kind, ItemContent> = {
  words: newBags,
  bayes: newBags,
  printed: newBags,
  vectors: vectorContent(Float32Array.from(fixture.newVectors.flat()), WIDTH),
};
const datasetWith = (content?: ItemContent): Dataset => ({
  name: "torch",
  items: vocabulary("i", items),
  users: vocabulary("u", rows.length),
  train: fromRows(items, rows),
  validation: nobody,
  test: nobody,
  ...(content && { content }),
});

/** In float64 the same numbers (single precision where the solver gives no more); in float32 what some 50 updates leave of them. */
const engines: [string, number, () => Promise<Engine>][] = [
  ["reference, float64", 1e-8, async () => new ReferenceEngine({ precision: "float64" })],
  ...engineNames.map((name): (typeof engines)[number] => [
    `${name}, float32`,
    2e-4,
    () => openEngine({ engine: name, threads: 2 }),
  ]),
];
const kinds: Kind[] = ["words", "vectors", "bayes", "printed"];

async function trained(
  kind: Kind,
  run: Partial<RunContext> = {},
  options: Record<string, unknown> = {},
): Promise<ContentAware> {
  const given = parseOptions(cvae, { ...fixture.trained[kind].options, ...options });
  const engine = run.engine ?? new ReferenceEngine({ precision: "float64" });
  const model = await cvae.fit(datasetWith(contents[kind]), given, { seed, ...run, engine });
  if (!isContentAware(model)) throw new Error("cvae knows no content");
  return model;
}

function error(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
}

describe("cvae", () => {
  for (const kind of kinds)
    it.each(engines)(
      `ends with PyTorch's numbers on ${kind}, on the %s engine`,
      async (_, tolerance, open) => {
        const engine = await open();
        const records: EpochRecord[] = [];
        const last = new Map<string, number[]>();
        const progress = (event: ProgressEvent) => {
          if (event.type === "advance" && Number.isInteger(event.done) && event.values)
            last.set(event.task, [...(last.get(event.task) ?? []), event.values.loss]);
        };
        const wanted = fixture.trained[kind];
        const model = await trained(kind, { engine, progress, onEpoch: (record) => records.push(record) });
        const pretraining = ["layer 1", "layer 2", "latent", "whole"].map(
          (name) => last.get(`pretraining, ${name}`) ?? [],
        );
        for (const [phase, losses] of wanted.pretraining.entries())
          expect(error(pretraining[phase], losses)).toBeLessThan(tolerance);
        for (const [name, values] of Object.entries(wanted.reports))
          expect(
            error(
              records.map((record) => record.values[name]),
              values,
            ),
            name,
          ).toBeLessThan(tolerance);
        const { tensors } = await model.save();
        for (const [name, values] of Object.entries(wanted.weights))
          expect(error(tensors[name].data, values), name).toBeLessThan(tolerance);
        expect(error(tensors.items.data, wanted.items)).toBeLessThan(tolerance);
        // Scores come back in float32.
        const scores = await model.score(fromRows(items, probe)).read();
        expect(error(scores, wanted.scores)).toBeLessThan(Math.max(tolerance, 1e-6));

        const bayesian = kind === "bayes" || kind === "printed";
        expect(isUncertain(model)).toBe(bayesian);
        expect(isUncertain(closingWith(model, engine))).toBe(bayesian);
        if (isUncertain(model)) {
          expect(error(tensors.itemCovariances.data, wanted.itemCovariances)).toBeLessThan(tolerance);
          const every = Uint32Array.from({ length: items }, (_, item) => item);
          const { means, deviations } = await model.scoreWithUncertainty(fromRows(items, probe), every);
          expect(error(means, wanted.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
          expect(error(deviations, wanted.deviations)).toBeLessThan(Math.max(tolerance, 1e-6));
          const listed = await recommend(model, Uint32Array.from(probe[0]), { k: 2 });
          expect(listed.items.map(({ deviation }) => deviation)).toEqual(
            listed.items.map(({ index }) => deviations[index]),
          );
          await expect(
            model.scoreWithUncertainty(fromRows(items, probe), Uint32Array.of(items)),
          ).rejects.toThrow(RangeError);
        }

        for (const rule of ["content", "posterior"] as const) {
          const grown = await model.withItems({ items: vocabulary("new", 2), content: added[kind] }, rule);
          const V = (await grown.save()).tensors.items;
          expect(V.shape).toEqual([items + 2, 3]);
          expect(error(V.data.subarray(items * 3), wanted.newItem[rule])).toBeLessThan(tolerance);
          expect(await grown.score(fromRows(items + 2, probe)).at(Uint32Array.of(0, 4))).toEqual(
            await model.score(fromRows(items, probe)).at(Uint32Array.of(0, 4)),
          );
          grown.dispose();
        }
        await engine.close();
      },
    );

  it("resumed anywhere, within pretraining too, ends with the uninterrupted run's model", async () => {
    const engine = new ReferenceEngine();
    const all = new MemoryCheckpoints();
    const whole = await (await trained("words", { engine, checkpoints: all })).save();
    expect(all.saved).toHaveLength(2 + 2 + 2 + 2 + 3);
    for (const saved of all.saved) {
      const model = await trained("words", { engine, checkpoints: new MemoryCheckpoints(0, saved) });
      expect((await model.save()).tensors).toEqual(whole.tensors);
    }
  });

  it("loads pretraining from the cache if content, options, seed and engine are the same", async () => {
    const cache = memoryCache();
    const all = ["layer 1", "layer 2", "latent", "whole"];
    const run = async (options: Record<string, unknown>, kind: Kind = "words", other = {}) => {
      const said: string[] = [];
      const progress = (event: ProgressEvent) => {
        said.push(event.type === "note" ? event.text : "task" in event ? event.task : "");
      };
      const model = await trained(kind, { cache, progress, ...other }, options);
      return {
        tensors: (await model.save()).tensors,
        pretrained: all.filter((name) => said.includes(`pretraining, ${name}`)),
      };
    };
    const first = await run({});
    expect(first.pretrained).toEqual(all);
    const second = await run({});
    expect(second.pretrained).toEqual([]);
    expect(second.tensors).toEqual(first.tensors);
    expect((await run({ lambdaR: 7, epochs: 1, a: 2 })).pretrained).toEqual([]);
    expect((await run({ corruption: 0.2 })).pretrained).toEqual(all);
    expect((await run({}, "vectors")).pretrained).toEqual(all);
    expect((await run({}, "words", { seed: 1 })).pretrained).toEqual(all);
    expect((await run({}, "words", { engine: new ReferenceEngine() })).pretrained).toEqual(all);
    expect(cache.kept.size).toBe(5 * 4);

    // The layers do not depend on K, nor do they and the latent part on the epochs of the whole.
    for (const [options, phases] of [
      [{ latent: 5 }, ["latent", "whole"]],
      [{ wholeEpochs: 1 }, ["whole"]],
    ] as const) {
      const shared = await run(options);
      expect(shared.pretrained).toEqual(phases);
      const alone = await trained("words", {}, options);
      expect(shared.tensors).toEqual((await alone.save()).tensors);
    }
    expect(cache.kept.size).toBe(5 * 4 + 2 + 1);
  });

  it("has the authors' options as defaults", () => {
    expect(parseOptions(cvae)).toEqual({
      ...{ hidden: [200, 100], latent: 50, lambdaX: 1, lambdaU: 0.1, lambdaV: 10, lambdaR: 1, a: 1, b: 0.01 },
      ...{
        inference: "map",
        l2: 2e-4,
        learningRate: 1e-3,
        batchSize: 128,
        epochs: 100,
        sweeps: 1,
      },
      ...{ layerEpochs: 50, latentEpochs: 50, wholeEpochs: 100, pretrainingRate: 0.01, corruption: 0.3 },
      pretrainingShare: 0.8,
      ...{ filters: [16, 32], embedding: 64, units: 128, sequenceLength: 50, wordDropout: 0.3 },
    });
  });

  it("couples as the program does with inference=map, and as the evidence lower bound does with inference=bayes", async () => {
    const weights = async (kind: Kind, options: Record<string, unknown>) =>
      (await (await trained(kind, {}, options)).save()).tensors;
    const unset = { coupling: undefined };
    expect(await weights("words", unset)).toEqual(await weights("words", { coupling: "program" }));
    expect(await weights("bayes", unset)).toEqual(await weights("bayes", { coupling: "paper" }));
    expect(await weights("bayes", unset)).not.toEqual(await weights("bayes", { coupling: "program" }));
  });

  it.each(["words", "bayes"] as const)(
    "unseenItems=content scores items that no user has by u'E[z], and trains as before (%s)",
    async (kind) => {
      const engine = new ReferenceEngine({ precision: "float64" });
      const before = await trained(kind, { engine });
      const model = await trained(kind, { engine }, { unseenItems: "content" });
      const [{ tensors: without }, saved] = [await before.save(), await model.save()];
      const { scored, ...others } = saved.tensors;
      expect(others).toEqual(without);
      // E[z] of the items that no user has, by another way: as new items with the same content.
      const unseen = [9, 10];
      const words = contents.words as WordContent;
      const again = bags(
        unseen.map((item) => fixture.words[item]),
        words.maxima,
      );
      const grown = await before.withItems({ items: vocabulary("again", 2), content: again }, "content");
      const histories = fromRows(items, probe);
      const seen = [0, 1, 2, 3, 4, 5, 6, 7, 8];
      const at = (some: ContentAware, wanted: number[], width = items) =>
        some.score(fromRows(width, probe)).at(Uint32Array.from(wanted));
      expect(await at(model, seen)).toEqual(await at(before, seen));
      expect(await at(model, unseen)).toEqual(await at(grown, [items, items + 1], items + 2));
      expect(await at(model, unseen)).not.toEqual(await at(before, unseen));
      if (isUncertain(model)) {
        const { means } = await model.scoreWithUncertainty(histories, Uint32Array.from(unseen));
        expect(error(means, [...(await at(model, unseen))])).toBeLessThan(1e-6);
      }
      const restored = await cvae.restore(saved, { engine });
      expect(await restored.score(histories).read()).toEqual(await model.score(histories).read());
      expect(scored.shape).toEqual([items, 3]);
    },
  );

  it.each([{ unseenItems: "content" }, { tied: false, regularised: "all" }, { unclicked: "counted" }])(
    "resumed anywhere ends with the uninterrupted run's model (%o)",
    (options) =>
      expectToResumeAnywhere(smallCatalogue, cvae, { ...fixture.trained.words.options, ...options }),
  );

  it("saves and restores a network with untied weights", async () => {
    const engine = new ReferenceEngine();
    const model = await trained("words", { engine }, { tied: false });
    const saved = await model.save();
    expect(Object.keys(saved.tensors)).toContain("layer.1.generation.weight");
    const restored = await cvae.restore(saved, { engine });
    const histories = fromRows(items, probe);
    expect(await restored.score(histories).read()).toEqual(await model.score(histories).read());
  });

  it("regularises W_1 ... W_L as the program does, or all weights and biases as equation 1", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const network = new TiedMlp({
      ...{ inputs: 3, hidden: [3, 2], latent: 2, corruption: 0, tied: false },
      ...{ likelihood: "bernoulli", precision: 1 },
    });
    allocate(engine, network.parameters, 5);
    for (const parameter of network.parameters)
      parameter.write(Float64Array.from({ length: parameter.rows * parameter.columns }, (_, i) => i + 0.5));
    const squares = (chosen: (name: string) => boolean) =>
      network.parameters
        .filter(({ name }) => chosen(name))
        .reduce((sum, { rows, columns }) => {
          // (1/2)^2 + (3/2)^2 + ... of n numbers is n (4 n^2 - 1) / 12.
          const n = rows * columns;
          return sum + (n * (4 * n ** 2 - 1)) / 12;
        }, 0);
    const penalty = async (regularised?: "weights" | "all") => {
      const tape = new Tape(engine, { gradients: false });
      const objective = penaltyOf(network, { l2: 0.25, regularised });
      if (!objective) throw new Error("there is none");
      return (await engine.read(tape.value(objective)))[0];
    };
    expect(network.parameters).toHaveLength(5 + 1 + 6 + 2);
    const layers = (name: string) => /^layer\..*weight$/.test(name);
    expect(await penalty()).toBeCloseTo(0.25 * squares(layers), 10);
    expect(await penalty("weights")).toBeCloseTo(0.25 * squares(layers), 10);
    expect(await penalty("all")).toBeCloseTo(0.25 * squares(() => true), 10);
    expect(penaltyOf(network, { l2: 0, regularised: "all" })).toBeUndefined();
  });

  it("says that the printed coupling needs Bayesian inference", async () => {
    await expect(trained("printed", {}, { inference: "map" })).rejects.toThrow(
      /coupling.*precisions.*inference=bayes/s,
    );
  });

  it("reports unsuitable content", async () => {
    const learn = (content?: ItemContent, options = {}) =>
      cvae.fit(datasetWith(content), parseOptions(cvae, options), { engine: new ReferenceEngine(), seed });
    await expect(learn()).rejects.toThrow(/torch: has no content of its items/);
    await expect(learn(sequenceContent(emptyMatrix(items, 2), vocabulary("t", 2)))).rejects.toThrow(
      /none of its 11 items has content/,
    );
    await expect(learn(vectorContent(new Float32Array(items), 1, new Uint8Array(items)))).rejects.toThrow(
      /none of its 11 items has content/,
    );
    await expect(learn(contents.words, { likelihood: "gaussian" })).rejects.toThrow(
      /likelihood: "gaussian" is not supported for bags of words/,
    );
    const model = await trained("words");
    const picture = imageContent(new Float32Array(4), [1, 2, 2]);
    await expect(
      model.withItems({ items: vocabulary("n", 1), content: picture }, "posterior"),
    ).rejects.toThrow(UserError);
    await expect(
      model.withItems({ items: vocabulary("new", 2), content: added.words }, "best"),
    ).rejects.toThrow(/rule: "best" is unknown \(expected posterior, content\)/);
  });
});

describe("cvae of pictures and sequences", () => {
  it("says which network does not take its content", async () => {
    const learn = (content: ItemContent, options: Record<string, unknown>) =>
      cvae.fit(datasetOf(content), parseOptions(cvae, { ...options }), {
        engine: new ReferenceEngine(),
        seed: 1,
      });
    await expect(learn(pictures, { filters: [4, 4, 4, 4] })).rejects.toThrow(
      /filters: 4 layers are too many for pictures of 8 x 8/,
    );
    await expect(learn(pictures, { network: "recurrent" })).rejects.toThrow(
      /network: recurrent does not support content of the kind images/,
    );
    await expect(
      learn(vectorContent(new Float32Array(ITEMS * 2), 2), { network: "convolutional" }),
    ).rejects.toThrow(
      /network: convolutional does not support content of the kind vectors \(expected dense\)/,
    );
    await expect(learn(sequences, { network: "dense" })).rejects.toThrow(
      /network: dense does not support content of the kind sequences/,
    );
  });
});
