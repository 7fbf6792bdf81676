// Times iterations of a model with a solver: sweeps of WMF, iterations of NMF. One repetition trains from scratch. The first iteration
// is a warm-up; the others are measured (seconds each, with everything that an epoch does except validation).

import { parseArgs } from "node:util";
import { openEngine, train } from "foldin";
import { serve } from "../contest.js";
import { readMatrix } from "../input.js";
import { trainingOnly } from "./generated.js";

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "" },
    model: { type: "string", default: "wmf" },
    options: { type: "string", default: "{}" },
    iterations: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
  },
});
const matrix = readMatrix(values.input, "train");
const dataset = trainingOnly(matrix);
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });

await serve(`foldin, ${engine.description}`, async () => {
  const seconds: number[] = [];
  const recommender = await train(dataset, {
    model: values.model,
    engine,
    options: { epochs: 1 + Number(values.iterations), ...JSON.parse(values.options) },
    onEpoch: (epoch) => seconds.push(epoch.seconds),
  });
  recommender.dispose();
  return seconds.slice(1);
});
await engine.close();
