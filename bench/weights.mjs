// Prints hashes of trained weights on the demo catalogue, to show whether a change of the compute layer changes any bit:
// node bench/weights.mjs [--engine native|reference] > before.txt, after `npm run setup`; run it again after the change and compare.
// The native engine's bits also depend on the processor's instruction set.

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { buildDataset, demoCatalogue, openEngine, train } from "../dist/index.js";

const { values } = parseArgs({ options: { engine: { type: "string", default: "native" } } });
const { films, views } = demoCatalogue({ films: 600, viewers: 1200 });
const dataset = await buildDataset({
  input: views,
  items: films.map(({ id, title }) => ({ id, title })),
  content: { records: films.map(({ id, genres, title }) => ({ id, text: [...genres, title].join(" ") })) },
});

const models = {
  "mult-vae": { hidden: [200], latent: 64, epochs: 3 },
  "mult-dae": { epochs: 3 },
  "h-vamp": { hidden: 100, latent1: 40, latent2: 40, pseudoInputs: 50, gated: true, layers: 2, epochs: 2 },
  "rec-vae": { hidden: 100, latent: 40, epochs: 2 },
  vae: { hidden: [100], latent: 40, epochs: 2 },
  cvae: { hidden: [50], latent: 20, layerEpochs: 2, latentEpochs: 2, wholeEpochs: 2, epochs: 3 },
  wmf: { factors: 32, epochs: 3 },
};

const engine = await openEngine({ engine: values.engine });
for (const [model, options] of Object.entries(models)) {
  const trained = await train(dataset, { model, options, engine, seed: 1 });
  const { tensors } = await trained.save();
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).sort()) hash.update(name).update(tensors[name].data);
  console.log(`${model.padEnd(10)} ${hash.digest("hex")}`);
  trained.dispose();
}
await engine.close();
