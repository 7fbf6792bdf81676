// Seconds of one epoch of Mult-VAE as users grow at fixed items, and as items grow at fixed users; in the order of `sizes`.

import { parseArgs } from "node:util";
import { type Dataset, emptyMatrix, openEngine, train, Vocabulary } from "foldin";
import { serve } from "../contest.js";
import { generate, ml20m } from "../input.js";
import { sizes } from "../scaling.js";

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });
const names = (size: number) => new Vocabulary(Array.from({ length: size }, (_, k) => String(k)));
const datasets: Dataset[] = sizes.map(({ users, items }) => {
  const none = { users: names(0), foldIn: emptyMatrix(0, items), heldOut: emptyMatrix(0, items) };
  const train = generate({ ...ml20m, users, items }, 1);
  return { name: "generated", items: names(items), users: names(users), train, validation: none, test: none };
});

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
