// Times epochs of a model on a dataset folder, each with its validation (NDCG@100 of all validation users) if there are any.

import { parseArgs } from "node:util";
import { loadDataset, openEngine, train } from "foldin";
import { serve } from "../contest.js";

const { values } = parseArgs({
  options: {
    dataset: { type: "string", default: "" },
    model: { type: "string", default: "mult-vae" },
    /** JSON. */
    options: { type: "string", default: "{}" },
    epochs: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    precision: { type: "string", default: "float32" },
  },
});
const dataset = await loadDataset(values.dataset);
const engine = await openEngine({
  engine: "native",
  threads: Number(values.threads),
  precision: values.precision as "float32" | "bf16",
});

await serve(`foldin, ${engine.description}`, async () => {
  const seconds: number[] = [];
  const recommender = await train(dataset, {
    model: values.model,
    engine,
    options: { ...JSON.parse(values.options), epochs: Number(values.epochs) + 1 },
    onEpoch: (epoch) => seconds.push(epoch.seconds + epoch.validationSeconds),
  });
  recommender.dispose();
  return seconds.slice(1);
});
await engine.close();
