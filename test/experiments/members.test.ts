// One training in several processes: whatever their number, and wherever one of them is killed, the bytes are the same.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RandomSequence } from "../../src/core/philox.js";
import { threadsOf } from "../../src/experiments/members.js";
import { train } from "../../src/experiments/train.js";
import { demoDataset } from "../support/demo-dataset.js";
import { idsIn, isOrphan, jobOf, launch, launched, mpi, trainByMpi, writes } from "../support/mpi.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-mpi-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Kills a process, if it is still there. */
function kill(id: number): void {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

const small = { batchSize: 60, epochs: 2, learningRate: 0.01 };
const hidden = { hidden: [40], latent: 8 };
const vamp = { hidden: 40, pseudoInputs: 21, warmup: 2 };

/** Runs by name, with options that reach every operation on items. */
const runs: Readonly<Record<string, { model: string; options: Record<string, unknown> }>> = {
  "mult-vae": { model: "mult-vae", options: { ...small, ...hidden } },
  "mult-vae, sampled": { model: "mult-vae", options: { ...small, ...hidden, negatives: 30 } },
  "mult-vae, FastVAE": {
    model: "mult-vae",
    options: { ...small, ...hidden, negatives: 30, sampledLoss: "fastvae", sparseAdam: false },
  },
  "mult-dae": { model: "mult-dae", options: { ...small, latent: 8 } },
  vae: { model: "vae", options: { ...small, ...hidden } },
  vamp: { model: "vamp", options: { ...small, ...vamp, latent: 8, gated: true } },
  "h-vamp": { model: "h-vamp", options: { ...small, ...vamp, latent1: 8, latent2: 6 } },
  "h-vamp, two layers": {
    model: "h-vamp",
    options: { ...small, ...vamp, layers: 2, latent1: 8, latent2: 6 },
  },
  "rec-vae": { model: "rec-vae", options: { ...small, hidden: 40, layers: 2, latent: 8 } },
  "rec-vae, sampled": {
    model: "rec-vae",
    options: { ...small, hidden: 40, layers: 2, latent: 8, negatives: 30 },
  },
};

describe.skipIf(!mpi)("one training in several processes", () => {
  it("gives every model the same bytes and rankings in 1, 2, 3 and 4 processes", async () => {
    const job = join(folder, "job.json");
    await writeFile(job, jobOf(demoDataset(), runs));
    const hashes: Record<string, string>[] = [];
    for (const members of [1, 2, 3, 4]) {
      const { code, stdout, stderr } = await launched(members, [trainByMpi, job]);
      expect(code, stderr).toBe(0);
      hashes.push(JSON.parse(stdout));
    }
    expect(Object.keys(hashes[0])).toEqual(Object.keys(runs));
    expect(new Set(Object.values(hashes[0])).size).toBe(Object.keys(runs).length);
    for (const others of hashes.slice(1)) expect(others).toEqual(hashes[0]);
  });

  it("gives the bytes of one process without MPI that has the same blocks", async () => {
    const job = join(folder, "job.json");
    const run = { ...runs["mult-vae"], blocks: 6 };
    await writeFile(job, jobOf(demoDataset(), { run: { ...run, out: join(folder, "by-mpi") } }));
    expect((await launched(3, [trainByMpi, job])).code).toBe(0);
    (await train(demoDataset(), { ...run, engine: "native", out: join(folder, "alone") })).dispose();
    const [byMpi, alone] = ["by-mpi", "alone"].map((name) =>
      readFile(join(folder, name, "model/model.safetensors")),
    );
    expect((await byMpi).equals(await alone)).toBe(true);
  });

  it("ends with the same bytes after 20 kills of a random process, resumed by any number of processes", async () => {
    const seed = Number(process.env.FOLDIN_KILL_SEED ?? Date.now() % 2 ** 32);
    console.log(`FOLDIN_KILL_SEED=${seed}`);
    const random = new RandomSequence({ seed, step: 0, stream: 0 });
    const epochs = 5;
    const options = { ...small, ...hidden, epochs, batchSize: 20 };
    const job = join(folder, "job.json");
    const prepare = async (name: string, resume: boolean) => {
      const run = { model: "mult-vae", options, resume, checkpointSeconds: 0, out: join(folder, name) };
      await writeFile(job, jobOf(demoDataset(), { run }));
    };
    const bytesOf = (name: string) => readFile(join(folder, name, "model/model.safetensors"));
    await prepare("whole", false);
    expect((await launched(2, [trainByMpi, job])).code).toBe(0);
    const whole = await bytesOf("whole");

    let kills = 0;
    for (let run = 0; kills < 20; run++) {
      const name = `run-${run}`;
      const members = 1 + random.below(4);
      await prepare(name, false);
      const program = launch(members, [trainByMpi, job]);
      // After some epoch, a random moment later: within an epoch, a validation, a checkpoint or the end.
      await writes(program, new RegExp(`epoch ${1 + random.below(epochs)}\n|epoch ${epochs}\n`));
      await sleep(40 * random.uniform());
      const ids = idsIn(program.stderr());
      const id = ids.get(random.below(members));
      if (id !== undefined && program.process.exitCode === null) kill(id);
      const { code } = await program.outcome;
      for (const other of ids.values()) expect(await isOrphan(other), `process ${other}`).toBe(false);
      // A run that was faster than its kill does not count.
      if (code !== 0) {
        kills++;
        await prepare(name, true);
        const { code, stderr } = await launched(1 + random.below(4), [trainByMpi, job]);
        expect(code, stderr).toBe(0);
      }
      expect((await bytesOf(name)).equals(whole), `${name} after ${kills} kills`).toBe(true);
    }
  }, 600_000);
});

describe("a run in blocks of items", () => {
  const refused = (more: object) =>
    train(demoDataset(), { model: "mult-vae", options: { epochs: 1 }, blocks: 4, ...more });

  it("refuses a model that cannot be divided, and names those that can", async () => {
    await expect(refused({ model: "ease", options: {} })).rejects.toThrow(
      "ease cannot be divided into blocks of items (expected mult-vae, mult-dae, vae, vamp, h-vamp, rec-vae)",
    );
  });

  it("refuses more blocks than the items allow, bfloat16, and the weights of another run", async () => {
    await expect(refused({ blocks: 26 })).rejects.toThrow(
      "100 items cannot be divided into 26 blocks (expected at most 25)",
    );
    await expect(refused({ precision: "bf16" })).rejects.toThrow("precision bf16 is not supported");
    const run = {
      model: "mult-vae",
      options: { ...small, ...hidden, epochs: 1 },
      out: join(folder, "first"),
    };
    (await train(demoDataset(), { ...run, engine: "reference" })).dispose();
    await expect(refused({ options: run.options, initFrom: run.out })).rejects.toThrow(
      "cannot start from another run",
    );
  });

  it("refuses pseudo-inputs that are divided by their norm", async () => {
    const options = { ...small, ...vamp, latent: 8, l2NormalisePseudoInputs: true };
    await expect(refused({ model: "vamp", options })).rejects.toThrow("l2NormalisePseudoInputs");
  });

  it("is not resumed with another number of blocks", async () => {
    const run = {
      model: "mult-vae",
      options: { ...small, ...hidden },
      engine: "reference",
      out: join(folder, "run"),
    } as const;
    (await train(demoDataset(), { ...run, blocks: 3 })).dispose();
    await expect(train(demoDataset(), { ...run, blocks: 4, resume: true })).rejects.toThrow(
      "blocks: is 3 in the run to resume, but 4 in this one",
    );
    await expect(train(demoDataset(), { ...run, resume: true })).resolves.toMatchObject({
      algorithm: "mult-vae",
    });
  });
});

describe("the threads of a process", () => {
  it("are an equal share of the cores, at least one", () => {
    expect(threadsOf(1)).toBeGreaterThanOrEqual(1);
    expect(threadsOf(10_000)).toBeGreaterThanOrEqual(1);
    expect(threadsOf(10_000)).toBeLessThanOrEqual(threadsOf(1));
  });
});
