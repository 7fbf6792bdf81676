// Items taken into a trained run by their content: the folder that appears, what is recommended, and what is refused.

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { buildDataset } from "../../src/data/prepare.js";
import { addItems } from "../../src/experiments/add-items.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { train } from "../../src/experiments/train.js";
import { recommend } from "../../src/recommender/recommend.js";
import { loadRecommender } from "../../src/serving/load.js";
import { foldin } from "../support/foldin.js";

// Twelve films of two kinds; users like one kind.
const films = Array.from({ length: 12 }, (_, film) => ({
  id: `f${film}`,
  title: `Film ${film}`,
  text: film % 2 ? `space ships and planets number${film}` : `love letters in old paris number${film}`,
}));
const views = Array.from({ length: 20 }, (_, user) =>
  films
    .filter((_, film) => film % 2 === user % 2 && film !== user % 12)
    .map(({ id }) => ({ user, item: id })),
).flat();

let home: string;
let run: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "foldin-add-"));
  run = join(home, "run");
  const options = { minUser: 1, validationUsers: 0, testUsers: 0 } as const;
  const dataset = await buildDataset({ input: views, items: films, content: { records: films }, options });
  (await train(dataset, { model: "content-knn", engine: "reference", out: run })).dispose();
  (await train(dataset, { model: "popularity", engine: "reference", out: join(home, "popular") })).dispose();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(home, name);
  writeFileSync(path, text);
  return path;
};
const news = () =>
  write(
    "news.csv",
    'id,title,text\nn1,Ships,space ships and planets\nn2,Paris,"love, letters, paris"\nf3,Old,space\nn3,Silent,\nn1,Again,old\n',
  );

describe("add-items", () => {
  it("writes a run that recommends the new items with the others, by title", async () => {
    const out = join(home, "today");
    const result = await addItems({ run, content: news(), out, engine: "reference" });
    expect(result).toMatchObject({ added: ["n1", "n2"], items: 14, rule: "neighbours" });
    expect(result.skipped).toEqual({ unknown: 0, present: 1, empty: 1, duplicate: 1, damaged: 0 });
    const { config, complete } = await readRunFolder(out);
    expect(complete).toBe(true);
    expect(config.addedItems).toEqual([{ items: 2, content: join(home, "news.csv"), rule: "neighbours" }]);
    const [before, after] = [await loadRecommender(run), await loadRecommender(out)];
    const { items } = await recommend(after, ["f1", "f5"], { k: 3 });
    expect(items.map(({ title }) => title)).toContain("Ships");
    expect(items.map(({ title }) => title)).not.toContain("Paris");
    // Somebody whose history is a new item alone.
    const fresh = await recommend(after, ["n2"], { k: 3 });
    for (const { id } of fresh.items) expect(Number(id.slice(1)) % 2, id).toBe(0);
    // The old items score as before.
    const score = async (model: typeof before) => (await recommend(model, ["f1", "f5"], { k: 20 })).items;
    const old = (await score(after)).filter(({ id }) => id.startsWith("f"));
    expect(old.map(({ id, score }) => [id, score])).toEqual(
      (await score(before)).map(({ id, score }) => [id, score]),
    );
    for (const model of [before, after]) model.dispose();
  });

  it("adds to what was added, and to a model folder", async () => {
    const [first, second] = [join(home, "first"), join(home, "second")];
    const records = [{ id: "r1", text: "ships" }];
    await addItems({
      run,
      content: { records },
      items: [{ id: "r1", title: "R" }],
      out: first,
      engine: "reference",
    });
    await addItems({
      run: first,
      content: { records: [{ id: "r2", text: "paris" }] },
      out: second,
      engine: "reference",
    });
    expect((await readRunFolder(second)).config.addedItems).toHaveLength(2);
    const model = join(home, "model");
    cpSync(join(second, "model"), model, { recursive: true });
    const out = join(home, "model-out");
    const { items } = await addItems({
      run: model,
      content: { records: [{ id: "r3", text: "old" }] },
      out,
      engine: "reference",
    });
    expect(items).toBe(15);
    expect(existsSync(join(out, "model.safetensors"))).toBe(true);
    const loaded = await loadRecommender(out);
    expect(loaded.items.titleOf(12)).toBe("R");
    expect([...(loaded.items.popularity?.counts.subarray(12) ?? [])]).toEqual([0, 0, 0]);
    loaded.dispose();
  });

  it.each<[string, () => Parameters<typeof addItems>[0], RegExp]>([
    [
      "a model of clicks",
      () => ({ run: join(home, "popular"), content: news(), out: join(home, "no") }),
      /popular: popularity learns items from interactions only, so items without interactions cannot be added .*--content, and train cvae or content-knn/,
    ],
    [
      "an unknown rule",
      () => ({ run, content: news(), rule: "posterior", out: join(home, "no") }),
      /^rule: content-knn has no rule "posterior" \(expected neighbours\)/,
    ],
    [
      "items that are all known",
      () => ({ run, content: write("old.csv", "id,text\nf1,ships\nf2,paris\n"), out: join(home, "no") }),
      /old\.csv: all of its items are already in the model \(f1, \.\.\.\)/,
    ],
    [
      "vectors for a model of words",
      () => ({ run, content: write("v.csv", "id,a,b\nn1,1,2\n"), out: join(home, "no") }),
      /v\.csv: /,
    ],
    [
      "words that the model does not know",
      () => ({ run, content: write("odd.csv", "id,text\nn1,quantum\n"), out: join(home, "no") }),
      /odd\.csv: it has no usable content: .* \(item n1, \.\.\.\)/,
    ],
    [
      "a folder that is taken",
      () => ({ run, content: news(), out: run }),
      /run: the folder already exists\. Choose another folder, or use --force/,
    ],
    [
      "no run",
      () => ({ run: join(home, "none"), content: news(), out: join(home, "no") }),
      /none: is not a run folder/,
    ],
  ])("refuses %s, and leaves nothing behind", async (_, options, message) => {
    const failing = addItems({ ...options(), engine: "reference" });
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
    expect(existsSync(join(home, "no"))).toBe(false);
    expect(readdirSync(home).filter((name) => name.includes("partial"))).toEqual([]);
  });

  it("is a command", async () => {
    const out = join(home, "by-command");
    const { code, stdout, stderr } = await foldin(["add-items", run, "--content", news(), "--out", out]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`2 items added (rule: neighbours); ${out} has 14 items`);
    expect(stdout).toContain("1 entry skipped (already in the model): f3");
    const again = await foldin(["add-items", run, "--content", news(), "--out", out, "--force", "--json"]);
    expect(JSON.parse(again.stdout)).toEqual({
      ...{ run: out, added: 2, items: 14, rule: "neighbours" },
      skipped: { unknown: 0, present: 1, empty: 1, duplicate: 1, damaged: 0 },
    });
    expect(JSON.parse(readFileSync(join(out, "model", "items.json"), "utf8")).ids).toHaveLength(14);
    const missing = await foldin(["add-items", run, "--out", join(home, "x")]);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/^option '--content' is required/),
    ]);
  });
});
