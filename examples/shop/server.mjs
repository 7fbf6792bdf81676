// A small shop on top of `foldin serve`: it records what visitors open, recommends for them, and says why. Pages work without
// JavaScript; with it, htmx replaces only what changes.
//   npm run quickstart && node dist/cli/main.js serve demo/mult-vae          (in one terminal)
//   node examples/shop/server.mjs http://127.0.0.1:8080                      (in another; then open http://127.0.0.1:8200)
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import fastify from "fastify";
import { createClient, FoldinRequestError } from "foldin/client";
import { itemsOf, page, shelves } from "./pages.mjs";

const [server = "http://127.0.0.1:8080", port = "8200"] = process.argv.slice(2);
const foldin = createClient({ url: server, token: process.env.FOLDIN_TOKEN });
const htmx = createRequire(import.meta.url).resolve("htmx.org/dist/htmx.min.js");

const app = fastify();
// Forms without JavaScript.
app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_, body, done) =>
  done(null, Object.fromEntries(new URLSearchParams(body))),
);
app.addHook("onRequest", async (request, reply) => {
  reply.header(
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'",
  );
  const [, known] = /(?:^|; )visitor=([0-9a-f-]{36})(?:;|$)/.exec(request.headers.cookie ?? "") ?? [];
  request.visitor = known ?? randomUUID();
  if (!known)
    reply.header(
      "set-cookie",
      `visitor=${request.visitor}; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000`,
    );
});
app.decorateRequest("visitor", "");

/** What the visitor has opened, and recommendations with their reasons. */
const shelvesOf = async (visitor) => shelves(await foldin.recommendFor(visitor, { k: 8, explain: true }));

app.get("/", async ({ visitor, query: { q = "" } }, reply) => {
  const found = q ? await foldin.search(q, { limit: 8 }) : { items: [] };
  return reply.type("text/html").send(page({ q, found: found.items, shelves: await shelvesOf(visitor) }));
});
app.get("/search", async ({ query: { q = "" } }, reply) =>
  reply.type("text/html").send(itemsOf(q ? (await foldin.search(q, { limit: 8 })).items : [])),
);
app.post("/open", async ({ visitor, body, headers }, reply) => {
  await foldin.addEvents(visitor, [{ item: body.item }]);
  if (!headers["hx-request"]) return reply.redirect("/", 303);
  return reply.type("text/html").send(await shelvesOf(visitor));
});
app.post("/forget", async ({ visitor, headers }, reply) => {
  await foldin.forget(visitor);
  if (!headers["hx-request"]) return reply.redirect("/", 303);
  return reply.type("text/html").send(await shelvesOf(visitor));
});
app.get("/htmx.js", (_, reply) => reply.type("text/javascript").send(createReadStream(htmx)));
app.get("/shop.css", (_, reply) =>
  reply.type("text/css").send(createReadStream(new URL("shop.css", import.meta.url))),
);
app.setErrorHandler((error, _, reply) => {
  const refused = error instanceof FoldinRequestError && error.status < 500;
  if (!refused) console.error(error);
  reply
    .code(refused ? 400 : 502)
    .type("text/plain")
    .send(refused ? error.message : "Recommendations are not available at the moment");
});

console.log(await app.listen({ host: "127.0.0.1", port: Number(port) }));
