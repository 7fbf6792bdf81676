// The files of the built page (dist/studio/page), read once: a request can name only these.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, resolve, sep } from "node:path";
import type { FastifyInstance } from "fastify";
import { UserError } from "../core/errors.js";
import { FIRST_QUESTION } from "./first-question.js";

/** Where the build puts the page, from src/ and from dist/. */
export const PAGE_FOLDER = resolve(import.meta.dirname, "../../dist/studio/page");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Serves the page. Throws UserError if it was not built. */
export function servePage(app: FastifyInstance, folder: string): void {
  if (!existsSync(join(folder, "index.html")))
    throw new UserError({
      place: folder,
      problem: "the studio's page was not built",
      remedy: "Build it with: npm run build",
    });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    const address = `/${relative(folder, path).split(sep).join("/")}`;
    const type = types[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(path);
    const tag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 20)}"`;
    const urls = address === "/index.html" ? ["/", address] : [address];
    for (const url of urls)
      app.get(url, async (request, reply) => {
        // The names of all other files contain a hash of their contents.
        const caching = address.startsWith("/assets/") ? "max-age=31536000, immutable" : "no-cache";
        reply.headers({ etag: tag, "cache-control": caching });
        if (url === "/") reply.header("link", `<${FIRST_QUESTION}>; rel=preload; as=fetch; crossorigin`);
        if (request.headers["if-none-match"] === tag) return reply.code(304).send();
        return reply.type(type).send(bytes);
      });
  }
}
