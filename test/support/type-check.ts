// Type-checks a program that uses every public entry point of the installed package, as a consumer's compiler does: strict,
// with the declaration files of the package and of its dependencies checked too.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const modules = resolve(import.meta.dirname, "../../node_modules");

/** A consumer's settings. */
export interface Consumer {
  /** The `type` of its package.json. */
  readonly type: "module" | "commonjs";
  readonly module: "NodeNext" | "Node20" | "ESNext" | "Preserve";
  readonly moduleResolution: "NodeNext" | "Node16" | "Bundler";
}

const body = `
const { films, views } = demoCatalogue({ films: 10, viewers: 10 });
export async function example(folder: string): Promise<number> {
  const items = films.map(({ id, title }) => ({ id, title }));
  const dataset: Dataset = await buildDataset({ input: views, items });
  const options = { hidden: [8], latent: 4 };
  const model: Recommender = await train(dataset, { model: "mult-vae", options, out: folder });
  const { metrics } = await evaluate(model, dataset);
  const recommender: Recommender = await loadRecommender(folder);
  const answer = await recommend(recommender, ["1"], { k: 3 });
  const titles: (string | null | undefined)[] = answer.items.map(({ title }) => title);
  recommender.dispose();
  // @ts-expect-error: the types are those of the package, not any.
  const wrong: string = metrics["ndcg@100"]?.mean ?? 0;
  if (titles.length > 3) throw new UserError({ problem: wrong });
  return metrics["ndcg@100"]?.mean ?? 0;
}
`;

/** The errors that the compiler prints; empty where there are none. */
export function typeErrors(app: string, { type, module, moduleResolution }: Consumer): string {
  const folder = join(app, `types-${type}-${module}`);
  mkdirSync(folder);
  const manifest = JSON.parse(readFileSync(join(app, "node_modules/foldin/package.json"), "utf8"));
  const entries = Object.keys(manifest.exports)
    .map((path) => path.replace(/^\./, "foldin"))
    .filter((name) => !name.endsWith(".json"));
  const all = entries.map((name, i) => `import * as entry${i} from "${name}";`);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type }));
  writeFileSync(
    join(folder, "program.ts"),
    `${all.join("\n")}
import { buildDataset, type Dataset, demoCatalogue, evaluate, train, UserError } from "foldin";
import { loadRecommender, type Recommender, recommend } from "foldin/serving";
export const entries = [${all.map((_, i) => `entry${i}`)}];
${body}`,
  );
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    target: "ES2023",
    module,
    moduleResolution,
    typeRoots: [join(modules, "@types")],
    types: ["node"],
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["program.ts"] }),
  );
  const tsc = join(modules, "typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" }).stdout;
}
