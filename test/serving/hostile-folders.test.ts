// A model folder is data, and may come from a stranger: whatever is done to its files, loading it gives a model or one UserError,
// runs nothing, reads nothing outside, and takes no memory that the files do not account for.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { UserError } from "../../src/core/errors.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { writeModelFiles } from "../../src/recommender/model-files.js";
import { loadRecommender } from "../../src/serving/load.js";
import { fromRows } from "../../src/sparse/csr.js";
import { checkerboard, withWords } from "../support/datasets.js";
import { trainedRuns } from "../support/parts.js";

const RUNS = 10_000;
/** The same folders every time; FOLDIN_FUZZ_SEED=n makes others. */
const SEED = Number(process.env.FOLDIN_FUZZ_SEED ?? 8);
const ITEMS = 20;
const dataset = withWords(checkerboard(30, ITEMS));
const engine = new ReferenceEngine();
const folder = await mkdtemp(join(tmpdir(), "foldin-hostile-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Everything small, and once: what is learned does not matter here. */
const sizes: Record<string, unknown[]> = {
  hidden: [[4], 4],
  pseudoInputs: [5],
  ...Object.fromEntries(
    ["latent", "latent1", "latent2", "factors", "topics", "neighbours"].map((name) => [name, [4]]),
  ),
  ...Object.fromEntries(
    ["epochs", "layerEpochs", "latentEpochs", "wholeEpochs", "topicEpochs", "finalSweeps", "layers"].map(
      (name) => [name, [1]],
    ),
  ),
  runs: [await trainedRuns(dataset, { popularity: {}, slim: {} })],
};
function smallOptions(algorithm: Algorithm): unknown {
  const given: Record<string, unknown> = {};
  for (const [name, values] of Object.entries(sizes))
    for (const value of values)
      try {
        parseOptions(algorithm, { ...(name === "runs" ? {} : given), [name]: value });
        given[name] = value;
        break;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
  return parseOptions(algorithm, given);
}

/** The folders that are mutated, a copy of each, and the names of their files. */
const sound = new Map<string, Map<string, Uint8Array>>();
for (const name of algorithmNames) {
  const algorithm = await findAlgorithm(name);
  const model = await algorithm.fit(dataset, smallOptions(algorithm), { engine, seed: 1 });
  const path = join(folder, name);
  await mkdir(path);
  const files = await model.save();
  await writeModelFiles(path, files);
  model.dispose();
  const names = [
    "config.json",
    "items.json",
    "model.safetensors",
    ...(files.content ? ["content.json"] : []),
  ];
  const bytes = await Promise.all(
    names.map(async (file) => [file, new Uint8Array(await readFile(join(path, file)))] as const),
  );
  sound.set(name, new Map(bytes));
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Numbers, texts and shapes that programs trip over. */
const strange = fc.oneof(
  fc.constantFrom<Json>(
    ...[0, -1, 0.5, 1e9, 2 ** 31, 2 ** 32 + 1, 2 ** 53, 1e308, null, true, "", [], {}, [[]]],
    ...["../../../etc/passwd", "__proto__", "constructor", "\u0000", "a".repeat(5000)],
  ),
  fc.integer({ min: -3, max: 70 }),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

/** Every place in a JSON value, as the path to it. */
function places(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== "object") return [path];
  const entries = Array.isArray(value) ? [...value.entries()].slice(0, 8) : Object.entries(value);
  return [path, ...entries.flatMap(([key, part]) => places(part as Json, [...path, key]))];
}

/** A copy with the value at a path replaced, or taken out. */
function altered(value: Json, path: (string | number)[], to: Json | undefined): Json | undefined {
  if (path.length === 0) return to;
  const [key, ...rest] = path;
  const copy = structuredClone(value) as { [key: string | number]: Json };
  const part = altered(copy[key], rest, to);
  if (part !== undefined) copy[key] = part;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy as Json;
}

const parse = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as Json;
const text = (value: Json | undefined) => new TextEncoder().encode(JSON.stringify(value) ?? "");

/** A safetensors file with another header, its claimed length right. */
function withHeader(bytes: Uint8Array, alter: (header: Json) => Json | undefined): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 8 + Number(view.getBigUint64(0, true));
  const header = text(alter(parse(bytes.subarray(8, end))));
  const out = new Uint8Array(8 + header.length + bytes.length - end);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(header, 8);
  out.set(bytes.subarray(end), 8 + header.length);
  return out;
}

type Mutation = (bytes: Uint8Array, file: string) => Uint8Array;
/** A place from the start (0) to the end (1), all alike: fast-check would prefer the ends. */
const share = fc.noBias(fc.nat(999_999)).map((n) => n / 1_000_000);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Bytes turned, cut off, put in, and numbers overwritten.
  fc.array(fc.tuple(share, fc.nat(255)), { minLength: 1, maxLength: 8 }).map(
    (changes): Mutation =>
      (bytes) => {
        const out = bytes.slice();
        for (const [at, byte] of changes) out[Math.floor(at * out.length)] = byte;
        return out;
      },
  ),
  share.map(
    (at): Mutation =>
      (bytes) =>
        bytes.slice(0, Math.floor(at * bytes.length)),
  ),
  fc.tuple(share, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(
    ([at, more]): Mutation =>
      (bytes) => {
        const cut = Math.floor(at * bytes.length);
        return Uint8Array.of(...bytes.subarray(0, cut), ...more, ...bytes.subarray(cut));
      },
  ),
  fc.tuple(share, fc.constantFrom(0, 0x7f, 0x80, 0xff)).map(
    ([at, byte]): Mutation =>
      (bytes) => {
        const start = 4 * Math.floor((at * bytes.length) / 4);
        return bytes.slice().fill(byte, start, start + 4);
      },
  ),
  // A value in the JSON replaced or taken out: in the middle of what is well-formed.
  {
    weight: 12,
    arbitrary: fc.tuple(share, fc.option(strange, { nil: undefined, freq: 4 })).map(
      ([at, to]): Mutation =>
        (bytes, file) => {
          const change = (value: Json) => {
            const all = places(value);
            return altered(value, all[Math.floor(at * all.length)], to);
          };
          return file === "model.safetensors" ? withHeader(bytes, change) : text(change(parse(bytes)));
        },
    ),
  },
);

const history = fromRows(ITEMS, [[1, 3], []]);

describe("a hostile model folder", () => {
  it(`is refused in one line, or is a model: ${RUNS.toLocaleString("en")} mutated folders`, async () => {
    const before = process.memoryUsage.rss();
    let [refused, loaded] = [0, 0];
    const names = [...sound.keys()];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), mutation, async (name, which, mutate) => {
        const files = sound.get(name) as Map<string, Uint8Array>;
        const chosen = [...files.keys()][which % files.size];
        const path = join(folder, name);
        const bytes = files.get(chosen) as Uint8Array;
        await writeFile(join(path, chosen), mutate(bytes, chosen));
        try {
          const model = await loadRecommender(path, { engine });
          loaded++;
          try {
            if (model.items.size === ITEMS) await model.score(history).topK(5, history);
          } finally {
            model.dispose();
          }
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          expect(error.message).toMatch(/^.{5,}$/s);
          refused++;
        } finally {
          await writeFile(join(path, chosen), bytes);
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(refused).toBeGreaterThan(RUNS / 4);
    expect(loaded).toBeGreaterThan(RUNS / 20);
    // The folders are a few kilobytes each.
    expect(process.memoryUsage.rss() - before).toBeLessThan(1 << 30);
  }, 300_000);
});
