// What every model must do. A model is tested here by being registered; the table only makes large networks small.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Engine, NO_ITEM } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { AbortedError, UserError } from "../../src/core/errors.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm, restoreModel } from "../../src/models/registry.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { foldsInBySolving, solveFoldIn } from "../../src/recommender/fold-in.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { hasVectors } from "../../src/recommender/vectors.js";
import { emptyMatrix, fromRows, rowIndices, sliceRows } from "../../src/sparse/csr.js";
import { checkerboard, withWords } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";
import { smallOptions } from "../support/small-models.js";

const dataset = withWords(checkerboard());

const small = await smallOptions(dataset);
/** The same options with fewer epochs, where there are epochs. */
const shorter = (name: string, epochs: number) =>
  small[name] && { ...small[name], ...("epochs" in small[name] ? { epochs } : {}) };
/** Models that cannot tell colours apart, and need not: the same list for everybody. */
const unpersonalised = new Set(["popularity"]);

const { items } = dataset;
const histories = dataset.test.foldIn;

describe.each(engineNames)("on the %s engine", (engineName) => {
  describe.each([...algorithmNames])("%s", (name) => {
    let engine: Engine;
    let algorithm: Algorithm;
    let model: Recommender;

    beforeAll(async () => {
      engine = await openEngine({ engine: engineName, threads: 2 });
      algorithm = await findAlgorithm(name);
      model = await algorithm.fit(dataset, parseOptions(algorithm, small[name]), { engine, seed: 7 });
    });
    afterAll(() => engine.close());

    it.skipIf(unpersonalised.has(name))("ranks each user's one withheld item first", async () => {
      const best = await model.score(histories).topK(1, histories);
      const wrong = [...best.items].filter(
        (item, user) => item !== rowIndices(dataset.test.heldOut, user)[0],
      );
      expect(wrong).toEqual([]);
    });

    it("returns all items once if more are requested", async () => {
      const best = await model.score(histories).topK(1000);
      expect(best.k).toBe(items.size);
      for (let user = 0; user < 50; user++)
        expect(new Set(best.items.subarray(user * best.k, (user + 1) * best.k)).size).toBe(items.size);
      const masked = await model.score(histories).topK(1000, histories);
      for (let user = 0; user < 50; user++) {
        const list = [...masked.items.subarray(user * best.k, (user + 1) * best.k)];
        const seen = new Set(rowIndices(histories, user));
        expect(list.filter((item) => item !== NO_ITEM)).toHaveLength(items.size - seen.size);
        expect(list.some((item) => seen.has(item))).toBe(false);
      }
    });

    it("ranks by its scores: top k, read and at agree", async () => {
      const scores = model.score(histories);
      const all = await scores.read();
      expect(all).toHaveLength(50 * items.size);
      expect(all.every(Number.isFinite)).toBe(true);
      const best = await scores.topK(3);
      for (const user of [0, 17, 49]) {
        const row = all.subarray(user * items.size, (user + 1) * items.size);
        const sorted = [...row.keys()].sort((a, b) => row[b] - row[a] || a - b).slice(0, 3);
        expect([...best.items.subarray(user * 3, user * 3 + 3)]).toEqual(sorted);
        expect([...best.scores.subarray(user * 3, user * 3 + 3)]).toEqual(sorted.map((item) => row[item]));
      }
      const some = await scores.at(Uint32Array.of(49, 0, 7));
      expect([...some.subarray(51, 54)]).toEqual([49, 0, 7].map((item) => all[17 * items.size + item]));
    });

    it("scores a user alone as in a batch", async () => {
      const together = await model.score(histories).read();
      for (const user of [0, 3, 49]) {
        const alone = await model.score(sliceRows(histories, user, user + 1)).read();
        const inBatch = together.subarray(user * items.size, (user + 1) * items.size);
        for (let item = 0; item < items.size; item++) expect(alone[item]).toBeCloseTo(inBatch[item], 4);
      }
    });

    it("a history is a set: its order has no effect", async () => {
      const list = [...rowIndices(histories, 5)];
      const [there, back] = await Promise.all(
        [list, list.toReversed()].map((order) => model.score(fromRows(items.size, [order])).read()),
      );
      for (let item = 0; item < items.size; item++) expect(there[item]).toBeCloseTo(back[item], 4);
    });

    it("supports an empty history, a history of all items, and no histories", async () => {
      const everything = Array.from({ length: items.size }, (_, item) => item);
      const odd = fromRows(items.size, [[], everything]);
      const scores = await model.score(odd).read();
      expect(scores.every(Number.isFinite)).toBe(true);
      const best = await model.score(odd).topK(5, odd);
      expect([...best.items.subarray(0, 5)]).not.toContain(NO_ITEM);
      expect([...best.items.subarray(5)]).toEqual(new Array(5).fill(NO_ITEM));
      expect((await model.score(emptyMatrix(0, items.size)).topK(5)).items).toHaveLength(0);
      expect(await model.score(emptyMatrix(0, items.size)).read()).toHaveLength(0);
    });

    it("returns nothing after an abort", async () => {
      const signal = AbortSignal.abort();
      await expect(model.score(histories, { signal }).topK(3)).rejects.toThrow(AbortedError);
      await expect(model.score(histories, { signal }).at(Uint32Array.of(1))).rejects.toThrow(AbortedError);
      await expect(model.score(histories, { signal }).read()).rejects.toThrow(AbortedError);
    });

    it("rejects training without enough memory, before allocating any", async () => {
      const fresh = await openEngine({ engine: engineName, threads: 1 });
      const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(1);
      try {
        const training = algorithm.fit(dataset, parseOptions(algorithm, small[name]), {
          engine: fresh,
          seed: 7,
        });
        await expect(training).rejects.toThrow(/needs .* of memory, but only 0 MiB are available\. .+/);
        await expect(training).rejects.toThrow(UserError);
        expect(fresh.memory()).toBe(0);
      } finally {
        limit.mockRestore();
        await fresh.close();
      }
    });

    it("recommends by id, reports unknown ids, and rejects a history of only unknown ids", async () => {
      const { items: list, unknown } = await recommend(model, ["item1", "who?", "item5"], {
        k: 100,
        exclude: ["item7"],
      });
      expect(unknown).toEqual(["who?"]);
      expect(list).toHaveLength(items.size - 3);
      expect(list.map(({ id }) => id)).not.toContain("item7");
      await expect(recommend(model, ["who?"])).rejects.toThrow(UserError);
      expect(() => model.score(fromRows(3, [[0]]))).toThrow(RangeError);
    });

    it("has vectors (if any) whose products are its scores", async () => {
      if (!hasVectors(model)) return;
      const [{ name: space, dimensions }, ...others] = model.spaces;
      expect(space).toBe("scores");
      const users = await model.userVectors(histories, space);
      const vectors = await model.itemVectors(0, items.size, space);
      const scores = await model.score(histories).read();
      const dot = (user: number, item: number) => {
        let sum = 0;
        for (let d = 0; d < dimensions; d++)
          sum += users[user * dimensions + d] * vectors[item * dimensions + d];
        return sum;
      };
      for (const user of [0, 17, 49])
        for (let item = 0; item < items.size; item++)
          expect(dot(user, item)).toBeCloseTo(scores[user * items.size + item], 3);
      expect(await model.itemVectors(20, 30, space)).toEqual(
        vectors.subarray(20 * dimensions, 30 * dimensions),
      );
      for (const { name, dimensions: width } of others) {
        // An item stands where a history of it alone is put.
        const alone = await model.userVectors(fromRows(items.size, [[7]]), name);
        expect(alone).toHaveLength(width);
        expect(alone.some((number) => number !== 0)).toBe(true);
        expect(await model.itemVectors(7, 8, name)).toEqual(alone);
      }
    });

    it("describes its fold-in if it solves for users: the solution times the items' vectors gives the scores", async () => {
      if (!foldsInBySolving(model)) return;
      const scores = engine.empty(histories.rows, items.size);
      const users = solveFoldIn(engine, model.foldIn, { ...histories, values: undefined });
      engine.matmul(scores, users, model.scored, { transposeB: true });
      const [found, wanted] = [await engine.read(scores), await model.score(histories).read()];
      for (const tensor of [users, scores]) engine.release(tensor);
      for (let at = 0; at < wanted.length; at++) expect(found[at]).toBeCloseTo(wanted[at], 5);
    });

    it("explains a score by the items of the history: the score with an item minus the score without it", async () => {
      const { items: list } = await recommend(model, ["item1", "item5", "item9"], { k: 2, explain: true });
      for (const { index, because } of list) {
        const withAll = await model.score(fromRows(items.size, [[1, 5, 9]])).at(Uint32Array.of(index));
        expect(because?.map(({ index }) => index).toSorted()).toEqual([1, 5, 9]);
        for (const { index: left, influence } of because ?? []) {
          const others = [1, 5, 9].filter((item) => item !== left);
          const without = await model.score(fromRows(items.size, [others])).at(Uint32Array.of(index));
          expect(influence).toBeCloseTo(withAll[0] - without[0], 3);
        }
      }
    });

    it("is the same after saving and loading, byte for byte", async () => {
      const folder = await mkdtemp(join(tmpdir(), "foldin-conformance-"));
      try {
        await writeModelFiles(folder, await model.save());
        const files = await readModelFiles(folder);
        expect(files.algorithm).toBe(name);
        const loaded = await restoreModel(files, { engine });
        expect(await loaded.score(histories).read()).toEqual(await model.score(histories).read());
        expect(loaded.items.titles).toEqual(items.titles);
        expect(await loaded.save()).toEqual({ ...(await model.save()), items: files.items });
        loaded.dispose();
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it("rejects files that do not match", async () => {
      const files = await model.save();
      const [first] = Object.keys(files.tensors);
      const { [first]: tensor, ...others } = files.tensors;
      const longer = { shape: [tensor.data.length + 1], data: new Float32Array(tensor.data.length + 1) };
      await expect(algorithm.restore({ ...files, tensors: others }, { engine })).rejects.toThrow(UserError);
      await expect(
        algorithm.restore({ ...files, tensors: { ...others, [first]: longer } }, { engine }),
      ).rejects.toThrow(UserError);
    });

    it("the same seed gives the same model, byte for byte, for any number of threads", async () => {
      const options = parseOptions(algorithm, shorter(name, 2));
      const tensors = async (on: Engine) => {
        const trained = await algorithm.fit(dataset, options, { engine: on, seed: 3 });
        const files = await trained.save();
        trained.dispose();
        return files.tensors;
      };
      const once = await tensors(engine);
      expect(await tensors(engine)).toEqual(once);
      for (const threads of engineName === "native" ? [1, 3] : []) {
        const other = await openEngine({ engine: engineName, threads });
        expect(await tensors(other)).toEqual(once);
        await other.close();
      }
    });

    it.each(["trained", "loaded"])("gives its memory back, %s", async (how) => {
      const files = await model.save();
      const options = parseOptions(algorithm, shorter(name, 1));
      const round = async () => {
        const loaded =
          how === "loaded"
            ? await algorithm.restore(files, { engine })
            : await algorithm.fit(dataset, options, { engine, seed: 1 });
        await loaded.score(histories).topK(5, histories);
        loaded.dispose();
        await engine.finished();
        return engine.memory();
      };
      const after = await round();
      for (let i = 0; i < 5; i++) expect(await round()).toBe(after);
    });
  });
});
