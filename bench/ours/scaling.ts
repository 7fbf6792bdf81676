// Times one epoch of Mult-VAE for growing numbers of users and for growing numbers of items; in the order of `sizes`.

import { parseArgs } from "node:util";
import { openEngine, train } from "foldin";
import { serve } from "../contest.js";
import { generate, ml20m } from "../input.js";
import { sizes } from "../scaling.js";
import { trainingOnly } from "./generated.js";

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });
const datasets = sizes.map(({ users, items }) => trainingOnly(generate({ ...ml20m, users, items }, 1)));

await serve(`foldin, ${engine.description}`, async () => {
  const seconds: number[] = [];
  for (const dataset of datasets) {
    let last = 0;
    const recommender = await train(dataset, {
      model: "mult-vae",
      engine,
      options: { epochs: 2 },
      onEpoch: (epoch) => {
        last = epoch.seconds;
      },
    });
    recommender.dispose();
    seconds.push(last);
  }
  return seconds;
});
await engine.close();
