import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RandomSequence } from "../../src/core/philox.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { tastes } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";

const child = resolve(import.meta.dirname, "../support/train-in-child.mjs");
if (!existsSync(resolve(import.meta.dirname, "../../dist/index.js")))
  throw new Error("dist/index.js is missing: run npm run build (npm test does)");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-kill-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Starts training in a process of its own; resolves to how it ended. */
function start(job: string) {
  const running = spawn(process.execPath, [child, job], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  running.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<"finished" | "killed">((done, fail) => {
    running.on("exit", (code, signal) => {
      if (signal === "SIGKILL") done("killed");
      else if (code === 0) done("finished");
      else fail(new Error(`the child ended with ${code}: ${errors}`));
    });
  });
  return { kill: () => running.kill("SIGKILL"), ended };
}

/** Waits until a run has finished so many epochs. */
async function epochsReach(run: string, epochs: number): Promise<void> {
  const lines = () =>
    readFile(join(run, "metrics.jsonl"), "utf8").then((text) => text.split("\n").length - 1);
  for (let tries = 0; tries < 5000 && (await lines().catch(() => 0)) < epochs; tries++) await sleep(4);
}

async function writeJob(out: string, engine: string): Promise<string> {
  const options = {
    out: join(folder, out),
    engine,
    seed: 11,
    checkpointSeconds: 0,
    options: { hidden: [64], latent: 32, batchSize: 20, epochs: 24, learningRate: 0.003 },
  };
  const text = (resume: boolean) =>
    JSON.stringify(
      { dataset: tastes({ users: 300, items: 200 }), options: { ...options, resume } },
      (_, value) => (value instanceof Uint32Array ? { uint32: [...value] } : value),
    );
  await writeFile(join(folder, `${out}.json`), text(false));
  await writeFile(join(folder, `${out}-resume.json`), text(true));
  return join(folder, `${out}.json`);
}

describe.each(engineNames)("training that is killed at any moment, on the %s engine", (engine) => {
  it("ends after resuming with the uninterrupted run's model, byte for byte", async () => {
    expect(await start(await writeJob("whole", engine)).ended).toBe("finished");
    const whole = await readFile(join(folder, "whole/model/model.safetensors"));

    const random = new RandomSequence({ seed: Date.now() % 2 ** 32, step: 0, stream: 0 });
    let job = await writeJob("killed", engine);
    let kills = 0;
    const epochsAtKill: number[] = [];
    const killed = join(folder, "killed");
    for (let attempt = 0; attempt < 20; attempt++) {
      const run = start(job);
      // Six attempts are killed: the first while it starts, the others a few epochs on, a random moment later.
      if (attempt === 0) await sleep(100 + 300 * random.uniform());
      else if (attempt < 6) {
        const goal = (epochsAtKill.at(-1) ?? 0) + 1 + random.below(3);
        await Promise.race([run.ended, epochsReach(killed, goal)]);
        await sleep(random.below(60));
      }
      if (attempt < 6) run.kill();
      if ((await run.ended) === "finished") break;
      kills++;
      if (existsSync(join(killed, "config.json"))) {
        const { complete, epochs } = await readRunFolder(killed);
        epochsAtKill.push(epochs.length);
        // Whatever is there is whole: no model, or all of it.
        expect(complete).toBe(existsSync(join(killed, "model/model.safetensors")));
        job = join(folder, "killed-resume.json");
      } else await rm(killed, { recursive: true, force: true });
    }
    expect(kills, `killed after epochs ${epochsAtKill}`).toBeGreaterThanOrEqual(3);
    expect(epochsAtKill.some((epochs) => epochs > 0)).toBe(true);
    expect(Buffer.compare(await readFile(join(folder, "killed/model/model.safetensors")), whole)).toBe(0);
    const { epochs } = await readRunFolder(join(folder, "killed"));
    expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    expect(epochs.map(({ values }) => values)).toEqual(
      (await readRunFolder(join(folder, "whole"))).epochs.map(({ values }) => values),
    );
    expect((await readdir(join(folder, "killed"))).toSorted()).toEqual([
      "config.json",
      "metrics.jsonl",
      "model",
    ]);
    expect((await stat(join(folder, "killed/model"))).isDirectory()).toBe(true);
  }, 120_000);
});
