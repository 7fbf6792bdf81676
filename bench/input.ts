// The inputs of the benchmarks, generated once and cached in bench/.cache: interactions with the shape statistics of
// ML-20M (users, items, mean and spread of history lengths, Zipf-like popularity; Liang et al. 2018, table 1), as raw
// arrays that both sides read, and a ratings.csv of 20 million rows.

import { once } from "node:events";
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import {
  type CsrMatrix,
  fromRows,
  loadDataset,
  prepareDataset,
  prepareSource,
  scaledByMaximum,
} from "foldin";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const cache = join(root, "bench", ".cache");

/** A small generator of uniform numbers in [0, 1): inputs only need to be the same each time. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export interface Shape {
  users: number;
  items: number;
  /** Mean and spread of the logarithm of the history length, and its minimum and maximum. */
  logMean: number;
  logSpread: number;
  least: number;
  most: number;
}

/** The training rows of ML-20M: 116,677 x 20,108, 73 items per user, half of the users below 40. */
export const ml20m: Shape = {
  users: 116_677,
  items: 20_108,
  logMean: 3.62,
  logSpread: 1.1,
  least: 5,
  most: 3000,
};

/** Draws one history after another: distinct items, popularity like 1 / (rank + 20), in ascending order. */
function* histories(shape: Shape, seed: number): Generator<Uint32Array> {
  const random = uniform(seed);
  const cumulative = new Float64Array(shape.items);
  let total = 0;
  for (let i = 0; i < shape.items; i++) {
    total += 1 / (i + 20);
    cumulative[i] = total;
  }
  const seenBy = new Int32Array(shape.items).fill(-1);
  for (let user = 0; user < shape.users; user++) {
    const wish = Math.round(Math.exp(shape.logMean + shape.logSpread * normal(random)));
    const length = Math.min(Math.max(wish, shape.least), shape.most, Math.floor(shape.items / 2));
    const items = new Uint32Array(length);
    for (let k = 0; k < length; ) {
      const target = random() * total;
      let low = 0;
      let high = shape.items - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (cumulative[middle] <= target) low = middle + 1;
        else high = middle;
      }
      if (seenBy[low] === user) continue;
      seenBy[low] = user;
      items[k++] = low;
    }
    yield items.sort();
  }
}

/** Generated histories [users, items]. */
export function generate(shape: Shape, seed: number): CsrMatrix {
  return fromRows(shape.items, [...histories(shape, seed)]);
}

/** Splits every row: every fifth item is held out. */
function holdOut(matrix: CsrMatrix): { foldIn: CsrMatrix; heldOut: CsrMatrix } {
  const parts = [[], []] as Uint32Array[][];
  for (let r = 0; r < matrix.rows; r++) {
    const row = matrix.indices.subarray(matrix.offsets[r], matrix.offsets[r + 1]);
    parts[0].push(row.filter((_, k) => k % 5 !== 4));
    parts[1].push(row.filter((_, k) => k % 5 === 4));
  }
  return { foldIn: fromRows(matrix.columns, parts[0]), heldOut: fromRows(matrix.columns, parts[1]) };
}

function writeMatrix(folder: string, name: string, matrix: CsrMatrix): void {
  const bytes = (array: Uint32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  writeFileSync(join(folder, `${name}.offsets.u32`), bytes(matrix.offsets));
  writeFileSync(join(folder, `${name}.indices.u32`), bytes(matrix.indices));
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ rows: matrix.rows, columns: matrix.columns }));
}

export function readMatrix(folder: string, name: string): CsrMatrix {
  const array = (file: string) => {
    const bytes = readFileSync(join(folder, file));
    return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  };
  const shape = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as {
    rows: number;
    columns: number;
  };
  return { ...shape, offsets: array(`${name}.offsets.u32`), indices: array(`${name}.indices.u32`) };
}

/** The folder `bench/.cache/<name>`, created by `fill` the first time. */
async function cached(name: string, fill: (folder: string) => void | Promise<void>): Promise<string> {
  const folder = join(cache, name);
  if (!existsSync(folder)) {
    const draft = `${folder}.draft`;
    mkdirSync(draft, { recursive: true });
    await fill(draft);
    renameSync(draft, folder);
  }
  return folder;
}

/** Training rows and 10,000 test users of a shape. */
export function shapeInput(name: string, shape: Shape): Promise<string> {
  return cached(name, (folder) => {
    writeMatrix(folder, "train", generate(shape, 1));
    const { foldIn, heldOut } = holdOut(generate({ ...shape, users: 10_000 }, 2));
    writeMatrix(folder, "test-fold-in", foldIn);
    writeMatrix(folder, "test-held-out", heldOut);
  });
}

/** Users of the large catalogues: 32 items each on average. */
const catalogueUsers = { users: 20_000, logMean: 3, logSpread: 0.9, least: 5, most: 1000 };
const CLUSTERS = 50;

/**
 * Histories of 20,000 users whose items come from 50 clusters of taste: popularity is that of `histories`, and of ten items seven are
 * exchanged for their neighbours of the user's own cluster. With `spread`, they are the same histories in a catalogue `spread` times
 * as large, of which every `spread`-th item occurs.
 */
export function catalogueInput(items: number, spread = 1): Promise<string> {
  return cached(`catalogue-${items}${spread > 1 ? `-spread-${spread}` : ""}`, (folder) => {
    const random = uniform(5);
    const rows = [...histories({ ...catalogueUsers, items: items / spread }, 6)].map((row) => {
      const cluster = Math.floor(random() * CLUSTERS);
      const own = row.map((item) => spread * (random() < 0.7 ? item - (item % CLUSTERS) + cluster : item));
      return Uint32Array.from(new Set(own)).sort();
    });
    writeMatrix(folder, "train", fromRows(items, rows));
  });
}

/** A ratings.csv like ML-20M's: 138,493 users, about 20 million rows, half of them 4 or more, sorted by user and item. */
export function ratingsFile(): Promise<string> {
  return cached("ratings-20m", async (folder) => {
    const random = uniform(3);
    const stars = [
      "0.5",
      "1.0",
      "1.5",
      "2.0",
      "2.5",
      "3.0",
      "3.0",
      "3.5",
      "4.0",
      "4.0",
      "4.0",
      "4.5",
      "5.0",
      "5.0",
    ];
    const file = createWriteStream(join(folder, "ratings.csv"));
    file.write("userId,movieId,rating,timestamp\n");
    const shape = { users: 138_493, items: 26_744, logMean: 4.33, logSpread: 1.1, least: 20, most: 9000 };
    let user = 0;
    for (const items of histories(shape, 4)) {
      user++;
      let text = "";
      let time = 789_652_004 + Math.floor(random() * 6e8);
      for (const item of items) {
        time += Math.floor(random() * 300);
        text += `${user},${item + 1},${stars[Math.floor(random() * stars.length)]},${time}\n`;
      }
      if (!file.write(text)) await once(file, "drain");
    }
    file.end();
    await finished(file);
  });
}

/** The folder with real data. Ends the program with one line if it does not contain the source. */
function dataFolder(source: string, file: string): string {
  const data = process.env.FOLDIN_DATA ?? join(root, "..", "shared", "data");
  if (existsSync(join(data, source, file))) return data;
  console.error(
    `bench: ${join(data, source, file)} does not exist. Download ${source} from its publisher, and set FOLDIN_DATA to the folder that contains ${source}/${file}.`,
  );
  process.exit(1);
}

/** ML-1M, canonical split with 600 held-out users each, as a dataset folder and as raw arrays. Throws if it is missing. */
export function ml1m(): Promise<string> {
  return cached("ml-1m", async (folder) => {
    const data = dataFolder("ml-1m", "ratings.dat");
    const out = join(folder, "dataset");
    await prepareDataset({
      input: join(data, "ml-1m", "ratings.dat"),
      out,
      options: { protocol: "strong", minRating: 4, validationUsers: 600, testUsers: 600 },
    });
    const { train, validation } = await loadDataset(out);
    writeMatrix(folder, "train", train);
    writeMatrix(folder, "validation-fold-in", validation.foldIn);
    writeMatrix(folder, "validation-held-out", validation.heldOut);
  });
}

/** citeulike-t, the released split with ten articles per user, as a dataset folder and as raw arrays. Throws if it is missing. */
export function citeulikeT(): Promise<string> {
  return cached("citeulike-t", async (folder) => {
    const data = dataFolder("citeulike-t", "mult.dat");
    const out = join(folder, "dataset");
    await prepareSource({
      source: "citeulike-t",
      from: join(data, "citeulike-t"),
      out,
      options: { trainItems: 10 },
    });
    const { train, content } = await loadDataset(out);
    if (content?.kind !== "words") throw new Error("citeulike-t has no bags of words");
    const words = scaledByMaximum(content);
    writeMatrix(folder, "train", train);
    writeMatrix(folder, "words", words);
    const { buffer, byteOffset, byteLength } = words.values;
    writeFileSync(join(folder, "words.values.f32"), new Uint8Array(buffer, byteOffset, byteLength));
  });
}
