// The types of foldin/client, generated from the OpenAPI document of foldin serve (`npm run build` first). `node scripts/client.mjs`
// fails where src/client/api.ts is out of date; with --update it writes it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import openapi, { astToString } from "openapi-typescript";

export const typesFile = join(import.meta.dirname, "..", "src", "client", "api.ts");

/** The TypeScript types of an OpenAPI document, as text. */
export async function typesOf(document) {
  const { version, ...info } = document.info;
  // The version of foldin is not part of the types.
  const ast = await openapi({ ...document, info: { ...info, version: "" } });
  return `// Generated from the OpenAPI document by scripts/client.mjs; do not edit.\n\n${astToString(ast)}`;
}

/** The OpenAPI document of a server with a small model. */
async function documentOfServer() {
  const dist = (path) => import(pathToFileURL(join(import.meta.dirname, "..", "dist", path)).href);
  const { buildDataset, openEngine, train } = await dist("index.js");
  const { createServer } = await dist("serving/server/server.js");
  const folder = mkdtempSync(join(tmpdir(), "foldin-client-"));
  const input = Array.from({ length: 400 }, (_, k) => ({ user: Math.floor(k / 10), item: (k * 7) % 30 }));
  const engine = await openEngine({ engine: "reference" });
  try {
    const out = join(folder, "run");
    const dataset = await buildDataset({ input });
    (await train(dataset, { model: "popularity", out, engine: "reference" })).dispose();
    const server = await createServer({ models: [{ name: "main", folder: out, share: 1 }], engine });
    const document = server.app.swagger();
    await server.close();
    return document;
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = await typesOf(await documentOfServer());
  if (process.argv.includes("--update")) writeFileSync(typesFile, text);
  else if (readFileSync(typesFile, "utf8") !== text) {
    console.error("src/client/api.ts is out of date: npm run build && node scripts/client.mjs --update");
    process.exitCode = 1;
  }
}
