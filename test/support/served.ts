// A server with small trained models, for tests that ask it through Fastify's inject, or over the loopback.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../../src/compute/open-engine.js";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../src/data/attributes/encode.js";
import type { Dataset } from "../../src/data/dataset.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { train } from "../../src/experiments/train.js";
import { loadRecommender } from "../../src/serving/load.js";
import { createServer, type ServerOptions } from "../../src/serving/server/server.js";
import { openSqlite } from "../../src/serving/store/sqlite-store.js";
import { tastes } from "./datasets.js";

const dataset = tastes({ users: 60 });

/** The same items with attributes: kind (even or odd), number, and tags (of four, one or two per item; item 0 has none). */
export function attributed(): Dataset {
  const { ids, titles } = dataset.items;
  const column = (name: string, type: "text" | "number" | "list", of: (item: number) => string) =>
    encodeColumn({ name, values: ids.map((_, item) => of(item)) }, { type }, String);
  const attributes = ItemAttributes.of(ids.length, [
    column("kind", "text", (item) => (item % 2 === 0 ? "even" : "odd")),
    column("number", "number", String),
    column("tags", "list", (item) => (item === 0 ? "" : `t${item % 4}|t${item % 3}`)),
  ]);
  return { ...dataset, items: new Vocabulary(ids, titles, attributes) };
}

/** Trains a small run into a folder. */
export async function trainRun(out: string, seed = 1, of: Dataset = dataset): Promise<void> {
  const options = { hidden: [16], latent: 8, epochs: 2 };
  (await train(of, { model: "mult-vae", options, out, seed, engine: "reference" })).dispose();
}

/** A folder with a run, a server of it with a store, and everything's end. */
export async function served(options: Partial<ServerOptions> = {}, of: Dataset = dataset) {
  const folder = await mkdtemp(join(tmpdir(), "foldin-serve-"));
  const run = join(folder, "run");
  await trainRun(run, 1, of);
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
    async ask(
      method: "GET" | "POST" | "PUT" | "DELETE",
      url: string,
      payload?: object | string,
      headers = {},
    ) {
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
