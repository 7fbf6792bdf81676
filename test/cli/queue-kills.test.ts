// Work that survives its workers: some are killed at random moments, and the results are those of one machine, byte for byte.
// Needs a PostgreSQL server, given by FOLDIN_TEST_POSTGRES (scripts/with-postgres.sh starts one).

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { RandomSequence } from "../../src/core/philox.js";
import { clusterFolder, HEARTBEAT, small, succeed, tableOf, worker } from "../support/cluster.js";
import { foldin, start } from "../support/foldin.js";
import { postgres, useDatabase } from "../support/postgres.js";

describe.skipIf(!postgres)("workers that are killed at random moments", () => {
  const database = useDatabase();
  const seed = Number(process.env.FOLDIN_KILL_SEED ?? Date.now() % 2 ** 32);
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  let folder: string;
  beforeAll(async () => {
    console.log(`FOLDIN_KILL_SEED=${seed} repeats the moments`);
    folder = await clusterFolder();
  });

  it("two of three: a search of 12 points has the table and the models of the local pool", async () => {
    const grid = ["dropout=0.2,0.4,0.6", "learningRate=1e-3,3e-3,1e-2,3e-2"];
    const search = ["search", "dataset", ...small, "--epochs", "8", "--grid", ...grid];
    const args = [...search, "--keep-models", "--checkpoint-seconds", "0"];
    await succeed(foldin([...args, "--out", "local", "--jobs", "2"], { cwd: folder }));

    const workers = [1, 2, 3].map(() => worker(database.url, folder));
    const running = start([...args, "--out", "queued", "--queue", database.url, ...HEARTBEAT], {
      cwd: folder,
    });
    try {
      for (const victim of workers.slice(0, 2)) {
        await victim.says(/started/);
        await sleep(3000 * random.uniform());
        victim.send("SIGKILL");
      }
      await succeed(running.outcome);
    } finally {
      await Promise.all(workers.map((one) => one.stop()));
    }
    const [queued, local] = ["queued", "local"].map((name) => join(folder, name));
    expect(tableOf(queued)).toBe(tableOf(local));
    const points = (of: string) => readdirSync(join(of, "points")).sort();
    expect(points(queued)).toEqual(points(local));
    expect(points(queued)).toHaveLength(12);
    for (const key of points(local)) {
      const model = (of: string) => readFileSync(join(of, "points", key, "model/model.safetensors"));
      expect(model(queued).equals(model(local)), key).toBe(true);
    }
  });

  it("a scoring in 200 parts has the same Parquet file, nothing twice and nothing missing", async () => {
    await succeed(foldin(["train", "dataset", ...small, "--epochs", "2", "--out", "run"], { cwd: folder }));
    const score = ["score", "run", "--part-users", "3", "-k", "5", "--engine", "reference"];
    await succeed(foldin([...score, "--out", "local.parquet"], { cwd: folder }));

    const workers = [1, 2].map(() => worker(database.url, folder));
    const running = start([...score, "--out", "queued.parquet", "--queue", database.url, ...HEARTBEAT], {
      cwd: folder,
    });
    try {
      for (let kills = 0; kills < 3; kills++) {
        const victim = workers[workers.length - 1 - random.below(2)];
        await victim.says(/finished/);
        await sleep(1500 * random.uniform());
        victim.send("SIGKILL");
        workers.splice(workers.indexOf(victim), 1);
        workers.push(worker(database.url, folder));
      }
      expect((await succeed(running.outcome)).stdout).toMatch(/^600 users scored, 3,000 rows/);
    } finally {
      await Promise.all(workers.map((one) => one.stop()));
    }
    const file = (name: string) => readFileSync(join(folder, name));
    expect(file("queued.parquet").equals(file("local.parquet"))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes(".partial"))).toEqual([]);
  });
});
