// From interactions to evaluated recommendations. In a clone: npm run setup && npx tsx examples/train-and-recommend.ts

import { buildDataset, demoCatalogue, evaluate, recommend, train } from "foldin";

// Any iterable or async iterable of { user, item } can be used; this one is a generated catalogue of films.
const { films, views } = demoCatalogue({ films: 600, viewers: 2000 });
const titles = films.map(({ id, title }) => ({ id, title }));

const dataset = await buildDataset({ input: views, items: titles }); // a tenth of the viewers for validation, a tenth for the test
const options = { hidden: [200], latent: 64, batchSize: 100, epochs: 15 }; // smaller than in the paper, like the data
const model = await train(dataset, { model: "mult-vae", options });

const { users, metrics } = await evaluate(model, dataset); // on the test viewers, who are not in the training data
const { mean, standardError = 0 } = metrics["ndcg@100"];
console.log(`NDCG@100 on ${users} viewers: ${mean.toFixed(3)} ± ${standardError.toFixed(3)}`);

// A new user who likes fantasy films: the history is folded in, without retraining.
const seen = films.filter(({ genres }) => genres[0] === "Fantasy").slice(0, 3);
const { history, items } = await recommend(
  model,
  seen.map(({ id }) => id),
  { k: 5 },
);
console.log(`A user who watched ${history.map(({ title }) => title).join(", ")} may like:`);
for (const { rank, title } of items) console.log(`${rank}. ${title}`);
model.dispose();
