// What operators ask: which models are served, is the server alive, may it have traffic, what does it measure.

import { Problem } from "../problems.js";
import type { App, Serving } from "../types.js";

export function operations(app: App, { shelf, store, metrics, schemas, stopping }: Serving): void {
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
      schema: { summary: "The process answers", tags: ["health"], response: { 200: schemas.health.answer } },
    },
    async () => ({ status: "alive" }),
  );

  app.get(
    "/health/ready",
    {
      schema: {
        summary: "Models are loaded and the store answers; 503 while the server stops",
        tags: ["health"],
        response: { 200: schemas.health.answer },
      },
    },
    async ({ log }) => {
      if (stopping()) throw new Problem(503, "the server is stopping");
      await store?.check().catch((error: unknown) => {
        log.error({ err: error }, "the store does not answer");
        throw new Problem(503, "the store does not answer");
      });
      return { status: "ready" };
    },
  );

  app.get("/metrics", { schema: { summary: "Metrics for Prometheus", tags: ["health"] } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
