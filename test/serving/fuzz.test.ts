// Hostile input: model folders and requests with anything wrong in them. A folder loads and answers, or is refused with a
// UserError; it makes the engine allocate no more than a multiple of its own size; nothing outside it is read. A request
// gets its answer or a problem, never a 500. FOLDIN_FUZZ_RUNS sets how many of each (default 500; CI: 5000).

import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { UserError } from "../../src/core/errors.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import { loadRecommender } from "../../src/serving/load.js";
import { checkerboard, withWords } from "../support/datasets.js";
import { trainedRuns } from "../support/parts.js";
import { served } from "../support/served.js";

const numRuns = Number(process.env.FOLDIN_FUZZ_RUNS ?? 500);
/** The same input every time; another number makes other input. */
const seed = Number(process.env.FOLDIN_FUZZ_SEED ?? 1);
const dataset = withWords(checkerboard(20, 20));
const files = ["config.json", "items.json", "model.safetensors", "content.json"] as const;
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

/** The engine, counting the numbers that it is made to hold. */
function counting(): { engine: Engine; held: () => number } {
  let held = 0;
  const counted = new Set(["zeros", "empty", "tensor"]);
  const proxy = new Proxy(engine, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      if (!counted.has(String(name))) return value.bind(target);
      return (rows: number, columns: number, ...rest: unknown[]) => {
        held += rows * columns;
        // Refused before the memory is asked for: the test's machine is somebody's.
        if (held > 1e8) throw new Error(`the engine is asked for ${held} numbers`);
        return value.call(target, rows, columns, ...rest) as unknown;
      };
    },
  });
  return { engine: proxy, held: () => held };
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

describe("a model folder from a stranger", () => {
  it(`is loaded and answers, or is refused in words (${numRuns} mutated folders)`, {
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

  it("leads nowhere else, and claims no more than there is", async () => {
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
      await expect(readModelFiles(folder)).rejects.toThrow(/is a link out of the folder/);
      await rm(join(folder, file));
      await mkdir(join(folder, file));
      await expect(readModelFiles(folder)).rejects.toThrow(/it is no file/);
    }
    const sound = await make("sound");
    await symlink(sound, join(root, "current"));
    expect((await readModelFiles(join(root, "current"))).items.size).toBe(20);
    const holes = await make("holes");
    await truncate(join(holes, "model.safetensors"), 2 ** 42);
    await expect(readModelFiles(holes)).rejects.toThrow(/more than this machine's memory/);
  });
});

describe("requests from strangers", () => {
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
