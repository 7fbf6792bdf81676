// Routes for operators: served models, liveness, readiness and metrics.

import type { FastifyBaseLogger } from "fastify";
import { StoreError } from "../../store/history-store.js";
import { Problem, storeProblems } from "../problems.js";
import type { App, Serving } from "../types.js";

/** Timeout in milliseconds for the store in a readiness check. */
const READY_WITHIN = 2_000;

export function operations(app: App, serving: Serving): void {
  const { router, engine, store, metrics, schemas, stopping } = serving;
  /** Throws Problem if the engine has failed. A failed kernel cannot recover; the process must be restarted. */
  const requireEngine = (log: FastifyBaseLogger) =>
    engine.finished().catch((error: unknown) => {
      log.error({ err: error }, "the engine failed; the server must be restarted");
      throw new Problem(503, "the engine failed; the server must be restarted");
    });

  app.get(
    "/v1/models",
    {
      schema: {
        summary: "List the models and their traffic shares",
        tags: ["models"],
        response: { 200: schemas.models.answer },
      },
    },
    async () => ({
      models: router.models.map(({ model: { name, version, recommender, loadedAt }, share }) => ({
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
        summary: "Liveness: the process responds and its engine works; 503 if a restart is required",
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
        summary:
          "Readiness: models are loaded, and engine and store respond; 503 while the server shuts down",
        tags: ["health"],
        response: { 200: schemas.health.answer },
      },
    },
    async ({ log }) => {
      if (stopping()) throw new Problem(503, "the server is shutting down");
      await requireEngine(log);
      if (store)
        await inTime(store.check()).catch((error: unknown) => {
          log.error({ err: error }, "the store does not respond");
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
