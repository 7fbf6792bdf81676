// Paths and queries: percent-encoded UTF-8. Bytes outside ASCII that a client did not encode are encoded here, as Node would
// read each of them as a letter; what does not decode to text is refused.

import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { Problem } from "./problems.js";

/** The request's target with bytes outside ASCII encoded. */
export function encodedUrl({ url = "/" }: IncomingMessage): string {
  return url.replace(/[\x80-\xff]/g, (byte) => encodeByte(byte.charCodeAt(0)));
}

function encodeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** Refuses queries that do not decode; a path that does not is refused by the router. */
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
