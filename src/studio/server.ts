// The server of `foldin studio`: the built page, and answers as JSON about the datasets and runs of a folder. It listens only on
// this machine and changes no file.

import { createHash } from "node:crypto";
import { join } from "node:path";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import type { z } from "zod";
import { UserError } from "../core/errors.js";
import { readText } from "../core/input-file.js";
import {
  handleError,
  InvalidInput,
  Problem,
  problemBody,
  problemOf,
  sendProblem,
} from "../serving/server/problems.js";
import {
  type CurvesAnswer,
  comparisonRequest,
  curvesQuery,
  type FolderAnswer,
  folderQuery,
  reportQuery,
} from "./api.js";
import { Catalogue } from "./catalogue.js";
import { Comparisons } from "./comparisons.js";
import { datasetRoutes } from "./dataset-routes.js";
import { Datasets } from "./datasets.js";
import { guard, REPORT_POLICY } from "./guards.js";
import { mapRoutes } from "./map-routes.js";
import { Maps } from "./maps.js";
import { Models } from "./models.js";
import { modelRoutes } from "./models-routes.js";
import { PAGE_FOLDER, servePage } from "./page-files.js";
import { readCurve } from "./read-run.js";

export interface StudioOptions {
  /** The folder with datasets and runs. */
  readonly folder: string;
  /** The folder of the built page. */
  readonly page?: string;
  /** The folder where maps of items are kept. Default: a temporary folder, removed at the end. */
  readonly cache?: string;
  /** Receives the messages of internal errors, which answers do not contain. */
  onError?(error: Error): void;
}

const HOST = "127.0.0.1";
const MOST_REPORT_BYTES = 64 << 20;

/** Creates the studio's server, which is not listening yet. Throws UserError if the folder cannot be read or the page was not built. */
export async function createStudio({ folder, page = PAGE_FOLDER, cache, onError = () => {} }: StudioOptions) {
  const catalogue = new Catalogue(folder);
  const comparisons = new Comparisons();
  const datasets = new Datasets();
  const models = new Models();
  const maps = new Maps(cache);
  await catalogue.look();
  const app = fastify({ logger: false, bodyLimit: 1 << 16, forceCloseConnections: true });
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (data) => {
    const parsed = schema.safeParse(data);
    return parsed.success ? { value: parsed.data } : { error: new InvalidInput(parsed.error.issues) };
  });
  app.setErrorHandler((error: Error, request, reply) => {
    if (problemOf(error).status !== 500) return handleError(error, request, reply);
    onError(error);
    return sendProblem(reply, problemBody(500, "internal error; the terminal of foldin studio shows it"));
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problemBody(404, `there is no route ${request.method} ${request.url.slice(0, 200).split("?")[0]}`),
    ),
  );
  guard(app);
  servePage(app, page);

  app.get<{ Querystring: z.output<typeof folderQuery> }>(
    "/api/folder",
    { schema: { querystring: folderQuery } },
    async (request, reply) => {
      const { recent } = request.query;
      const answer: FolderAnswer = await (recent === undefined ? catalogue.look() : catalogue.recent());
      return sendJson(request, reply, answer);
    },
  );

  app.get<{ Querystring: z.output<typeof curvesQuery> }>(
    "/api/curves",
    { schema: { querystring: curvesQuery } },
    async (request, reply) => {
      const curves = request.query.run.map((id) => readCurve(id, find(id).path));
      return sendJson(request, reply, { curves } satisfies CurvesAnswer);
    },
  );

  app.get<{ Querystring: z.output<typeof reportQuery> }>(
    "/report",
    { schema: { querystring: reportQuery } },
    async (request, reply) => {
      const file = join(find(request.query.run).path, "report.html");
      const text = await readText(file, { most: MOST_REPORT_BYTES }).catch((error: unknown) => {
        if (error instanceof UserError) throw new Problem(404, error.message);
        throw error;
      });
      reply.headers({ "content-security-policy": REPORT_POLICY, "cache-control": "no-cache" });
      return reply.type("text/html; charset=utf-8").send(text);
    },
  );

  app.post<{ Body: z.output<typeof comparisonRequest> }>(
    "/api/comparisons",
    { schema: { body: comparisonRequest } },
    async (request, reply) => {
      const { runs, on, metrics, dataset } = request.body;
      const compared = runs.map((id) => {
        const { run, path } = find(id);
        if (run.modelBytes === null) throw new Problem(409, `${id} has no model to evaluate`);
        return { name: id, path, changed: run.changed };
      });
      const given = dataset === undefined ? undefined : (await findDataset(dataset)).path;
      return reply.code(202).send(comparisons.start({ runs: compared, on, metrics, dataset: given }));
    },
  );

  app.get<{ Params: { id: string } }>("/api/comparisons/:id", async (request, reply) => {
    const answer = comparisons.get(request.params.id);
    if (!answer) throw new Problem(404, "there is no comparison with this id");
    return sendJson(request, reply, answer);
  });

  app.delete<{ Params: { id: string } }>("/api/comparisons/:id", async (request, reply) => {
    if (!comparisons.stop(request.params.id)) throw new Problem(404, "this comparison is not running");
    return reply.code(204).send();
  });

  datasetRoutes(app, {
    datasets,
    send: sendJson,
    find: findDataset,
  });
  modelRoutes(app, { models, find });
  mapRoutes(app, { maps, find });

  await app.ready();
  return {
    app,
    catalogue,
    /** Starts to listen; resolves to the address. */
    listen: (port: number) => app.listen({ host: HOST, port }),
    async close() {
      comparisons.close();
      datasets.close();
      models.close();
      await maps.close();
      await app.close();
    },
  };

  async function findDataset(id: string) {
    const found = await catalogue.findDataset(id);
    if (found === undefined)
      throw new Problem(404, `there is no dataset ${id.slice(0, 200)} in ${catalogue.root}`);
    return found;
  }

  function find(id: string) {
    const found = catalogue.find(id);
    if (found === undefined)
      throw new Problem(404, `there is no run ${id.slice(0, 200)} in ${catalogue.root}`);
    return found;
  }
}

/** Sends JSON with a tag of its contents, so that a page that asks again receives it only if it has changed. */
function sendJson(request: FastifyRequest, reply: FastifyReply, answer: object): FastifyReply {
  const text = JSON.stringify(answer);
  const tag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 20)}"`;
  reply.headers({ etag: tag, "cache-control": "no-cache" });
  if (request.headers["if-none-match"] === tag) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(text);
}
