// Hostile input: model folders and requests with anything wrong in them. A folder loads and answers, or is refused with a
// UserError; it makes the engine allocate no more than a multiple of its own size; nothing outside it is read. A request
// gets its answer or a problem, never a 500. FOLDIN_FUZZ_RUNS sets how many of each (default 500; CI: 5000).

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { UserError } from "../../src/core/errors.js";
import type { JsonObject } from "../../src/core/json.js";
import { popularityIn } from "../../src/data/item-popularity.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import type { ModelFiles } from "../../src/recommender/recommender.js";
import { loadRecommender } from "../../src/serving/load.js";
import { checkerboard, withWords } from "../support/datasets.js";
import { trainedRuns } from "../support/parts.js";
import { served } from "../support/served.js";

const numRuns = Number(process.env.FOLDIN_FUZZ_RUNS ?? 500);
/** The same input every time; another number makes other input. */
const seed = Number(process.env.FOLDIN_FUZZ_SEED ?? 1);
const words = withWords(checkerboard(20, 20));
const dataset = { ...words, items: words.items.withPopularity(popularityIn(words.train)) };
const files = [
  "config.json",
  "items.json",
  "model.safetensors",
  "popularity.safetensors",
  "content.json",
] as const;
type Folder = Record<string, Buffer>;

const network = { latent: 4, batchSize: 10, epochs: 1 };
const small: Record<string, Record<string, unknown>> = {
  blend: { runs: await trainedRuns(dataset, { popularity: {}, slim: {} }), weights: [1, 1] },
  "content-knn": { clicks: true },
  vae: { ...network, hidden: [8] },
  "mult-vae": { ...network, hidden: [8] },
  "mult-dae": network,
  cdae: { latent: 4, epochs: 1 },
  wmf: { factors: 4, epochs: 1 },
  nmf: { factors: 4 },
  "rec-vae": { ...network, hidden: 8, layers: 2 },
  vasp: { ...network, hidden: 8, encoderLayers: 2, decoderLayers: 2 },
  vamp: { ...network, hidden: 8, pseudoInputs: 5, pseudoInit: "training-rows", warmup: 1 },
  "h-vamp": {
    ...{ hidden: 8, latent1: 4, latent2: 4, layers: 2, pseudoInputs: 5, batchSize: 10, epochs: 1, warmup: 1 },
  },
  cvae: { hidden: [8], latent: 4, batchSize: 10, epochs: 1, layerEpochs: 1, latentEpochs: 1, wholeEpochs: 1 },
  cdl: { hidden: [8], latent: 4, batchSize: 10, epochs: 1, layerEpochs: 1, wholeEpochs: 1 },
};

let engine: Engine;
const folders: [string, Folder][] = [];
const root = await mkdtemp(join(tmpdir(), "foldin-fuzz-"));

beforeAll(async () => {
  engine = await openEngine({ threads: 1 });
  for (const name of algorithmNames) {
    const algorithm = await findAlgorithm(name);
    const known = Object.keys(
      (algorithm.options as unknown as { shape?: object }).shape ?? small[name] ?? {},
    );
    const given = Object.fromEntries(
      Object.entries(small[name] ?? {}).filter(([option]) => known.includes(option)),
    );
    const model = await algorithm.fit(dataset, parseOptions(algorithm, given), { engine, seed: 1 });
    const folder = join(root, name);
    await mkdir(folder);
    await writeModelFiles(folder, await model.save());
    model.dispose();
    const contents: Folder = {};
    for (const file of files)
      await readFile(join(folder, file)).then(
        (bytes) => {
          contents[file] = bytes;
        },
        () => {},
      );
    folders.push([name, contents]);
  }
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true });
});

/** The engine, counting the numbers that it is made to hold, and how often it is called. */
function counting(): { engine: Engine; held: () => number; calls: () => number } {
  let held = 0;
  let calls = 0;
  const counted = new Set(["zeros", "empty", "tensor"]);
  const proxy = new Proxy(engine, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      calls++;
      if (!counted.has(String(name))) return value.bind(target);
      return (rows: number, columns: number, ...rest: unknown[]) => {
        held += rows * columns;
        // Refused before the memory is asked for: the test's machine is somebody's.
        if (held > 1e8) throw new Error(`the engine is asked for ${held} numbers`);
        return value.call(target, rows, columns, ...rest) as unknown;
      };
    },
  });
  return { engine: proxy, held: () => held, calls: () => calls };
}

const two = new Vocabulary(["a", "b"]);
const part = { name: "part", weight: 1 };
const vector = (data: Float32Array) => ({ shape: [data.length], data });
const sizeOf = (contents: Folder) => Object.values(contents).reduce((sum, { length }) => sum + length, 0);
const configOf = (model: string) => {
  const [, contents] = folders.find(([name]) => name === model) ?? [];
  return (JSON.parse(String(contents?.["config.json"])) as { config: JsonObject }).config;
};

/** Where the numbers of a JSON value stand. */
function numbersIn(value: unknown): string[][] {
  if (typeof value === "number") return [[]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(inner).map((path) => [key, ...path]));
}

function withNumber(value: unknown, [key, ...path]: string[], by: number): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = withNumber(copy[key], path, by);
  return copy;
}

/** Loads a folder and asks it for one history's best: what the engine held, and how often it was called. */
async function loadAndAsk(name: string, contents: Folder) {
  const folder = join(root, name);
  await mkdir(folder);
  for (const [file, content] of Object.entries(contents)) await writeFile(join(folder, file), content);
  const counts = counting();
  let refused: string | undefined;
  try {
    const recommender = await loadRecommender(folder, { engine: counts.engine });
    try {
      const { size } = recommender.items;
      await recommender
        .score({ rows: 1, columns: size, offsets: Uint32Array.of(0, 1), indices: Uint32Array.of(0) })
        .topK(3);
    } finally {
      recommender.dispose();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    refused = error.message;
  }
  await rm(folder, { recursive: true });
  return { held: counts.held(), calls: counts.calls(), refused };
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      0,
      -1,
      1,
      0.5,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      1e308,
      null,
      true,
      "",
      "item1",
      "../../etc/passwd",
      "__proto__",
    ],
    ...[[], {}, [[]], [1e9, 1e9], ["x", "x"], { length: 1e9 }, { __proto__: null }],
  ),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Replaces what is at some place of a JSON value. */
function replaced(value: unknown, place: readonly number[], by: unknown): unknown {
  if (place.length === 0 || typeof value !== "object" || value === null) return by;
  const keys = Object.keys(value);
  if (keys.length === 0) return by;
  const [at, ...rest] = place;
  const key = keys[at % keys.length];
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

/** A safetensors file with another header, the tensors' bytes as they were or cut. */
function withHeader(bytes: Buffer, change: (header: unknown) => unknown): Buffer {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = Buffer.from(JSON.stringify(change(JSON.parse(bytes.toString("utf8", 8, 8 + length)))));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([size, header, bytes.subarray(8 + length)]);
}

/** The weights alone: any bits at all. */
const otherWeights = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 64 }).map(
  (changes): Mutation =>
    (bytes, file) => {
      if (file !== "model.safetensors") return bytes;
      const copy = Buffer.from(bytes);
      const start = 8 + Number(bytes.readBigUInt64LE(0));
      for (const [at, byte] of changes) copy[start + (at % (copy.length - start))] = byte;
      return copy;
    },
);

type Mutation = (bytes: Buffer, file: string) => Buffer;
const places = fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 3, arbitrary: otherWeights },
  fc.tuple(places, odd).map(
    ([place, by]): Mutation =>
      (bytes, file) => {
        const change = (value: unknown) => replaced(value, place, by);
        return file.endsWith(".json")
          ? Buffer.from(JSON.stringify(change(JSON.parse(bytes.toString()))) ?? "")
          : withHeader(bytes, change);
      },
  ),
  fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }).map(
    (changes): Mutation =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
        return copy;
      },
  ),
  fc.nat().map(
    (at): Mutation =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  fc.uint8Array({ maxLength: 64 }).map(
    (more): Mutation =>
      (bytes) =>
        Buffer.concat([bytes, more]),
  ),
  fc.uint8Array({ maxLength: 256 }).map(
    (instead): Mutation =>
      () =>
        Buffer.from(instead),
  ),
  fc.constant<Mutation>((_, file) =>
    Buffer.from(
      file === "config.json"
        ? `{"formatVersion":1,"algorithm":"mult-vae","config":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}`
        : "[".repeat(50_000),
    ),
  ),
);

describe("an untrusted model folder", () => {
  it(`loads and answers, or is refused with a clear message (${numRuns} mutated folders)`, {
    timeout: 1_800_000,
  }, async () => {
    let loaded = 0;
    let refused = 0;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), mutation), { minLength: 1, maxLength: 3 }),
        async (model, mutations) => {
          const [, original] = folders[model % folders.length];
          const contents = { ...original };
          const names = Object.keys(contents);
          for (const [which, mutate] of mutations) {
            const file = names[which % names.length];
            try {
              contents[file] = mutate(contents[file], file);
            } catch {
              // A file that an earlier mutation has broken stays as it is.
            }
          }
          const folder = join(root, `case-${run++}`);
          await mkdir(folder);
          let bytes = 0;
          for (const [file, content] of Object.entries(contents)) {
            bytes += content.length;
            await writeFile(join(folder, file), content);
          }
          const { engine: counted, held } = counting();
          try {
            const recommender = await loadRecommender(folder, { engine: counted });
            try {
              // Weights are read as they are; a score may be anything, an answer has the right shape.
              const { size } = recommender.items;
              const history =
                size > 1 ? { indices: Uint32Array.of(0, 1), end: 2 } : { indices: new Uint32Array(), end: 0 };
              const matrix = {
                rows: 1,
                columns: size,
                offsets: Uint32Array.of(0, history.end),
                indices: history.indices,
              };
              const best = await recommender.score(matrix).topK(3, matrix);
              expect(best.items).toHaveLength(Math.min(3, size));
              loaded++;
            } finally {
              recommender.dispose();
            }
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
            expect(error.message).not.toContain("[object Object]");
            refused++;
          }
          expect(held()).toBeLessThan(64 * bytes + 100_000);
          await rm(folder, { recursive: true });
        },
      ),
      { numRuns, seed },
    );
    // Both ends are reached: most changes of weights load, most of headers do not.
    expect(loaded).toBeGreaterThan(numRuns / 50);
    expect(refused).toBeGreaterThan(numRuns / 10);
  });

  it("does not read outside the folder or allocate more than its size", async () => {
    const [, contents] = folders[0];
    const secret = join(root, "secret.json");
    await writeFile(secret, JSON.stringify({ ids: ["secret"], titles: null }));
    const make = async (name: string) => {
      const folder = join(root, name);
      await mkdir(folder);
      for (const [file, content] of Object.entries(contents)) await writeFile(join(folder, file), content);
      return folder;
    };
    for (const file of ["config.json", "items.json", "model.safetensors"]) {
      const folder = await make(`link-${file}`);
      await rm(join(folder, file));
      await symlink(secret, join(folder, file));
      await expect(readModelFiles(folder)).rejects.toThrow(/is a link to a file outside the folder/);
      await rm(join(folder, file));
      await mkdir(join(folder, file));
      await expect(readModelFiles(folder)).rejects.toThrow(/this is a folder, not a file/);
    }
    const sound = await make("sound");
    await symlink(sound, join(root, "current"));
    expect((await readModelFiles(join(root, "current"))).items.size).toBe(20);
    const holes = await make("holes");
    await truncate(join(holes, "model.safetensors"), 2 ** 42);
    await expect(readModelFiles(holes)).rejects.toThrow(
      /model\.safetensors: the file is 4096\.0 GiB long, but almost all of it is sparse/,
    );
  });

  it("is refused if one of its files is a pipe or a device", async () => {
    const [, contents] = folders[0];
    for (const file of ["config.json", "items.json", "model.safetensors"]) {
      const folder = join(root, `pipe-${file}`);
      await mkdir(folder);
      for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content);
      await rm(join(folder, file));
      execFileSync("mkfifo", [join(folder, file)]);
      await expect(readModelFiles(folder)).rejects.toThrow(/this is a pipe, not a file/);
      await rm(join(folder, file));
      await symlink("/dev/zero", join(folder, file));
      await expect(readModelFiles(folder)).rejects.toThrow(/this is a device, not a file/);
    }
  });

  it("cannot allocate much more than its size, by any number in its configuration", {
    timeout: 600_000,
  }, async () => {
    let tried = 0;
    for (const [name, contents] of folders) {
      const head = JSON.parse(contents["config.json"].toString()) as { config: unknown };
      for (const path of numbersIn(head.config))
        for (const by of [1e3, 8000, 1e5, 2 ** 31, 2 ** 53, 1e308, -1, 0]) {
          const config = JSON.stringify({ ...head, config: withNumber(head.config, path, by) });
          const { held, calls, refused } = await loadAndAsk(`${name}-${tried++}`, {
            ...contents,
            "config.json": Buffer.from(config),
          });
          const what = `${name}: ${path.join(".")} = ${by}${refused ? `: ${refused}` : ""}`;
          expect(held, what).toBeLessThan(64 * sizeOf(contents) + 100_000);
          expect(calls, what).toBeLessThan(5000);
        }
    }
    expect(tried).toBeGreaterThan(500);
  });

  it.each<[string, () => ModelFiles, RegExp]>([
    [
      "a blend of 10,000 parts",
      () => ({
        algorithm: "blend",
        config: {
          parts: Array.from({ length: 10_000 }, (_, k) => ({
            ...{ name: `part ${k}`, weight: 1, algorithm: "popularity", config: {} },
          })),
        },
        tensors: Object.fromEntries(
          Array.from({ length: 9_999 }, (_, k) => [`${k}.counts`, vector(Float32Array.of(1, 2))]),
        ),
        items: two,
      }),
      /it has 10000 parts; the maximum is 100/,
    ],
    [
      "a blend of blends of blends, 216 in all",
      () => {
        const of = (level: number): JsonObject =>
          level === 0
            ? { ...part, algorithm: "popularity", config: {} }
            : {
                ...part,
                algorithm: "blend",
                config: { parts: Array.from({ length: 6 }, () => of(level - 1)) },
              };
        return { algorithm: "blend", config: of(3).config as JsonObject, tensors: {}, items: two };
      },
      /it has 216 parts; the maximum is 100/,
    ],
    [
      "100,000 layers of one unit",
      () => ({
        algorithm: "mult-vae",
        config: { hidden: new Array<number>(100_000).fill(1), latent: 1, gated: false },
        tensors: { w: vector(new Float32Array(4 * 100_000)) },
        items: two,
      }),
      /hidden/,
    ],
    [
      "20,000 tensors",
      () => ({
        algorithm: "mult-vae",
        config: { hidden: [1], latent: 1, gated: false },
        tensors: Object.fromEntries(
          Array.from({ length: 20_000 }, (_, k) => [`tensor ${k}`, vector(Float32Array.of(1))]),
        ),
        items: two,
      }),
      /it has 20000 tensors, more than 10000/,
    ],
    [
      "8,000 factors of two items",
      () => ({
        algorithm: "wmf",
        config: { ...configOf("wmf"), factors: 8000 },
        tensors: { items: { shape: [2, 8000], data: new Float32Array(16_000) } },
        items: two,
      }),
      /wmf: factors: 8000 factors for 2 items \(expected at most 1024/,
    ],
    [
      "20,000 non-negative factors of two items",
      () => ({
        algorithm: "nmf",
        config: { ...configOf("nmf"), factors: 20_000 },
        tensors: { items: { shape: [2, 20_000], data: new Float32Array(40_000) } },
        items: two,
      }),
      /nmf: factors: 20000 factors for 2 items \(expected at most 1024/,
    ],
  ])("is refused as %s", async (_, make, message) => {
    const folder = await mkdtemp(join(root, "large-"));
    await writeModelFiles(folder, make());
    const { engine: counted, held } = counting();
    const before = process.cpuUsage();
    const refused = loadRecommender(folder, { engine: counted });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(UserError);
    expect(held()).toBeLessThan(100_000);
    // Ten seconds of the processor are not a matter of load: these took minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(10e6);
  });

  it("loads as a blend of a hundred parts, checking each tensor once", async () => {
    const parts = Array.from({ length: 100 }, (_, k) => ({
      ...part,
      name: `p${k}`,
      algorithm: "popularity",
      config: {},
    }));
    const tensors = Object.fromEntries(parts.map((_, k) => [`${k}.counts`, vector(Float32Array.of(k, 1))]));
    const folder = await mkdtemp(join(root, "hundred-"));
    await writeModelFiles(folder, { algorithm: "blend", config: { parts }, tensors, items: two });
    const recommender = await loadRecommender(folder, { engine });
    // Part 0 prefers the second item, part 1 neither, all others the first.
    const [first, second] = await recommender
      .score({
        ...{ rows: 1, columns: 2, offsets: Uint32Array.of(0, 0), indices: new Uint32Array(0) },
      })
      .read();
    expect(first).toBeCloseTo(97, 3);
    expect(second).toBeCloseTo(-97, 3);
    recommender.dispose();
  });
});

describe("untrusted requests", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom("item1", "Title of item2", "../..", "%00", "a".repeat(600)),
  );
  const entry = fc.oneof({ weight: 3, arbitrary: text }, odd);
  const body = fc.oneof(
    fc.record(
      {
        history: fc.oneof(fc.array(entry, { maxLength: 8 }), odd),
        histories: fc.oneof(fc.array(fc.array(entry, { maxLength: 4 }), { maxLength: 4 }), odd),
        k: fc.oneof(fc.integer({ min: -1, max: 1001 }), odd),
        exclude: fc.oneof(fc.array(entry, { maxLength: 4 }), odd),
        candidates: fc.oneof(fc.array(entry, { maxLength: 4 }), odd),
        includeHistory: fc.oneof(fc.boolean(), odd),
        explain: fc.oneof(fc.boolean(), odd),
        diversity: fc.oneof(fc.double({ min: 0, max: 1 }), odd),
        novelty: fc.oneof(fc.double({ min: 0, max: 1 }), odd),
        atMost: fc.oneof(fc.dictionary(text, fc.oneof(fc.nat(3), odd), { maxKeys: 3 }), odd),
        boost: fc.oneof(
          fc.array(fc.record({ where: odd, by: fc.oneof(fc.double(), odd) }), { maxLength: 3 }),
          odd,
        ),
        model: fc.oneof(fc.constant("main"), odd),
        user: fc.oneof(text, odd),
        events: fc.oneof(
          fc.array(fc.record({ item: entry, at: odd }, { requiredKeys: [] }), { maxLength: 4 }),
          odd,
        ),
      },
      { requiredKeys: [] },
    ),
    odd,
  );
  const payload = fc.oneof(
    { weight: 4, arbitrary: body.map((value) => JSON.stringify(value) ?? "") },
    fc.string({ unit: "binary", maxLength: 100 }),
  );
  const segment = fc.oneof(text.map(encodeURIComponentSafely), fc.stringMatching(/^[a-z%/?.]{0,12}$/));
  const url = fc.oneof(
    fc.constant("/v1/recommendations"),
    segment.map((id) => `/v1/users/${id}/events`),
    segment.map((id) => `/v1/users/${id}`),
    fc.tuple(segment, segment).map(([id, k]) => `/v1/users/${id}/recommendations?k=${k}`),
    fc.tuple(segment, segment).map(([id, k]) => `/v1/items/${id}/similar?k=${k}`),
    segment.map((search) => `/v1/items?search=${search}`),
    segment.map((path) => `/${path}`),
  );

  function encodeURIComponentSafely(given: string): string {
    try {
      return encodeURIComponent(given);
    } catch {
      return "%ED%A0%80";
    }
  }

  it(`get an answer or a problem (${numRuns} requests)`, { timeout: 1_800_000 }, async () => {
    const server = await served({ limits: { perSecond: 0 } });
    const statuses = new Map<number, number>();
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom("GET", "POST", "DELETE"),
          url,
          payload,
          async (method, url, payload) => {
            const response = await server.server.app.inject({
              method: method as "GET",
              url,
              ...(method !== "GET" && { payload, headers: { "content-type": "application/json" } }),
            });
            const { statusCode: status, body } = response;
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
            expect(status).toBeLessThan(500);
            expect(body).not.toMatch(/node_modules|\bat .+:\d+:\d+/);
            if (status >= 400) {
              expect(response.headers["content-type"]).toContain("application/problem+json");
              const problem = JSON.parse(body);
              expect(problem).toMatchObject({ type: "about:blank", status });
              expect(problem.detail).not.toBe("");
            }
          },
        ),
        { numRuns, seed },
      );
      expect(statuses.get(200)).toBeGreaterThan(numRuns / 100);
      expect(statuses.get(400)).toBeGreaterThan(numRuns / 20);
      expect((await server.ask("GET", "/health/ready")).status).toBe(200);
    } finally {
      await server.close();
    }
  });
});
