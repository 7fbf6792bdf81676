// A Mult-VAE of the ML-20M shape (20,108 items, 600 and 200 hidden units) as a run folder, for timing the server. Its
// weights are those after a single batch of generated users: their values do not affect the time.
//
//   node bench/.build/serving/model.js <run folder> [items]

import { type Dataset, emptyMatrix, fromRows, train, Vocabulary } from "foldin";

const [out, items = "20108"] = process.argv.slice(2);
const size = Number(items);
const names = (count: number) => Array.from({ length: count }, (_, k) => String(k + 1));
const nobody = { users: new Vocabulary([]), foldIn: emptyMatrix(0, size), heldOut: emptyMatrix(0, size) };
const dataset: Dataset = {
  name: "generated",
  items: new Vocabulary(
    names(size),
    names(size).map((name, item) => `The Film Number ${name} (${1930 + (item % 90)})`),
  ),
  users: new Vocabulary(names(500)),
  train: fromRows(
    size,
    Array.from({ length: 500 }, (_, user) =>
      Array.from({ length: 50 }, (_, k) => (user * 37 + k * k * 101 + k) % size),
    ).map((row) => [...new Set(row)]),
  ),
  validation: nobody,
  test: nobody,
};
const model = await train(dataset, { model: "mult-vae", options: { epochs: 1 }, out });
console.log(`${out}: ${dataset.items.size} items`);
model.dispose();
