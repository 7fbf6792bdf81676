// Models that work block by block, or say something from some size on (docs/decisions/thresholds.md): on both sides of it
// the result is the same.

import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { openEngine } from "../../src/compute/open-engine.js";
import type { AlsHalfSweep } from "../../src/compute/solvers/solvers.js";
import { solversOf } from "../../src/compute/solvers/solvers-of.js";
import type { Tape } from "../../src/compute/tape.js";
import { symmetricEigen } from "../../src/core/eigen.js";
import { availableMemory } from "../../src/core/memory.js";
import { RandomSequence } from "../../src/core/philox.js";
import type { ProgressEvent } from "../../src/core/progress.js";
import { Turns } from "../../src/core/turns.js";
import { vectorContent } from "../../src/data/content/in-memory.js";
import { contentReader } from "../../src/models/content/batches.js";
import { contentInBlocks, encodeAll } from "../../src/models/content/encode.js";
import { randomisedSvd } from "../../src/models/factors/nndsvd.js";
import { wmf, wmfTrainable } from "../../src/models/factors/wmf.js";
import { ease } from "../../src/models/linear/ease.js";
import { infiniteAe } from "../../src/models/linear/infinite-ae.js";
import { slim } from "../../src/models/linear/slim.js";
import { nearestColumns, nearestVectors } from "../../src/models/neighbours/similarity.js";
import { parseOptions } from "../../src/models/options.js";
import { type CsrMatrix, fromRows, transpose } from "../../src/sparse/csr.js";
import { trainingOnly } from "../support/datasets.js";
import { densify } from "../support/engines.js";

const opened = openEngine({ threads: 2 });
afterAll(async () => (await opened).close());

const around = (n: number) => [n - 1, n, n + 1];

/** Users with some six items each. */
function histories(users: number, items: number): CsrMatrix {
  const random = new RandomSequence({ seed: items, step: 0, stream: 0 });
  const lists = Array.from({ length: users }, () => [
    ...new Set(Array.from({ length: 6 }, () => random.below(items))),
  ]);
  return fromRows(items, lists);
}

/** An engine that hears of calls before it makes them. */
function listening(engine: Engine, hear: (name: string, args: unknown[]) => boolean): Engine {
  const wrap = <T extends object>(of: T): T =>
    new Proxy(of, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (name === "solvers") return wrap(value as object);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => (hear(String(name), args) ? value.apply(target, args) : undefined);
      },
    });
  return wrap(engine);
}

const similarity = (items: number) => {
  const ones = new Float32Array(items).fill(1);
  return { size: "product", left: ones, right: ones, shrink: 2, k: 6 } as const;
};

describe("items are taken in blocks with the result of all at once", () => {
  it.each([...around(256), 513])("nearest columns of %i items", async (items) => {
    const engine = await opened;
    const matrix = histories(400, items);
    const all = await solversOf(engine).neighbours(engine.sparse(matrix), similarity(items), 0, items);
    const told: number[] = [];
    const found = await nearestColumns(engine, matrix, similarity(items), {
      progress: (event: ProgressEvent) => event.type === "advance" && told.push(event.done),
    });
    expect(densify(found)).toEqual(densify(all));
    expect(told).toEqual(
      [256, 512, 768].map((done) => Math.min(done, items)).slice(0, Math.ceil(items / 256)),
    );
  });

  it.each(around(256))("nearest vectors of %i items", async (items) => {
    const random = new RandomSequence({ seed: items, step: 0, stream: 0 });
    const vectors = Float32Array.from({ length: items * 5 }, () => random.normal());
    const given = similarity(items);
    const found = await nearestVectors(await opened, vectors, given, {});
    for (const item of [0, 100, 254, items - 1]) {
      const products = Array.from({ length: items }, (_, other) =>
        other === item
          ? 0
          : [0, 1, 2, 3, 4].reduce((sum, d) => sum + vectors[5 * item + d] * vectors[5 * other + d], 0),
      );
      const best = products
        .map((_, other) => other)
        .sort((a, b) => products[b] - products[a])
        .slice(0, 6);
      const row = found.indices.subarray(found.offsets[item], found.offsets[item + 1]);
      expect([...row]).toEqual(best.sort((a, b) => a - b));
      for (const [n, other] of row.entries())
        expect(found.values?.[found.offsets[item] + n]).toBeCloseTo(products[other] / 3, 5);
    }
  });

  it.each([...around(64), 129])("slim's %i items", async (items) => {
    const engine = await opened;
    const train = histories(300, items);
    const options = parseOptions(slim, { alpha: 0.01, l1Ratio: 0.1 });
    const trained = await slim.fit(trainingOnly(train), options, { engine, seed: 1 });
    const gram = engine.empty(items, items);
    solversOf(engine).gram(gram, engine.sparse(train));
    const net = {
      ...{ l1: 0.01 * 0.1 * 300, l2: 0.01 * 0.9 * 300, tolerance: options.tolerance },
      ...{ maxIterations: options.maxIterations, k: items },
    };
    const { weights } = await solversOf(engine).elasticNet(gram, net, 0, items);
    const expected = densify(transpose(weights)).data;
    expect(expected.filter((weight) => weight > 0).length).toBeGreaterThan(items);
    const each = fromRows(
      items,
      Array.from({ length: items }, (_, item) => [item]),
    );
    expect([...(await trained.score(each).read())]).toEqual([...expected]);
    trained.dispose();
  });

  it.each([...around(1024), 2049])("the content of %i items that is encoded", async (items) => {
    const engine = new ReferenceEngine();
    const data = Float32Array.from({ length: items * 2 }, (_, i) => i);
    const content = vectorContent(data, 2);
    const reader = contentReader(content);
    const sizes: number[] = [];
    for await (const block of contentInBlocks(
      reader,
      Uint32Array.from({ length: items }, (_, item) => item),
    ))
      if (block.kind === "dense") sizes.push(block.rows);
    expect(sizes).toEqual(
      [1024, 1024, 1024].map((size, n) => Math.min(size, items - n * 1024)).filter((size) => size > 0),
    );
    const out = engine.zeros(items, 2);
    const network = {
      code: (_: Tape, batch: { kind: string; dense?: unknown }) => ({ value: batch.dense }),
    } as unknown as Parameters<typeof encodeAll>[1];
    await encodeAll(engine, network, content, reader, out);
    expect(Buffer.from((await engine.read(out)).buffer).equals(Buffer.from(data.buffer))).toBe(true);
  });
});

describe("wmf", () => {
  it.each([
    [149, 1],
    [151, 2],
  ])("solves %i users with 1,000 factors in %i part(s), every one once", async (users, parts) => {
    const solved: number[][] = [];
    const engine = listening(await opened, (name, [factors, , sweep]) => {
      if (name !== "alsHalfSweep") return true;
      const { rows } = sweep as AlsHalfSweep;
      if ((factors as { rows: number }).rows === users) solved.push([...(rows ?? [])]);
      return false;
    });
    const train = fromRows(
      5,
      Array.from({ length: users }, (_, user) => [user % 5]),
    );
    const trainable = await wmfTrainable(trainingOnly(train), parseOptions(wmf, { factors: 1000 }), {
      engine,
      seed: 1,
    });
    await trainable.epoch({ number: 1, order: new Uint32Array(0), updates: 0 });
    trainable.dispose();
    expect(solved).toHaveLength(parts);
    expect(solved.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: users }, (_, user) => user));
  });

  it.each(around(8192))("adds the penalties of %i users up", async (users) => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const train = fromRows(
      3,
      Array.from({ length: users }, (_, user) => [user % 3]),
    );
    const options = parseOptions(wmf, {
      factors: 2,
      regularization: 3,
      weighting: "two-level",
      a: 2,
      b: 0.5,
      frequencyExponent: 0,
    });
    const trainable = await wmfTrainable(trainingOnly(train), options, { engine, seed: 5 });
    const { values } = await trainable.epoch({ number: 1, order: new Uint32Array(0), updates: 0 });
    const { users: x, items: y } = await trainable.saveState();
    let [sum, confidences] = [0, 0];
    for (let u = 0; u < users; u++)
      for (let i = 0; i < 3; i++) {
        const score = x.data[2 * u] * y.data[2 * i] + x.data[2 * u + 1] * y.data[2 * i + 1];
        const [confidence, target] = u % 3 === i ? [2, 1] : [0.5, 0];
        sum += confidence * (target - score) ** 2;
        confidences += confidence;
      }
    for (const { data } of [x, y]) for (const value of data) sum += 3 * value ** 2;
    expect(values.loss / (sum / confidences)).toBeCloseTo(1, 5);
    trainable.dispose();
  });
});

describe("a matrix of items of 512 MiB", () => {
  // 8 bytes of float64, 8,192 items. The matrix and its copy, a GiB, must be there for it to come to that.
  it.skipIf(availableMemory() < 1.1 * 2 ** 30)(
    "is told of before ease makes it, a smaller one is not",
    async () => {
      for (const items of around(8192)) {
        const notes: string[] = [];
        const engine = listening(new ReferenceEngine({ precision: "float64" }), (name) => {
          if (name === "empty") throw new Error("it begins");
          return true;
        });
        const run = {
          ...{ engine, seed: 1 },
          progress: (event: ProgressEvent) => event.type === "note" && notes.push(event.text),
        };
        const fit = ease.fit(trainingOnly(fromRows(items, [[0]])), parseOptions(ease), run);
        await expect(fit).rejects.toThrow("it begins");
        expect(notes).toEqual(
          items < 8192
            ? []
            : [expect.stringMatching(/^ease: a matrix of 8,19\d x 8,19\d items takes 51[23] MiB/)],
        );
      }
    },
  );
});

describe("infinite-ae", () => {
  it("trains on all users if the memory just suffices, and on one fewer otherwise", async () => {
    const engine = new ReferenceEngine();
    const [users, items] = [30, 12];
    const train = histories(users, items);
    // K [n, n] and A [n, items] in float32.
    const bytes = 4 * users * (users + items);
    for (const [memory, rows, told] of [
      [bytes / 2 ** 30, users, 0],
      [(bytes - 1) / 2 ** 30, users - 1, 1],
      [1, users, 0],
    ]) {
      const notes: string[] = [];
      const trained = await infiniteAe.fit(trainingOnly(train), parseOptions(infiniteAe, { memory }), {
        ...{ engine, seed: 1 },
        progress: (event: ProgressEvent) => event.type === "note" && notes.push(event.text),
      });
      const { tensors } = await trained.save();
      expect(tensors.dual.shape).toEqual([items, rows]);
      expect(notes).toHaveLength(told);
      trained.dispose();
    }
  });
});

describe("the randomised singular values that nmf begins from", () => {
  // nndsvd.ts: seven power iterations for fewer than a tenth of the smaller side, four from there on.
  it.each([
    [2, 21],
    [2, 20],
    [3, 20],
  ])("are near the exact ones: the %i largest of %i", async (k, size) => {
    const matrix = fromRows(
      size,
      Array.from({ length: 40 }, (_, r) =>
        Array.from({ length: size }, (_, c) => c).filter((c) => (r * r + 3 * c * r + c) % 5 < 2),
      ),
    );
    const dense = densify(matrix).data;
    const gram = Array.from({ length: size * size }, (_, at) => {
      const [i, j] = [Math.floor(at / size), at % size];
      let sum = 0;
      for (let r = 0; r < 40; r++) sum += dense[r * size + i] * dense[r * size + j];
      return sum;
    });
    const { values } = await symmetricEigen(gram, size, new Turns());
    const exact = [...values].sort((a, b) => b - a).map(Math.sqrt);
    const { s } = await randomisedSvd(matrix, k, 3);
    for (let t = 0; t < k; t++) expect(s[t] / exact[t]).toBeCloseTo(1, 4);
  });
});
