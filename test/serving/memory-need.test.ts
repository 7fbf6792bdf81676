import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { memoryNeed, requireModelMemory } from "../../src/serving/memory-need.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A model folder whose files have these sizes, without content. */
function modelOf(name: string, sizes: Record<string, number>, precision?: string): string {
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ formatVersion: 1, algorithm: "ease", config: {}, precision }),
  );
  for (const [file, size] of Object.entries(sizes)) {
    writeFileSync(join(folder, file), "");
    truncateSync(join(folder, file), size);
  }
  return folder;
}

const heldOut = { users: 10, judgedUsers: 10, foldIn: 100, heldOut: 50, unknownItems: 0, coldUsers: 0 };
const counts = { users: 1000, items: 20_000, interactions: 70_000, validation: heldOut, test: heldOut };

describe("the memory of a model in use", () => {
  it("is the weights in the engine's precision, with the other tensors", async () => {
    const sizes = { "model.safetensors": 4e6, "items.json": 1000, "popularity.safetensors": 8000 };
    const single = modelOf("single", { ...sizes, "index.safetensors": 500 });
    const double = modelOf("double", sizes, "float64");
    const bytes = async (...of: Parameters<typeof memoryNeed>) => (await memoryNeed(...of)).models;
    const what = "serving";
    expect(await bytes({ what, models: [single] })).toBe(4e6 + 8500);
    expect(await bytes({ what, models: [single], precision: "float64" })).toBe(8e6 + 8500);
    expect(await bytes({ what, models: [double] })).toBe(4e6 + 8000);
    expect(await bytes({ what, models: [double], precision: "float32" })).toBe(2e6 + 8000);
    expect(await bytes({ what, models: [single, double] })).toBe(8e6 + 16_500);
  });

  it("includes the weights of one model a second time while they are loaded, up to 64 MiB", async () => {
    for (const size of [2 ** 26 - 1, 2 ** 26, 2 ** 26 + 1]) {
      const model = modelOf(`loaded-${size}`, { "model.safetensors": size });
      const { loading } = await memoryNeed({ what: "serving", models: [join(home, "single"), model] });
      expect(loading).toBe(Math.min(size, 2 ** 26));
    }
  });

  it("includes two blocks of scores where many histories are scored, however many items there are", async () => {
    const scores = async (items: number) => {
      const use = { what: "scoring", models: [join(home, "single")], dataset: { ...counts, items } };
      expect((await memoryNeed(use)).scores).toBe(0);
      return (await memoryNeed({ ...use, blocks: true })).scores;
    };
    // 512 histories of 20,000 items, and then as many as make 2^24 scores.
    expect(await scores(20_000)).toBe(2 * 4 * 512 * 20_000);
    expect(await scores(2 ** 20)).toBe(2 * 4 * 2 ** 24);
    // Without a dataset, the number of items is that of the popularity: 8,000 / 4.
    const use = { what: "scoring", models: [join(home, "single")], blocks: true };
    expect((await memoryNeed(use)).scores).toBe(2 * 4 * 512 * 2000);
  });

  it("includes the dataset, and the histories of all users if they are scored", async () => {
    const use = { what: "scoring", models: [join(home, "single")] };
    expect((await memoryNeed(use)).dataset).toBe(0);
    const evaluated = await memoryNeed({ ...use, dataset: counts });
    expect(evaluated.dataset).toBeGreaterThan(8 * 70_300);
    const scored = await memoryNeed({ ...use, dataset: counts, histories: true });
    expect(scored.dataset - evaluated.dataset).toBe(4 * (70_300 + 1020));
  });

  it("is refused with the number of each part, and reported if it is large and fits", async () => {
    const large = modelOf("large", { "model.safetensors": 3 * 2 ** 30, "items.json": 2 ** 20 });
    const use = { what: "serving", models: [large] };
    const notes: string[] = [];
    const requiredWith = (memory: string) => {
      vi.stubEnv("FOLDIN_MEMORY", memory);
      return requireModelMemory("run", use, (event) => {
        if (event.type === "note") notes.push(event.text);
      });
    };
    await expect(requiredWith("2GiB")).rejects.toThrow(
      /^run: serving \(the model: 3\.0 GiB, its items: 3 MiB\) needs 3\.1 GiB of memory, but only [\d.]+ [GM]iB are available\. Train a smaller model/,
    );
    expect(notes).toEqual([]);
    vi.stubEnv("FOLDIN_MEMORY", "");
    const small = modelOf("small", { "model.safetensors": 2 ** 28, "items.json": 2 ** 20 });
    await requireModelMemory("run", { what: "serving", models: [small] }, (event) => {
      if (event.type === "note") notes.push(event.text);
    });
    expect(notes).toEqual([
      expect.stringMatching(/^run: serving \(the model: 256 MiB, .*needs at least \d+ MiB/),
    ]);
    const two = requireModelMemory("a, b", { ...use, models: [large, large] });
    vi.stubEnv("FOLDIN_MEMORY", "2GiB");
    await expect(two).rejects.toThrow(/2 models: 6\.0 GiB.*Use fewer models at a time/);
  });
});
