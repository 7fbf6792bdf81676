// Rejects queries that are not percent-encoded UTF-8; Fastify would accept them undecoded.

import type { FastifyInstance } from "fastify";
import { Problem } from "./problems.js";

/** Checks the query only: the router rejects paths that do not decode, and Node rejects bytes outside ASCII. */
export function requireSoundQuery(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ raw }) => {
    const [, query = ""] = /\?(.*)$/s.exec(raw.url ?? "") ?? [];
    try {
      decodeURIComponent(query);
    } catch {
      throw new Problem(400, "the query is not valid percent-encoded UTF-8");
    }
  });
}
