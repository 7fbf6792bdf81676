// A Mult-VAE of the ML-20M shape (20,108 items, 600 and 200 hidden units) as a run folder, for timing the server. Its
// weights are those after a single batch of generated users: their values do not affect the time. The items have a list of genres, of
// which g0 is that of about half of them, g1 of a quarter and so on, and a year.
//
//   node bench/.build/serving/model.js <run folder> [items]

import {
  type AttributeColumn,
  type Dataset,
  emptyMatrix,
  fromRows,
  ItemAttributes,
  TextDictionary,
  train,
  Vocabulary,
} from "foldin";

const [out, items = "20108"] = process.argv.slice(2);
const size = Number(items);
const names = (count: number) => Array.from({ length: count }, (_, k) => String(k + 1));
const nobody = { users: new Vocabulary([]), foldIn: emptyMatrix(0, size), heldOut: emptyMatrix(0, size) };
/** Whole numbers that look random. */
const mixed = (item: number, salt: number) =>
  Math.imul((item + 1) * 2654435761 + salt * 40503, 2246822519) >>> 0;
const genres = names(size).map((_, item) =>
  [...Array(10).keys()].filter((g) => mixed(item, g) % 2 ** (g + 1) === 0),
);
let end = 0;
const columns: AttributeColumn[] = [
  {
    ...{ name: "genres", type: "list" },
    values: TextDictionary.of([...Array(10).keys()].map((g) => `g${g}`)),
    offsets: Uint32Array.from([0, ...genres.map((own) => (end += own.length))]),
    codes: Uint32Array.from(genres.flat()),
  },
  { name: "year", type: "number", numbers: Float64Array.from(genres, (_, item) => 1930 + (item % 90)) },
];
const dataset: Dataset = {
  name: "generated",
  items: new Vocabulary(
    names(size),
    names(size).map((name, item) => `The Film Number ${name} (${1930 + (item % 90)})`),
    ItemAttributes.of(size, columns),
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
