// Times the evaluation of 10,000 test users (`--what evaluate`), or the top 20 of one history at a time (`--what recommend`), with
// a model of the ML-20M shape. Its weights are those after a single batch: their values do not affect the time.

import { parseArgs } from "node:util";
import { evaluate, openEngine, recommend, rowIndices, sliceRows, train } from "foldin";
import { median, serve } from "../contest.js";
import { readMatrix } from "../input.js";
import { names, trainingOnly } from "./generated.js";

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "" },
    what: { type: "string", default: "evaluate" },
    requests: { type: "string", default: "200" },
    threads: { type: "string", default: "2" },
    precision: { type: "string", default: "float32" },
  },
});
const matrix = sliceRows(readMatrix(values.input, "train"), 0, 500);
const foldIn = readMatrix(values.input, "test-fold-in");
const heldOut = readMatrix(values.input, "test-held-out");
const dataset = trainingOnly(matrix, { users: names(foldIn.rows), foldIn, heldOut });
const engine = await openEngine({
  engine: "native",
  threads: Number(values.threads),
  precision: values.precision as "float32" | "bf16",
});
// Evaluating: one hidden layer of 600, as the baseline's. Recommending: Mult-VAE as published.
const evaluated = { model: "mult-dae", options: { epochs: 1, hidden: [600] } };
const served = { model: "mult-vae", options: { epochs: 1 } };
const recommender = await train(dataset, { engine, ...(values.what === "evaluate" ? evaluated : served) });

async function evaluateOnce(): Promise<number[]> {
  const started = performance.now();
  await evaluate(recommender, dataset, { metrics: ["ndcg@100", "recall@20", "recall@50"] });
  return [(performance.now() - started) / 1000];
}

async function answer(): Promise<number[]> {
  const seconds: number[] = [];
  for (let user = 0; user < Number(values.requests); user++) {
    const history = [...rowIndices(foldIn, user)].map((item) => dataset.items.ids[item]);
    const started = performance.now();
    await recommend(recommender, history, { k: 20 });
    seconds.push((performance.now() - started) / 1000);
  }
  return [median(seconds)];
}

const measure = values.what === "evaluate" ? evaluateOnce : answer;
await measure();
await serve(`foldin, ${engine.description}`, measure);
recommender.dispose();
await engine.close();
