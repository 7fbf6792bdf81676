// The HTTP server for trained models. Every client error is answered with a 4xx that names the invalid field.

import fastify, { type FastifyServerOptions } from "fastify";
import type { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { SharedTurns } from "../../core/shared-turns.js";
import type { Approximate } from "../../recommender/item-index.js";
import { Availability } from "../availability/availability.js";
import { UnavailableFile } from "../availability/file.js";
import { type ModelPlace, ModelRouter } from "../model-router.js";
import type { HistoryStore } from "../store/history-store.js";
import { admission, type RefusedByRouter } from "./admission.js";
import { Allowance } from "./allowance.js";
import { Connections, checkInterval } from "./connections.js";
import { isLoopback } from "./hosts.js";
import { defaultLimits, type Limits } from "./limits.js";
import { createMetrics } from "./metrics.js";
import { swagger } from "./openapi.js";
import { handleError, InvalidInput, problemBody, sendProblem } from "./problems.js";
import { availability as availabilityRoutes } from "./routes/availability.js";
import { items } from "./routes/items.js";
import { operations } from "./routes/operations.js";
import { recommendations } from "./routes/recommendations.js";
import { users } from "./routes/users.js";
import { schemasOf } from "./schemas.js";
import type { Serving, ZodTypes } from "./types.js";
import { Works } from "./work.js";

/** Maximum histories per batch: larger batches gain little and increase the waiting time. */
const MOST_AT_ONCE = 64;

export interface ServerOptions {
  readonly models: readonly ModelPlace[];
  /** The compute engine of the models; stays open. */
  readonly engine: Engine;
  /** The store for user histories; without one, requests for users are answered with 404. Stays open. */
  readonly store?: HistoryStore;
  readonly limits?: Partial<Limits>;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /**
   * Accepted Host headers in addition to those of this machine. Without any, a server on an address other than loopback
   * accepts all.
   */
  readonly allowHosts?: readonly string[];
  /** Addresses or networks of reverse proxies whose X-Forwarded-For header is trusted. */
  readonly trustProxies?: readonly string[];
  /** Bearer token, required for all requests except health checks and documentation. */
  readonly token?: string;
  /** A file with the ids of unavailable items (availability/file.ts), which requests that change them write. */
  readonly unavailable?: string;
  /** Approximate answers, as in `LoadOptions`. */
  readonly approximate?: Approximate;
  /** Receives messages, such as that an index is not used. */
  onNote?(note: string): void;
  /** Fastify's logger option: false for none, or pino options. */
  readonly logger?: FastifyServerOptions["logger"];
}

/** Creates a server with loaded models that is not listening yet. Throws UserError if a model cannot be loaded. */
export async function createServer(options: ServerOptions) {
  const { engine, store, token, host = "127.0.0.1", logger = false } = options;
  const { allowHosts = [], trustProxies = [] } = options;
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const metrics = createMetrics();
  const availability = new Availability();
  const unavailableFile =
    options.unavailable === undefined
      ? undefined
      : await UnavailableFile.open(options.unavailable, availability);
  const router = await ModelRouter.open(options.models, {
    engine,
    approximate: options.approximate,
    onNote: options.onNote,
    onReload({ name, version, error }) {
      metrics.reloads.inc({ model: name, outcome: error === undefined ? "loaded" : "failed" });
      if (error === undefined) app.log.info({ model: name, version }, "model reloaded");
      else
        app.log.error(
          { model: name, err: error },
          "the new model cannot be loaded; the previous one stays in use",
        );
    },
    batcher: (model) => ({
      mostAtOnce: MOST_AT_ONCE,
      mostWaiting: limits.waiting,
      longestWait: limits.answerTime,
      available: (items) => availability.of(items),
      onBatch(questions, seconds) {
        metrics.batchSize.observe({ model }, questions);
        metrics.batchSeconds.observe({ model }, seconds);
      },
    }),
  });
  metrics.show(router);
  let stopping = false;
  const schemas = schemasOf(limits);
  const turns = new SharedTurns();
  const serving: Serving = {
    ...{ router, engine, store, limits, metrics, schemas, availability, unavailableFile },
    mayChangeAvailability: token !== undefined || isLoopback(host),
    works: new Works(turns, limits.answerTime),
    answers: new Allowance("large answers", {
      number: limits.openAnswers,
      bytes: limits.openAnswerBytes,
    }),
    stopping: () => stopping,
  };
  let refusedByRouter: RefusedByRouter | undefined;
  const app = fastify({
    logger,
    logController: new fastify.LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.idleTime,
    http: { headersTimeout: limits.headerTime, connectionsCheckingInterval: checkInterval(limits) },
    // While the server stops, accepted requests are still answered.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    trustProxy: trustProxies.length > 0 && [...trustProxies],
    routerOptions: { maxParamLength: 1000 },
    frameworkErrors: (error, request, reply): void =>
      void refusedByRouter?.(error, request as never, reply as never),
    clientErrorHandler: (error, socket): void => connections.refuse(error, socket),
  }).withTypeProvider<ZodTypes>();
  const connections: Connections = new Connections(app.server, limits, app.log, metrics.cut);
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (data) => {
    const parsed = schema.safeParse(data);
    return parsed.success ? { value: parsed.data } : { error: new InvalidInput(parsed.error.issues) };
  });
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problemBody(
        404,
        `there is no route ${request.method} ${request.url.slice(0, 200).split("?")[0]}; see /docs`,
      ),
    ),
  );
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? "none";
    metrics.requests.observe({ route, method, status: reply.statusCode }, reply.elapsedTime / 1000);
    // Log the route pattern instead of the path, which may contain a user id.
    request.log.info({ method, route, status: reply.statusCode, ms: Number(reply.elapsedTime.toFixed(2)) });
  });
  app.addHook("onRequest", async (_, { raw }) => connections.add(raw));
  refusedByRouter = await admission(app as never, { limits, host, allowHosts, token, turns });
  await swagger(app as never, { token: token !== undefined, problem: schemas.problem });
  await app.register(async (scope) => {
    const routes = scope.withTypeProvider<ZodTypes>();
    for (const register of [recommendations, items, availabilityRoutes, users, operations])
      register(routes as never, serving);
  });
  try {
    await app.ready();
  } catch (error) {
    await router.close();
    throw error;
  }

  return {
    app,
    /**
     * Reloads models whose files have changed, and the file of unavailable items; requests are served meanwhile. If that fails, the
     * previous model, or the previous items, stay in use.
     */
    async reload() {
      const looked = await unavailableFile?.look();
      if (looked?.error !== undefined)
        app.log.error(
          { err: looked.error },
          "the file of unavailable items is not used; the previous items stay out",
        );
      else if (looked) app.log.info({ unavailable: looked.ids }, "unavailable items reloaded");
      return router.reload();
    },
    /** Starts to listen; resolves to the address. */
    listen: (port: number) => app.listen({ host, port }),
    /** Answers accepted requests, then closes everything that the server opened. */
    async close() {
      stopping = true;
      await app.close();
      connections.close();
      await router.close();
    },
  };
}
