import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { LoadedModels } from "../../src/studio/models-loaded.js";

const root = mkdtempSync(join(tmpdir(), "foldin-models-"));
const folder = (name: string) => join(root, name);

/** A folder with a model of 1,000 bytes, which is counted as 1,500 in memory, and that of its config.json. */
beforeAll(() => {
  for (const name of ["a", "b", "c"]) {
    mkdirSync(join(folder(name), "model"), { recursive: true });
    writeFileSync(join(folder(name), "model", "config.json"), "");
    writeFileSync(join(folder(name), "model", "model.safetensors"), new Uint8Array(1000));
  }
});
afterAll(() => rmSync(root, { recursive: true }));

function loading(limits: { models: number; bytes: number }) {
  const events: string[] = [];
  const models = new LoadedModels(limits, async (path) => {
    const name = path.slice(root.length + 1);
    events.push(`load ${name}`);
    if (name === "c") throw new UserError({ place: path, problem: "is damaged" });
    return { algorithm: name, dispose: () => void events.push(`dispose ${name}`) } as unknown as Recommender;
  });
  const use = (name: string) => models.use(folder(name), async ({ algorithm }) => algorithm);
  return { models, use, events };
}
const roomy = { models: 4, bytes: 1e6 };

describe("loaded models", () => {
  it("are loaded once, also by requests at the same time", async () => {
    const { use, events } = loading(roomy);
    expect(await Promise.all([use("a"), use("a"), use("b")])).toEqual(["a", "a", "b"]);
    expect(await use("a")).toBe("a");
    expect(events).toEqual(["load a", "load b"]);
  });

  it("give up the least recently used one at the limit of models, and at the limit of bytes", async () => {
    for (const limits of [
      { models: 1, bytes: 1e6 },
      { models: 4, bytes: 2999 },
    ]) {
      const { use, events, models } = loading(limits);
      for (const name of ["a", "b", "b", "a"]) await use(name);
      expect(events).toEqual(["load a", "dispose a", "load b", "dispose b", "load a"]);
      expect(models.paths).toEqual([folder("a")]);
    }
    const { use, events } = loading({ models: 4, bytes: 3000 });
    for (const name of ["a", "b", "a"]) await use(name);
    expect(events).toEqual(["load a", "load b"]);
  });

  it("refuse a model that needs more memory than all may have", async () => {
    const { use, events } = loading({ models: 4, bytes: 1499 });
    await expect(use("a")).rejects.toThrow(/needs about 1 MiB of memory.*larger --memory/);
    expect(events).toEqual([]);
  });

  it("are not disposed while they are in use", async () => {
    const { models, use, events } = loading({ models: 1, bytes: 1e6 });
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const long = models.use(folder("a"), () => released);
    await use("b");
    expect(events).toEqual(["load a", "load b"]);
    release();
    await long;
    expect(events).toEqual(["load a", "load b", "dispose a"]);
    await models.clear();
    expect(events.at(-1)).toBe("dispose b");
  });

  it("are loaded again when a file has changed", async () => {
    const { use, events } = loading(roomy);
    await use("b");
    utimesSync(join(folder("b"), "model", "model.safetensors"), 1, 1);
    await use("b");
    await use("b");
    expect(events).toEqual(["load b", "dispose b", "load b"]);
  });

  it("outlive one that cannot be loaded, which is tried again", async () => {
    const { use, events } = loading(roomy);
    await use("a");
    await expect(use("c")).rejects.toThrow("is damaged");
    await expect(use("c")).rejects.toThrow("is damaged");
    await use("a");
    expect(events).toEqual(["load a", "load c", "load c"]);
  });
});
