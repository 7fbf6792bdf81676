// The routes about the contents of a dataset.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { datasetItemsQuery, datasetQuery, datasetUserQuery, datasetUsersQuery } from "./dataset-api.js";
import type { Datasets, LocatedDataset } from "./datasets.js";

export interface DatasetsContext {
  readonly datasets: Datasets;
  /** The dataset of an id. Throws Problem if there is none. */
  find(id: string): Promise<LocatedDataset>;
  send(request: FastifyRequest, reply: FastifyReply, answer: object): FastifyReply;
}

export function datasetRoutes(app: FastifyInstance, { datasets, find, send }: DatasetsContext): void {
  app.get<{ Querystring: z.output<typeof datasetQuery> }>(
    "/api/dataset",
    { schema: { querystring: datasetQuery } },
    async (request, reply) =>
      send(request, reply, await datasets.describe(await find(request.query.dataset))),
  );
  const questions = { items: datasetItemsQuery, users: datasetUsersQuery, user: datasetUserQuery } as const;
  for (const kind of ["items", "users", "user"] as const)
    app.get<{ Querystring: z.output<(typeof questions)[typeof kind]> }>(
      `/api/dataset/${kind}`,
      { schema: { querystring: questions[kind] } },
      async (request, reply) => {
        const { dataset, ...question } = request.query;
        return send(request, reply, await datasets.ask(await find(dataset), kind, question as never));
      },
    );
}
