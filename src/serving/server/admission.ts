// Checks before a request is processed: the client's rate limit, the Host header, the token, and memory for the body.
// Requests that are rejected here count towards the rate limit.

import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { SharedTurns } from "../../core/shared-turns.js";
import { Allowance } from "./allowance.js";
import { requireToken } from "./guards.js";
import { isLoopback, requireKnownHost } from "./hosts.js";
import { acceptJson, mostValues } from "./json-body.js";
import type { Limits } from "./limits.js";
import { bodyTooLarge, Problem, problemOf, sendProblem } from "./problems.js";
import { requireSoundQuery } from "./url.js";

/** Smaller bodies are not counted, because even many of them need little memory. */
const SMALL_BODY = 1 << 14;

export interface Admission {
  readonly limits: Limits;
  /** The listening address of the server. */
  readonly host: string;
  readonly allowHosts: readonly string[];
  readonly token: string | undefined;
  /** Shares the event loop while large bodies are parsed. */
  readonly turns: SharedTurns;
}

/** Answers a request whose path the router rejects; hooks do not run for such requests. */
export type RefusedByRouter = (error: Error, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export async function admission(
  app: FastifyInstance,
  { limits, host, allowHosts, token, turns }: Admission,
): Promise<RefusedByRouter> {
  const tooMany = () =>
    new Problem(429, `more than ${limits.perSecond} requests per second from this address`);
  await app.register(rateLimit, {
    global: false,
    max: limits.perSecond,
    timeWindow: 1000,
    // Load balancers check the health often.
    allowList: ({ routeOptions }) =>
      limits.perSecond === 0 || routeOptions.url?.startsWith("/health/") === true,
    errorResponseBuilder: tooMany,
  });
  app.addHook("onRequest", app.rateLimit());
  if (isLoopback(host) || allowHosts.length > 0) requireKnownHost(app, allowHosts);
  if (token !== undefined) requireToken(app, token);
  requireSoundQuery(app);
  acceptJson(app, mostValues(limits), turns);
  limitBodies(app, limits);
  const count = app.createRateLimit();
  return async (error, request, reply) => {
    const rate = await count(request);
    sendProblem(reply, problemOf(!rate.isAllowed && rate.isExceeded ? tooMany() : error));
  };
}

function limitBodies(app: FastifyInstance, { bodyBytes, openBodyBytes }: Limits): void {
  const open = new Allowance("large requests", { number: Infinity, bytes: openBodyBytes });
  app.addHook("onRequest", async ({ headers }, reply) => {
    const bytes =
      headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : bodyBytes;
    if (bytes > bodyBytes) {
      // The rest of the body is not read.
      reply.header("connection", "close");
      throw bodyTooLarge(bodyBytes);
    }
    if (bytes > SMALL_BODY) reply.raw.once("close", open.take(bytes));
  });
}
