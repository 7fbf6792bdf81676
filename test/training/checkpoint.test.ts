import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { StoredTensors } from "../../src/compute/named-tensors.js";
import { writeFileWhole } from "../../src/core/atomic-file.js";
import { multVae } from "../../src/models/autoencoders/mult-vae.js";
import { recVae } from "../../src/models/autoencoders/rec-vae.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { NamedTensors } from "../../src/recommender/recommender.js";
import type { Checkpoint } from "../../src/recommender/run-context.js";
import { writeSafetensors } from "../../src/recommender/safetensors.js";
import { fileCheckpoints } from "../../src/training/checkpoint.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { tastes } from "../support/datasets.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const checkpoint: Checkpoint = {
  epoch: 3,
  loop: {
    identity: { seed: 1, options: { hidden: [3] } },
    state: { updates: 12, bestValue: 0.1234567890123 },
  },
  state: {
    "w.m": { shape: [1, 2], data: Float32Array.of(1e-40, -0) },
    "adam.updates": { shape: [1], data: Uint32Array.of(12) },
  },
  best: {
    algorithm: "x",
    config: { latent: 2 },
    tensors: { w: { shape: [2], data: Float32Array.of(3, 4) } },
  },
};

describe("a checkpoint on disk", () => {
  it("is restored as saved; only the latest is kept", async () => {
    const store = fileCheckpoints(join(folder, "checkpoint"));
    expect(await store.load()).toBeUndefined();
    await store.save({ ...checkpoint, epoch: 2, best: undefined });
    expect((await store.load())?.best).toBeUndefined();
    await store.save(checkpoint);
    expect(await fileCheckpoints(join(folder, "checkpoint")).load()).toEqual(checkpoint);
    expect(await readdir(join(folder, "checkpoint"))).toEqual(["checkpoint.safetensors"]);
    await store.clear();
    expect(await readdir(folder)).toEqual([]);
  });

  it("reads pending tensors one at a time, and stays the former one where a read fails", async () => {
    let reading = 0;
    const pending = (tensors: NamedTensors): StoredTensors =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => {
          if (data instanceof Uint32Array) return [name, { shape, data }];
          const read = async () => {
            expect(++reading).toBe(1);
            await new Promise((resolve) => setTimeout(resolve, 1));
            reading--;
            return data;
          };
          return [name, { shape, element: "float32" as const, read }];
        }),
      );
    const store = fileCheckpoints(folder);
    const best = checkpoint.best && { ...checkpoint.best, tensors: pending(checkpoint.best.tensors) };
    await store.savePending?.({ ...checkpoint, state: pending(checkpoint.state), best });
    expect(await store.load()).toEqual(checkpoint);
    const failing = {
      shape: [1],
      element: "float32" as const,
      read: () => Promise.reject(new Error("gone")),
    };
    await expect(store.savePending?.({ ...checkpoint, epoch: 4, state: { failing }, best })).rejects.toThrow(
      "gone",
    );
    expect(await store.load()).toEqual(checkpoint);
    expect(await readdir(folder)).toEqual(["checkpoint.safetensors"]);
  });

  it.each<[Algorithm<unknown>, Record<string, unknown>]>([
    [multVae as Algorithm<unknown>, { hidden: [4], latent: 2, scheduler: "plateau" }],
    [recVae as Algorithm<unknown>, { hidden: 4, latent: 2, layers: 1 }],
  ])("of a network has the same tensors, read one by one or all at once: %o", async (algorithm, given) => {
    const dataset = tastes({ users: 30, heldOutUsers: 5, items: 12 });
    const options = parseOptions(algorithm, { ...given, epochs: 2 });
    const [onDisk, inMemory] = [fileCheckpoints(folder, { everySeconds: 0 }), new MemoryCheckpoints()];
    for (const checkpoints of [onDisk, inMemory])
      (
        await algorithm.fit(dataset, options, { engine: new ReferenceEngine(), seed: 1, checkpoints })
      ).dispose();
    const saved = await onDisk.load();
    expect(saved).toEqual(inMemory.saved.at(-1));
    expect(Object.keys(saved?.state ?? {}).length).toBeGreaterThan(6);
  });

  it("survives a save that was cut short", async () => {
    const store = fileCheckpoints(folder);
    await store.save(checkpoint);
    const whole = await readFile(join(folder, "checkpoint.safetensors"));
    await writeFile(join(folder, "checkpoint.safetensors.4711.tmp"), whole.subarray(0, 50));
    expect(await store.load()).toEqual(checkpoint);
    await expect(
      store.save({ ...checkpoint, state: { bad: { shape: [3], data: Float32Array.of(1) } } }),
    ).rejects.toThrow(RangeError);
    expect(await store.load()).toEqual(checkpoint);
  });

  it("is rejected if it is damaged or newer", async () => {
    const store = fileCheckpoints(folder);
    await store.save(checkpoint);
    const path = join(folder, "checkpoint.safetensors");
    const text = (await readFile(path)).toString("latin1");
    await writeFile(path, text.replace('\\"formatVersion\\":1', '\\"formatVersion\\":7'), "latin1");
    await expect(store.load()).rejects.toThrow(/its format 7 is newer/);
    await writeFile(path, text.replace('\\"epoch\\":3', '\\"epoch\\":-'), "latin1");
    await expect(store.load()).rejects.toThrow(/cannot be resumed/);
    const deep = `{"loop":${"[".repeat(5000)}`;
    await writeFileWhole(path, (file) => writeSafetensors(file, {}, { checkpoint: deep }));
    await expect(store.load()).rejects.toThrow(
      /cannot be resumed: its header is nested more than 100 levels deep/,
    );
    await writeFile(path, text.slice(0, -1), "latin1");
    await expect(store.load()).rejects.toThrow(/not a valid safetensors file/);
  });
});
