// What a user's program does with the installed package: prepare, train, evaluate, save, load and recommend. Prints one line
// of JSON. The hash of the weights must be the same on every runtime.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildDataset, demoCatalogue, evaluate, openEngine, recommend, train } from "foldin";
import { loadRecommender, similarItems } from "foldin/serving";

const { films, views } = demoCatalogue({ films: 300, viewers: 800 });
const dataset = await buildDataset({ input: views, items: films.map(({ id, title }) => ({ id, title })) });
const engine = await openEngine();
const report = { engine: engine.name };
await engine.close();
for (const [model, options] of [
  ["popularity", {}],
  ["mult-vae", { hidden: [64], latent: 16, batchSize: 100, epochs: 5 }],
]) {
  const trained = await train(dataset, { model, options, out: join("library", model) });
  const { metrics } = await evaluate(trained, dataset);
  report[model] = metrics["ndcg@100"].mean;
  trained.dispose();
}
const run = join("library", "mult-vae");
const recommender = await loadRecommender(run);
const { items } = await recommend(recommender, [films[0].id, films[1].id], { k: 3 });
const similar = await similarItems(recommender, films[0].id, { k: 3 });
report.recommended = items.map(({ title }) => title);
report.similar = similar.items.length;
recommender.dispose();
const weights = readFileSync(join(run, "model", "model.safetensors"));
report.weights = createHash("sha256").update(weights).digest("hex").slice(0, 8);
console.log(JSON.stringify(report));
