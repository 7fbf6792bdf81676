// Times the training of a closed-form model, from the histories to the matrices with which it scores: seconds of a whole fit.

import { parseArgs } from "node:util";
import { openEngine, takeRows, train } from "foldin";
import { serve } from "../contest.js";
import { readMatrix } from "../input.js";
import { trainingOnly } from "./generated.js";

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "" },
    model: { type: "string", default: "ease" },
    options: { type: "string", default: "{}" },
    threads: { type: "string", default: "2" },
    users: { type: "string" },
  },
});
const all = readMatrix(values.input, "train");
const count = Math.min(all.rows, Number(values.users ?? all.rows));
const matrix = takeRows(
  all,
  Uint32Array.from({ length: count }, (_, u) => u),
);
const dataset = trainingOnly(matrix);
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });

await serve(`foldin, ${engine.description}`, async () => {
  const started = performance.now();
  const recommender = await train(dataset, {
    model: values.model,
    engine,
    options: JSON.parse(values.options),
  });
  await engine.finished();
  const seconds = (performance.now() - started) / 1000;
  recommender.dispose();
  return [seconds];
});
await engine.close();
