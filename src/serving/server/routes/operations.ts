// What operators ask: which models are served, is the server alive, may it have traffic, what does it measure.

import type { FastifyBaseLogger } from "fastify";
import { StoreError } from "../../store/history-store.js";
import { Problem, storeProblems } from "../problems.js";
import type { App, Serving } from "../types.js";

/** Milliseconds within which a load balancer is told whether the store answers. */
const READY_WITHIN = 2_000;

export function operations(app: App, serving: Serving): void {
  const { shelf, engine, store, metrics, schemas, stopping } = serving;
  /** A kernel that failed stays failed: only a new process helps. */
  const requireEngine = (log: FastifyBaseLogger) =>
    engine.finished().catch((error: unknown) => {
      log.error({ err: error }, "the engine failed; the server must be restarted");
      throw new Problem(503, "the engine failed: the server must be restarted");
    });

  app.get(
    "/v1/models",
    {
      schema: {
        summary: "The models and their shares",
        tags: ["models"],
        response: { 200: schemas.models.answer },
      },
    },
    async () => ({
      models: shelf.models.map(({ model: { name, version, recommender, loadedAt }, share }) => ({
        name,
        version,
        algorithm: recommender.algorithm,
        items: recommender.items.size,
        share,
        loadedAt: loadedAt.toISOString(),
      })),
    }),
  );

  app.get(
    "/health/live",
    {
      schema: {
        summary: "The process answers and its engine works; 503 where only a restart helps",
        tags: ["health"],
        response: { 200: schemas.health.answer },
      },
    },
    async ({ log }) => {
      await requireEngine(log);
      return { status: "alive" };
    },
  );

  app.get(
    "/health/ready",
    {
      schema: {
        summary: "Models are loaded, engine and store answer; 503 while the server stops",
        tags: ["health"],
        response: { 200: schemas.health.answer },
      },
    },
    async ({ log }) => {
      if (stopping()) throw new Problem(503, "the server is stopping");
      await requireEngine(log);
      if (store)
        await inTime(store.check()).catch((error: unknown) => {
          log.error({ err: error }, "the store does not answer");
          const trouble = error instanceof StoreError ? error.trouble : "failed";
          throw new Problem(503, storeProblems[trouble][1]);
        });
      return { status: "ready" };
    },
  );

  app.get("/metrics", { schema: { summary: "Metrics for Prometheus", tags: ["health"] } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}

async function inTime(check: Promise<void>): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_, reject) => {
    const error = new StoreError("busy", `no answer within ${READY_WITHIN / 1000} s`);
    late = setTimeout(() => reject(error), READY_WITHIN);
  });
  await Promise.race([check, never]).finally(() => clearTimeout(late));
}
