// Protects the studio, which has no password, from other web pages in the user's browser: their requests are refused, and the
// studio's own page may load and ask nothing from elsewhere.

import type { FastifyInstance } from "fastify";
import { requireKnownHost } from "../serving/server/hosts.js";
import { Problem } from "../serving/server/problems.js";

/** What the studio's page may do: load its own scripts and styles, and ask its own server. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A report has its own style and no script. It comes from a folder that may have been copied from elsewhere. */
export const REPORT_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Refuses requests for other hosts and from other origins, and sets the headers of every answer. */
export function guard(app: FastifyInstance): void {
  requireKnownHost(app, []);
  app.addHook("onRequest", async ({ headers, method }) => {
    const site = headers["sec-fetch-site"];
    // "none": the user typed the address or followed a bookmark. Another port of this machine is "same-site".
    const isNavigation = method === "GET" && headers["sec-fetch-mode"] === "navigate";
    if (site !== undefined && site !== "same-origin" && site !== "none" && !isNavigation)
      throw new Problem(403, "requests from other web pages are refused");
    const changes = method !== "GET" && method !== "HEAD";
    if (changes && headers.origin !== `http://${headers.host}`)
      throw new Problem(403, "a request that changes something must come from the studio's own page");
  });
  app.addHook("onSend", async (_, reply) => {
    if (reply.getHeader("content-security-policy") === undefined)
      reply.header("content-security-policy", PAGE_POLICY);
    reply.headers({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
    });
  });
}
