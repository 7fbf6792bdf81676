import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NO_ITEM } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { ItemAttributes } from "../../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../../src/data/attributes/encode.js";
import { Vocabulary } from "../../../src/data/vocabulary.js";
import { train } from "../../../src/experiments/train.js";
import { algorithmNames, restoreModel } from "../../../src/models/registry.js";
import type { ModelFiles, Recommender } from "../../../src/recommender/recommender.js";
import { exportable, onnxOf } from "../../../src/serving/onnx/export.js";
import type { WeightType } from "../../../src/serving/onnx/graph.js";
import { type CsrMatrix, fromRows, rowIndices } from "../../../src/sparse/csr.js";
import { tastes, vocabulary } from "../../support/datasets.js";
import { foldin } from "../../support/foldin.js";

const dataset = tastes({ users: 300, items: 120, heldOutUsers: 100 });
const folder = mkdtempSync(join(tmpdir(), "foldin-onnx-"));
afterAll(() => rm(folder, { recursive: true }));
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** Python with onnxruntime: named by FOLDIN_ONNX_PYTHON, or the one on the path. */
const python = process.env.FOLDIN_ONNX_PYTHON ?? "python3";
const withPython = spawnSync(python, ["-c", "import onnxruntime"]).status === 0;
if (!withPython) console.log(`skipped: ${python} has no onnxruntime, the second reader of ONNX files`);

const small = { epochs: 3, batchSize: 100 };
const options: Record<string, Record<string, unknown>> = {
  vae: { ...small, hidden: [30, 20], latent: 8 },
  "mult-vae": { ...small, hidden: [30, 20], latent: 8 },
  "mult-vae gated": { ...small, hidden: [30], layers: 2, latent: 8, gated: true },
  "mult-vae bernoulli": { ...small, hidden: [30], latent: 8, likelihood: "bernoulli" },
  "mult-dae": { ...small, hidden: [30], latent: 8 },
  vamp: { ...small, hidden: 30, latent: 8, pseudoInputs: 10 },
  "h-vamp": { ...small, hidden: 30, latent1: 8, latent2: 6, pseudoInputs: 10 },
  "h-vamp bernoulli": {
    ...{ ...small, hidden: 30, latent1: 8, latent2: 6, pseudoInputs: 10, likelihood: "bernoulli" },
  },
  "h-vamp gated": { ...small, hidden: 30, layers: 2, latent1: 8, latent2: 6, pseudoInputs: 10, gated: true },
  "rec-vae": { epochs: 1, batchSize: 100, hidden: 30, layers: 4, latent: 8 },
  vasp: { epochs: 1, batchSize: 100, hidden: 30, latent: 8, encoderLayers: 3, decoderLayers: 2 },
  ease: { lambda: 20 },
  slim: { alpha: 0.01 },
  "item-knn": { neighbours: 20 },
  elsa: { factors: 12, epochs: 3 },
  wmf: { factors: 12, epochs: 3 },
  "wmf unobserved": { factors: 12, epochs: 3, weighting: "unobserved", frequencyExponent: 1 },
};

/** Histories side by side, padded with -1. */
function padded(histories: CsrMatrix): { data: Int32Array; dims: [number, number] } {
  const rows = Array.from({ length: histories.rows }, (_, row) => rowIndices(histories, row));
  const length = Math.max(...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * length).fill(-1);
  for (const [row, items] of rows.entries()) data.set(items, row * length);
  return { data, dims: [rows.length, length] };
}

async function run(session: ort.InferenceSession, data: Int32Array, dims: readonly number[], k: number) {
  const { items, scores } = await session.run({
    history: new ort.Tensor("int32", data, dims),
    k: new ort.Tensor("int32", Int32Array.of(k), [1]),
  });
  return { items: items.data as Int32Array, scores: scores.data as Float32Array, dims: items.dims };
}

describe.each(Object.keys(options))("%s as ONNX", (name) => {
  const histories = dataset.test.foldIn;
  let model: Recommender;
  let files: ModelFiles;
  let session: ort.InferenceSession;
  const path = join(folder, `${name.replace(" ", "-")}.onnx`);

  beforeAll(async () => {
    model = await train(dataset, { model: name.split(" ")[0], options: options[name], engine: "reference" });
    files = await model.save();
    const bytes = await onnxOf(files);
    writeFileSync(path, bytes);
    session = await ort.InferenceSession.create(bytes);
  });
  afterAll(async () => {
    await session.release();
    model.dispose();
  });

  it("ranks as foldin does, to onnxruntime-web: the same best 20 of every history, the same scores", async () => {
    const ours = await model.score(histories).topK(20, histories);
    const { data, dims } = padded(histories);
    const theirs = await run(session, data, dims, 20);
    expect(theirs.dims).toEqual([histories.rows, 20]);
    const span = Math.max(...ours.scores) - Math.min(...ours.scores);
    for (let place = 0; place < ours.items.length; place++) {
      expect(Math.abs(theirs.scores[place] - ours.scores[place])).toBeLessThan(1e-4 * span);
      // Another item may stand there only where the scores are equal but for rounding.
      if (theirs.items[place] === ours.items[place]) continue;
      const row = Math.floor(place / 20);
      const [score] = await model
        .score(fromRows(120, [rowIndices(histories, row)]))
        .at(Uint32Array.of(theirs.items[place]));
      expect(Math.abs(score - ours.scores[place])).toBeLessThan(1e-5 * span);
    }
  });

  it("ignores padding, unknown items and duplicates, and limits k to the catalogue", async () => {
    const plain = await run(session, Int32Array.of(3, 50, 7), [1, 3], 5);
    const odd = await run(session, Int32Array.of(-1, 7, 3, 7, 999, 120, 50, 3), [1, 8], 5);
    expect([...odd.items]).toEqual([...plain.items]);
    const everything = Int32Array.from({ length: 120 }, (_, item) => item).subarray(0, 118);
    const rest = await run(session, everything, [1, 118], 1000);
    expect(rest.dims).toEqual([1, 120]);
    expect([...rest.items.subarray(0, 2)].sort()).toEqual([118, 119]);
    expect([...rest.items.subarray(2)]).toEqual(new Array(118).fill(-1));
    const nothing = await run(session, Int32Array.of(-1), [1, 1], 3);
    const ours = await model.score(fromRows(120, [[]])).topK(3);
    expect([...ours.items]).not.toContain(NO_ITEM);
    for (const [place, score] of [...nothing.scores].entries())
      expect(score).toBeCloseTo(ours.scores[place], 3);
  });

  it.skipIf(!withPython)("is read by Python's onnxruntime with the same result, ids and titles", async () => {
    const { data, dims } = padded(histories);
    const [rows, length] = dims;
    const history = Array.from({ length: rows }, (_, row) => [
      ...data.subarray(row * length, (row + 1) * length),
    ]);
    const { stdout, stderr } = spawnSync(python, [join(import.meta.dirname, "../../support/onnx-check.py")], {
      input: JSON.stringify({ model: path, history, k: 20 }),
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    expect(stderr).not.toContain("Error");
    const answer = JSON.parse(stdout) as { items: number[][]; metadata: Record<string, string> };
    const theirs = await run(session, data, dims, 20);
    const same = answer.items.flat().filter((item, place) => item === theirs.items[place]).length;
    // The same program on other kernels: scores that differ by rounding may change places.
    expect(same).toBeGreaterThan(0.99 * theirs.items.length);
    expect(JSON.parse(answer.metadata["foldin.items"])).toEqual({
      ids: dataset.items.ids,
      titles: dataset.items.titles,
    });
    expect(answer.metadata["foldin.algorithm"]).toBe(name.split(" ")[0]);
  });

  it("supports float16 and int8 weights, which are smaller and close", async () => {
    const { data, dims } = padded(histories);
    const exact = await run(session, data, dims, 20);
    const span = Math.max(...exact.scores) - Math.min(...exact.scores);
    for (const [weights, near] of [
      ["float16", 0.02],
      ["int8", 0.25],
    ] as const) {
      const bytes = await onnxOf(files, { weights });
      if (name.startsWith("ease")) expect(bytes.length).toBeLessThan(0.6 * readFileSync(path).length);
      const other = await ort.InferenceSession.create(bytes);
      const { scores } = await run(other, data, dims, 20);
      for (const [place, score] of scores.entries())
        expect(Math.abs(score - exact.scores[place])).toBeLessThan(near * span);
      await other.release();
    }
  });
});

/** What onnxruntime-web and foldin recommend for some histories: the same items, nearly the same scores. */
async function expectTheSame(
  files: ModelFiles,
  histories: CsrMatrix,
  k: number,
  weights: WeightType,
  near: number,
) {
  const engine = new ReferenceEngine();
  const model = await restoreModel(files, { engine });
  const bytes = await onnxOf(files, { weights });
  const session = await ort.InferenceSession.create(bytes);
  const ours = await model.score(histories).topK(k, histories);
  const { data, dims } = padded(histories);
  const theirs = await run(session, data, dims, k);
  const span = Math.max(...ours.scores) - Math.min(...ours.scores);
  expect([...theirs.items].map((item) => (item < 0 ? NO_ITEM : item))).toEqual([...ours.items]);
  for (const [place, score] of theirs.scores.entries())
    expect(Math.abs(score - ours.scores[place])).toBeLessThan(near * span);
  await session.release();
  model.dispose();
  await engine.close();
  return bytes;
}

/** A model of item-item weights: item i's row has `counts` entries, the first and the last items of the catalogue among them. */
function itemWeights(items: number, entries: number): ModelFiles {
  const offsets = new Uint32Array(items + 1);
  const indices: number[] = [];
  // The first and the last rows have the most; the weights are sums of different powers, so that no two scores are equal.
  const perRow = Math.ceil(entries / 2 / 20);
  for (let row = 0; row < items; row++) {
    const special = row < 20 || row >= items - 20;
    const count = special ? Math.min(perRow, entries - indices.length) : 0;
    for (let n = 0; n < count; n++)
      indices.push(n % 2 === 0 ? (row + 1 + n / 2) % items : items - 1 - ((row + (n - 1) / 2) % items));
    offsets[row + 1] = indices.length;
  }
  const values = Float32Array.from(indices, (_, e) => 1 + ((e * 7919) % 9973) / 9973);
  return {
    ...{
      algorithm: "item-knn",
      config: {},
      items: new Vocabulary(Array.from({ length: items }, (_, i) => `${i}`)),
    },
    tensors: {
      offsets: { shape: [items + 1], data: offsets },
      indices: { shape: [indices.length], data: Uint32Array.from(indices) },
      values: { shape: [values.length], data: values },
    },
  };
}

describe("on both sides of a threshold", () => {
  it.each([2 ** 15 - 1, 2 ** 15, 2 ** 15 + 1])(
    "sparse weights of %i items, whose places have 16 bits or 32, rank as foldin does",
    async (items) => {
      const files = itemWeights(items, 1200);
      const histories = fromRows(items, [[0, 3, items - 1], [items - 2], [19, items - 20, 7]]);
      await expectTheSame(files, histories, 12, "float32", 1e-5);
    },
  );

  it.each([4095, 4096, 4097])(
    "%i sparse weights keep 32 bits or get fewer, and rank alike",
    async (entries) => {
      const files = itemWeights(500, entries);
      expect(files.tensors.values.data).toHaveLength(entries);
      const histories = fromRows(500, [[0, 3, 499], [498], [19, 480, 7]]);
      const whole = await expectTheSame(files, histories, 12, "float32", 1e-5);
      const half = await onnxOf(files, { weights: "float16" });
      const saved = whole.length - half.length;
      if (entries < 4096) expect(saved).toBe(0);
      // Two bytes each, but for the node that makes 32 bits of them again.
      else expect(Math.abs(saved - 2 * entries)).toBeLessThan(100);
      await expectTheSame(files, histories, 1, "float16", 0.01);
    },
  );

  it.each([63, 64, 65])(
    "dense weights of %i items by as many keep 32 bits or get fewer, and rank alike",
    async (items) => {
      const data = Float32Array.from({ length: items ** 2 }, (_, i) =>
        Math.fround(((i * 7919) % 9973) / 9973),
      );
      const files: ModelFiles = {
        ...{ algorithm: "ease", config: {}, items: vocabulary("i", items) },
        tensors: { weights: { shape: [items, items], data } },
      };
      const histories = fromRows(items, [[0, 3, items - 1], [items - 2]]);
      const whole = await expectTheSame(files, histories, 12, "float32", 1e-5);
      for (const [weights, saved] of [
        ["float16", 2],
        ["int8", 3],
      ] as const) {
        const bytes = await expectTheSame(files, histories, 1, weights, 0.02);
        if (items < 64) expect(bytes.length).toBe(whole.length);
        else expect(bytes.length).toBeLessThan(whole.length - saved * items ** 2 + 1000);
      }
    },
  );

  // best-products.ts: from 1,024 items and 2^20 weights of the output layer on, a history is ranked by bounds.
  it.each(["mult-vae", "mult-dae", "h-vamp"])(
    "%s of 1,023 and of 1,024 items with 1,024 hidden units can be exported, and ranks as foldin does",
    async (model) => {
      for (const items of [1023, 1024]) {
        const trained = await train(tastes({ users: 16, heldOutUsers: 8, items }), {
          model,
          options: {
            ...{ epochs: 1, batchSize: 16 },
            ...{
              "mult-vae": { hidden: [1024], latent: 4 },
              "mult-dae": { hidden: [], latent: 1024 },
              "h-vamp": { hidden: 1024, latent1: 4, latent2: 4, pseudoInputs: 3 },
            }[model],
          },
        });
        const files = await trained.save();
        trained.dispose();
        await expectTheSame(files, fromRows(items, [[1, 5, items - 1]]), 5, "float32", 1e-3);
      }
    },
  );

  it("a file of the maximum size is written, and one byte more is refused, even if the weights alone would fit", async () => {
    const files: ModelFiles = {
      ...{ algorithm: "ease", config: {}, items: vocabulary("i", 10) },
      tensors: { weights: { shape: [10, 10], data: new Float32Array(100).fill(1) } },
    };
    const { length } = await onnxOf(files);
    expect(await onnxOf(files, {}, length)).toHaveLength(length);
    await expect(onnxOf(files, {}, length - 1)).rejects.toThrow(/^ease: its file would take .*--float16/);
    await expect(onnxOf(files, {}, 400)).rejects.toThrow("its file would take");
    await expect(onnxOf(files, {}, 399)).rejects.toThrow("its weights take");
    await expect(onnxOf(files, { weights: "int8" }, 99)).rejects.toThrow("Train a smaller model");
    // 2 GiB themselves: nothing of that size is made.
    const claiming = (numbers: number) =>
      onnxOf({
        ...files,
        tensors: { weights: { shape: [10, 10], data: { length: numbers } as unknown as Float32Array } },
      });
    await expect(claiming(2 ** 29)).rejects.toThrow(
      "its weights take 2.0 GiB; the limit of an ONNX file is 2.0 GiB",
    );
    await expect(claiming(2 ** 29 - 1)).rejects.toThrow(
      "tensor weights: has 536870911 numbers (expected 10 x 10 numbers)",
    );
  });
});

describe("foldin export", () => {
  it("writes the file atomically, and refuses other models in one line that names the exportable ones", async () => {
    const [knn, nmf] = [join(folder, "knn"), join(folder, "nmf")];
    (await train(dataset, { model: "item-knn", engine: "reference", out: knn })).dispose();
    (await train(dataset, { model: "nmf", options: { epochs: 2 }, engine: "reference", out: nmf })).dispose();
    const out = join(folder, "knn.onnx");
    const { code, stdout } = await foldin(["export", knn, "--onnx", out, "--int8", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ algorithm: "item-knn", weights: "int8", items: 120 });
    expect(JSON.parse(stdout).bytes).toBe(readFileSync(out).length);

    for (const [args, message] of [
      [
        ["export", nmf, "--onnx", join(folder, "nmf.onnx")],
        /^nmf: the model cannot be exported.*mult-vae.*ease/,
      ],
      [["export", knn, "--onnx", out], /the file already exists/],
      [["export", knn, "--onnx", folder], /is a folder/],
      [["export", knn], /^option '--onnx' is required/],
      [
        ["export", knn, "--onnx", join(folder, "x.onnx"), "--int8", "--float16"],
        /^--int8: cannot be combined with/,
      ],
      [
        ["export", knn, "--onnx", join(folder, "x.onnx"), "--steps", "3"],
        /^--steps: item-knn does not use conjugate gradients/,
      ],
    ] as const) {
      const refused = await foldin(args);
      expect(refused).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(message)]);
    }
    expect(existsSync(join(folder, "nmf.onnx"))).toBe(false);
    expect(existsSync(join(folder, "x.onnx"))).toBe(false);
  });

  it("names existing models", () => {
    for (const name of exportable) expect(algorithmNames).toContain(name);
  });

  it("refuses a vae that samples when it predicts", async () => {
    const sampling = await train(dataset, {
      ...{ model: "vae", options: { ...small, epochs: 1, sampleAtPrediction: true }, engine: "reference" },
    });
    await expect(onnxOf(await sampling.save())).rejects.toThrow("sampleAtPrediction");
    sampling.dispose();
  });
});

describe("the attributes of an exported model's items", () => {
  it("are in the metadata, in the order of the indices", async () => {
    const ids = ["a", "b", "c"];
    const column = (name: string, type: "text" | "list" | "date" | "boolean", values: (string | null)[]) =>
      encodeColumn({ name, values }, { type }, String);
    const attributes = ItemAttributes.of(3, [
      column("colour", "text", ["red", null, "blue"]),
      column("tags", "list", ["x|y", "", "y"]),
      column("day", "date", ["2009-09-13", null, "2010-01-01"]),
      column("new", "boolean", ["true", "false", null]),
    ]);
    const model = await train(
      {
        ...dataset,
        items: new Vocabulary(ids, undefined, attributes),
        train: fromRows(3, [
          [0, 1],
          [1, 2],
        ]),
      },
      { model: "ease", engine: "reference" },
    );
    const bytes = Buffer.from(await onnxOf(await model.save()));
    model.dispose();
    const expected = {
      colour: { type: "text", values: ["red", null, "blue"] },
      tags: { type: "list", values: [["x", "y"], [], ["y"]] },
      day: { type: "date", values: ["2009-09-13", null, "2010-01-01"] },
      new: { type: "boolean", values: [true, false, null] },
    };
    expect(bytes.includes("foldin.attributes")).toBe(true);
    expect(bytes.includes(JSON.stringify(expected))).toBe(true);
  });
});
