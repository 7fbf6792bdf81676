// Queries are percent-encoded UTF-8. A query that does not decode to text is refused; Fastify would keep it as it stands.

import type { FastifyInstance } from "fastify";
import { Problem } from "./problems.js";

/** A path that does not decode is refused by the router, and bytes outside ASCII by Node. */
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
