// What a request must pass before it is worked on: the rate of its client, the name it gives the server, the token, and room
// for its body. What is refused here counts towards the rate too.

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

/** Bodies up to this size are not counted: many of them need little memory. */
const SMALL_BODY = 1 << 14;

export interface Admission {
  readonly limits: Limits;
  /** The address that the server listens on. */
  readonly host: string;
  readonly allowHosts: readonly string[];
  readonly token: string | undefined;
  /** For reading large bodies. */
  readonly turns: SharedTurns;
}

/** Answers a request whose path the router refuses, which passes no hooks. */
export type RefusedByRouter = (error: Error, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export async function admission(
  app: FastifyInstance,
  { limits, host, allowHosts, token, turns }: Admission,
): Promise<RefusedByRouter> {
  const tooMany = () =>
    new Problem(429, `more than ${limits.perSecond} requests in a second from this address`);
  await app.register(rateLimit, {
    global: false,
    max: limits.perSecond,
    timeWindow: 1000,
    // Load balancers ask for health often.
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
  const open = new Allowance("large requests are being answered", { number: Infinity, bytes: openBodyBytes });
  app.addHook("onRequest", async ({ headers }, reply) => {
    const bytes =
      headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : bodyBytes;
    if (bytes > bodyBytes) {
      // Nobody reads what is left of it.
      reply.header("connection", "close");
      throw bodyTooLarge(bodyBytes);
    }
    if (bytes > SMALL_BODY) reply.raw.once("close", open.take(bytes));
  });
}
