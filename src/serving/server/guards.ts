// Authentication with a bearer token.

import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { Problem } from "./problems.js";

/** Compares tokens in constant time; the time reveals neither the token nor its length. */
export function sameToken(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Paths without authentication: health checks and the documentation. */
const OPEN = /^\/(?:health\/|docs(?:\/|$)|openapi\.json$)/;

export function requireToken(app: FastifyInstance, token: string): void {
  app.addHook("onRequest", async (request, reply) => {
    if (OPEN.test(request.routeOptions.url ?? "")) return;
    const [, given = ""] = /^Bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? "") ?? [];
    if (sameToken(given, token)) return;
    reply.header("www-authenticate", "Bearer");
    throw new Problem(401, "missing or wrong token; send the header Authorization: Bearer <token>");
  });
}
