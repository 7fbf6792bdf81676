// The routes of maps of items.

import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import { Problem } from "../serving/server/problems.js";
import { mapRequest } from "./map-api.js";
import type { Maps } from "./maps.js";
import { type ModelsContext, pathOfModel } from "./models-routes.js";

export function mapRoutes(
  app: FastifyInstance,
  { maps, find }: Pick<ModelsContext, "find"> & { maps: Maps },
): void {
  const unknown = () => new Problem(404, "no map has this id");

  app.post<{ Body: z.output<typeof mapRequest> }>(
    "/api/maps",
    { schema: { body: mapRequest } },
    async ({ body: { run } }, reply) => reply.code(202).send(await maps.start(pathOfModel(find, run))),
  );

  app.get<{ Params: { id: string } }>("/api/maps/:id", async ({ params: { id } }) => {
    const answer = maps.get(id);
    if (!answer) throw unknown();
    return answer;
  });

  app.get<{ Params: { id: string } }>("/api/maps/:id/points", async ({ params: { id } }, reply) => {
    const text = await maps.read(id);
    if (text === undefined) throw unknown();
    return reply.type("application/json; charset=utf-8").send(text);
  });

  app.delete<{ Params: { id: string } }>("/api/maps/:id", async ({ params: { id } }, reply) => {
    if (!maps.stop(id)) throw new Problem(404, "this map is not being computed");
    return reply.code(204).send();
  });
}
