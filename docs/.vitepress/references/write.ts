// Writes the references of the command line, the models, the HTTP interface and foldin/serving below docs/reference.
// scripts/docs.mjs runs this file; the work is done on import. TypeDoc writes the library reference next to these.

import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import type { CliContext, Register } from "../../../src/cli/context.js";
import { addTempOption } from "../../../src/cli/temp-option.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { buildDataset } from "../../../src/data/prepare.js";
import { demoCatalogue } from "../../../src/data/sources/demo.js";
import { recipesOf } from "../../../src/experiments/recipes/registry.js";
import { train } from "../../../src/experiments/train.js";
import { algorithmNames, findAlgorithm } from "../../../src/models/registry.js";
import { createServer } from "../../../src/serving/server/server.js";
import { commandLinePages } from "./command-line.js";
import { httpPages, type OpenApiDocument } from "./http.js";
import { modelPages } from "./models.js";
import { servingPages } from "./serving.js";

const root = resolve(import.meta.dirname, "../../..");

async function commands(): Promise<readonly Command[]> {
  const program = new Command("foldin");
  const folder = join(root, "src/cli/commands");
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts"))) {
    const { register } = (await import(join(folder, file))) as { register: Register };
    register(program, {} as CliContext);
  }
  addTempOption(program);
  return program.commands;
}

/** The document of a server with one small model; what the model is makes no difference. */
async function openApi(): Promise<OpenApiDocument> {
  const folder = await mkdtemp(join(tmpdir(), "foldin-docs-"));
  const out = join(folder, "run");
  const engine = await openEngine({ engine: "reference" });
  try {
    const { films, views } = demoCatalogue({ films: 100, viewers: 100 });
    const items = films.map(({ id, title }) => ({ id, title }));
    const dataset = await buildDataset({ input: views, items });
    (await train(dataset, { model: "popularity", out, engine: "reference" })).dispose();
    const server = await createServer({ models: [{ name: "main", folder: out, share: 1 }], engine });
    const document = server.app.swagger() as unknown as OpenApiDocument;
    await server.close();
    return document;
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const models = await Promise.all(
  algorithmNames.map(async (name) => ({
    algorithm: await findAlgorithm(name),
    recipes: await recipesOf(name),
  })),
);
const pages = {
  ...commandLinePages(await commands()),
  ...modelPages(models),
  ...httpPages(await openApi()),
  ...servingPages(join(root, "src/serving/index.ts")),
};
for (const [path, text] of Object.entries(pages)) {
  const file = join(root, "docs/reference", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
