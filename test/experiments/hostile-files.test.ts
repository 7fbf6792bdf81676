// The JSON files of runs, datasets, searches, recipes and models, with anything wrong in them: each reader gives a sound value or
// a UserError that names the file. Every field is replaced by everything odd, one after the other; nothing is drawn.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { readManifest } from "../../src/data/dataset.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { readRecipe, writeRecipe } from "../../src/experiments/recipes/recipe.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { readResult } from "../../src/experiments/search/point.js";
import { train } from "../../src/experiments/train.js";
import { readModelFiles } from "../../src/recommender/model-files.js";
import { demoDataset } from "../support/demo-dataset.js";

const home = mkdtempSync(join(tmpdir(), "foldin-hostile-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const metrics = { users: 3, metrics: { "ndcg@100": { mean: 0.5, standardError: 0.1 } } };
const score = { metric: "ndcg@100", mean: 0.5, standardError: 0.1 };

/** Each file, and what reads it. */
const readers: [file: string, read: () => Promise<unknown>][] = [
  ["run/config.json", () => readRunFolder(join(home, "run"))],
  ["run/metrics.jsonl", () => readRunFolder(join(home, "run"))],
  ["run/result.json", () => readResult(join(home, "run"), { on: "test", metrics: ["ndcg@100"] })],
  ["run/model/config.json", () => readModelFiles(join(home, "run/model"))],
  ["run/model/items.json", () => readModelFiles(join(home, "run/model"))],
  ["dataset/manifest.json", () => readManifest(join(home, "dataset"))],
  ["recipe.json", () => readRecipe(join(home, "recipe.json"))],
];

beforeAll(async () => {
  const network = { hidden: [4], latent: 2, epochs: 2, batchSize: 50 };
  const trained = await train(demoDataset(), {
    ...{ model: "mult-vae", options: network, engine: "reference" as const, out: join(home, "run") },
  });
  trained.dispose();
  const result = { formatVersion: 1, test: metrics, epochs: 2, chosenEpoch: 1, seconds: 3 };
  writeFileSync(join(home, "run/result.json"), JSON.stringify(result));
  await prepareDataset({
    input: Array.from({ length: 40 }, (_, k) => ({ user: k % 8, item: (k * 3) % 7 })),
    options: { validationUsers: 1, testUsers: 1, minUser: 0 },
    out: join(home, "dataset"),
  });
  const search = { command: "foldin search", points: 2, failed: 0, best: score, chosen: {}, foldin: "1" };
  await writeRecipe(join(home, "recipe.json"), {
    ...{ formatVersion: 1 as const, dataset: "demo", model: "mult-vae", options: { hidden: [600, 200] } },
    ...{ validation: { ...score, command: "foldin train" }, searches: [search] },
  });
  cpSync(home, `${home}-sound`, { recursive: true });
});
afterAll(() => rmSync(`${home}-sound`, { recursive: true, force: true }));

function restore(file: string): void {
  rmSync(join(home, file), { recursive: true, force: true });
  cpSync(join(`${home}-sound`, file), join(home, file));
}

/** Every place in a JSON value. */
function places(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [[]];
  const inner = Object.entries(value).slice(0, 12);
  return [[], ...inner.flatMap(([key, one]) => places(one).map((path) => [key, ...path]))];
}

function replaced(value: unknown, [key, ...path]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = replaced(copy[key], path, by);
  return copy;
}

const odd = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  "",
  "x",
  "__proto__",
  [],
  {},
  [[]],
  ["x", "x"],
  { a: { b: [1] } },
];

async function outcomeOf(read: () => Promise<unknown>): Promise<"sound" | UserError> {
  try {
    await read();
    return "sound";
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  }
}

describe.each(readers)("%s", (file, read) => {
  const path = join(home, file);

  it("is sound as it was written", async () => {
    expect(await outcomeOf(read)).toBe("sound");
  });

  it("is refused, or still sound, with anything odd in any field", { timeout: 120_000 }, async () => {
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const isLines = file.endsWith("jsonl");
    const value: unknown = JSON.parse(isLines ? lines[0] : lines.join("\n"));
    let refused = 0;
    let sound = 0;
    for (const place of places(value))
      for (const by of odd) {
        writeFileSync(path, `${JSON.stringify(replaced(value, place, by))}\n`);
        const outcome = await outcomeOf(read);
        if (outcome === "sound") {
          sound++;
          continue;
        }
        refused++;
        expect(outcome.message).toContain(file.split("/").at(-1));
        expect(outcome.message).not.toContain("[object Object]");
        expect(outcome.message).not.toContain("\n");
      }
    restore(file);
    expect(refused).toBeGreaterThan(10);
    expect(sound).toBeLessThan(refused * 5);
  });

  it.each<[string, () => void]>([
    ["empty", () => writeFileSync(path, "")],
    ["cut short", () => writeFileSync(path, `${readFileSync(path, "utf8").slice(0, 25)}\n`)],
    ["nested too deeply", () => writeFileSync(path, `${"[".repeat(50_000)}${"]".repeat(50_000)}\n`)],
    ["with nesting that is never closed", () => writeFileSync(path, `${'{"a":'.repeat(50_000)}\n`)],
    ["a list of a million lists", () => writeFileSync(path, `[${"[],".repeat(1_000_000)}[]]\n`)],
    ["with a prototype", () => writeFileSync(path, '{"__proto__":{"polluted":1}}\n')],
    [
      "binary",
      () =>
        writeFileSync(
          path,
          Uint8Array.from({ length: 999 }, (_, k) => k % 256),
        ),
    ],
    ["in another encoding", () => writeFileSync(path, Buffer.from('{"name":"pâté"}\n', "latin1"))],
    ["of holes", () => truncateSync(path, 2 ** 40)],
    [
      "a pipe",
      () => {
        rmSync(path);
        execFileSync("mkfifo", [path]);
      },
    ],
    [
      "a folder",
      () => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ])("is refused by name where it is %s", async (what, damage) => {
    damage();
    const outcome = await outcomeOf(read);
    restore(file);
    // Nothing at all in metrics.jsonl: a run before its first epoch ended.
    if (what === "empty" && file.endsWith("jsonl")) {
      expect(outcome).toBe("sound");
      return;
    }
    expect(outcome).toBeInstanceOf(UserError);
    expect((outcome as UserError).message).toContain(file.split("/").at(-1));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
