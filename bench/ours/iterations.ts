// Iterations of a model that is solved: sweeps of WMF, passes of NMF. One repetition trains afresh; the first iteration warms up, the
// others are measured (seconds each, with everything that an epoch does but validation).

import { parseArgs } from "node:util";
import { type Dataset, emptyMatrix, openEngine, train, Vocabulary } from "foldin";
import { serve } from "../contest.js";
import { readMatrix } from "../input.js";

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
const names = (size: number) => new Vocabulary(Array.from({ length: size }, (_, k) => String(k)));
const none = {
  users: names(0),
  foldIn: emptyMatrix(0, matrix.columns),
  heldOut: emptyMatrix(0, matrix.columns),
};
const dataset: Dataset = {
  name: "generated",
  items: names(matrix.columns),
  users: names(matrix.rows),
  train: matrix,
  validation: none,
  test: none,
};
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
