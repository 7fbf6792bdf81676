// A server with small trained models, for tests that ask it through Fastify's inject, or over the loopback.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../../src/compute/open-engine.js";
import { train } from "../../src/experiments/train.js";
import { loadRecommender } from "../../src/serving/load.js";
import { createServer, type ServerOptions } from "../../src/serving/server/server.js";
import { openSqlite } from "../../src/serving/store/sqlite-store.js";
import { tastes } from "./datasets.js";

const dataset = tastes({ users: 60 });

/** Trains a small run into a folder. */
export async function trainRun(out: string, seed = 1): Promise<void> {
  const options = { hidden: [16], latent: 8, epochs: 2 };
  (await train(dataset, { model: "mult-vae", options, out, seed, engine: "reference" })).dispose();
}

/** A folder with a run, a server of it with a store, and everything's end. */
export async function served(options: Partial<ServerOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "foldin-serve-"));
  const run = join(folder, "run");
  await trainRun(run);
  const engine = await openEngine({ engine: "reference" });
  const store = await openSqlite(join(folder, "histories.sqlite"));
  const server = await createServer({
    models: [{ name: "main", folder: run, share: 1 }],
    engine,
    store,
    ...options,
  });
  const recommender = await loadRecommender(run, { engine });
  return {
    folder,
    run,
    store,
    recommender,
    server,
    /** One request; the answer's status, type and parsed body. */
    async ask(method: "GET" | "POST" | "DELETE", url: string, payload?: object | string, headers = {}) {
      const response = await server.app.inject({
        method,
        url,
        ...(payload !== undefined && { payload }),
        headers: { ...(typeof payload === "string" && { "content-type": "application/json" }), ...headers },
      });
      const type = String(response.headers["content-type"]);
      const body = type.includes("json") ? JSON.parse(response.body) : response.body;
      return { status: response.statusCode, type, body, headers: response.headers };
    },
    async close() {
      await server.close();
      await store.close();
      recommender.dispose();
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
