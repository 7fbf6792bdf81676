// Trains the dataset of its argument in a process of its own, to be killed: node train-in-child.mjs <job.json>. Plain
// JavaScript on the built package, because it runs without the test runner.
import { readFileSync } from "node:fs";
import { openEngine, train, Vocabulary } from "../../dist/index.js";

const { dataset, options } = JSON.parse(readFileSync(process.argv[2], "utf8"), (_, value) =>
  value !== null && typeof value === "object" && "uint32" in value ? Uint32Array.from(value.uint32) : value,
);
const vocabulary = ({ ids }) => new Vocabulary(ids);
const held = ({ users, ...rest }) => ({ ...rest, users: vocabulary(users) });
const engine = await openEngine({ engine: options.engine });
await train(
  {
    ...dataset,
    items: vocabulary(dataset.items),
    users: vocabulary(dataset.users),
    validation: held(dataset.validation),
    test: held(dataset.test),
  },
  { ...options, engine },
);
await engine.close();
