// The routes that ask models: what a model knows about its items, titles as they are typed, and recommendations.

import type { FastifyInstance, FastifyReply } from "fastify";
import type { z } from "zod";
import { Problem } from "../serving/server/problems.js";
import type { Run } from "./api.js";
import type { Models } from "./models.js";
import { itemsQuery, modelQuery, namesRequest, recommendationsRequest } from "./models-api.js";

export interface ModelsContext {
  readonly models: Models;
  /** The run of an id, and its folder. Throws Problem if there is none. */
  find(id: string): { readonly run: Run; readonly path: string };
}

export function modelRoutes(app: FastifyInstance, { models, find }: ModelsContext): void {
  app.get<{ Querystring: z.output<typeof modelQuery> }>(
    "/api/model",
    { schema: { querystring: modelQuery } },
    ({ query: { run } }, reply) =>
      models.ask(pathOfModel(find, run), { kind: "describe" }, whileConnected(reply)),
  );

  app.get<{ Querystring: z.output<typeof itemsQuery> }>(
    "/api/items",
    { schema: { querystring: itemsQuery } },
    ({ query: { run, search, limit } }, reply) =>
      models.ask(pathOfModel(find, run), { kind: "search", text: search, limit }, whileConnected(reply)),
  );

  app.post<{ Body: z.output<typeof namesRequest> }>(
    "/api/items/names",
    { schema: { body: namesRequest } },
    ({ body: { run, ids } }, reply) =>
      models.ask(pathOfModel(find, run), { kind: "names", ids }, whileConnected(reply)),
  );

  app.post<{ Body: z.output<typeof recommendationsRequest> }>(
    "/api/recommendations",
    { schema: { body: recommendationsRequest } },
    ({ body: { run, ...options } }, reply) =>
      models.ask(pathOfModel(find, run), { kind: "recommend", ...options }, whileConnected(reply)),
  );
}

/** The folder of a run that has a model. Throws Problem otherwise. */
export function pathOfModel(find: ModelsContext["find"], id: string): string {
  const { run, path } = find(id);
  if (run.modelBytes === null) throw new Problem(409, `${id} has no model: its training is not finished`);
  return path;
}

/** Is aborted when the client goes away before it has its answer. */
function whileConnected(reply: FastifyReply): AbortSignal {
  const stop = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) stop.abort();
  });
  return stop.signal;
}
