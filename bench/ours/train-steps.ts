// Times training steps of a model on generated users. One repetition trains from scratch on `steps` batches for three epochs: the
// first is a warm-up; the others are measured (seconds per step, with everything that an epoch does).

import { parseArgs } from "node:util";
import { openEngine, takeRows, train } from "foldin";
import { serve } from "../contest.js";
import { readMatrix } from "../input.js";
import { trainingOnly } from "./generated.js";

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "" },
    model: { type: "string", default: "mult-vae" },
    options: { type: "string", default: "{}" },
    steps: { type: "string", default: "8" },
    batch: { type: "string", default: "500" },
    threads: { type: "string", default: "2" },
    precision: { type: "string", default: "float32" },
    users: { type: "string" },
  },
});
const steps = Number(values.steps);
const batch = Number(values.batch);
const all = readMatrix(values.input, "train");
const count = values.users === undefined ? Math.min(all.rows, steps * batch) : Number(values.users);
const users = Uint32Array.from({ length: count }, (_, k) => (k * 7919) % all.rows);
const matrix = takeRows(all, users);
const dataset = trainingOnly(matrix);
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
    options: { epochs: 3, batchSize: batch, ...JSON.parse(values.options) },
    onEpoch: (epoch) => seconds.push(epoch.seconds / Math.ceil(count / batch)),
  });
  recommender.dispose();
  return seconds.slice(1);
});
await engine.close();
