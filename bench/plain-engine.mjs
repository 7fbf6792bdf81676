// How much slower the plain TypeScript engine is than the native one: node bench/plain-engine.mjs [rounds], after `npm run setup`.
// Trains on the demo catalogue and answers single requests with each engine in turn, one thread each, and prints the medians of
// the process's CPU time (other work on the machine does not count) with their ratio.

import { buildDataset, demoCatalogue, openEngine, recommend, train } from "../dist/index.js";

const rounds = Number(process.argv[2] ?? 5);
const REQUESTS = 50;
const { films, views } = demoCatalogue({ films: 600, viewers: 1200 });
const items = films.map(({ id, title }) => ({ id, title }));
const text = ({ id, genres, title }) => ({ id, text: [...genres, title].join(" ") });
const dataset = await buildDataset({ input: views, items, content: { records: films.map(text) } });
const history = films.slice(0, 5).map(({ id }) => id);
const engines = [
  await openEngine({ engine: "native", threads: 1 }),
  await openEngine({ engine: "reference" }),
];

const models = {
  popularity: {},
  "mult-vae": { hidden: [200], latent: 64, epochs: 2 },
  "rec-vae": { hidden: 100, latent: 40, epochs: 1 },
  ease: {},
  slim: {},
  wmf: { factors: 32, epochs: 2 },
  cvae: { hidden: [50], latent: 20, layerEpochs: 1, latentEpochs: 1, wholeEpochs: 1, epochs: 1 },
};

/** Milliseconds of CPU time of the whole process, all threads. */
async function cpu(work) {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [(user + system) / 1000, result];
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
row(["model", "training, native", "plain", "ratio", "a request, native", "plain", "ratio"]);
row(["---", "--:", "--:", "--:", "--:", "--:", "--:"]);
for (const [model, options] of Object.entries(models)) {
  const training = [[], []];
  const answering = [[], []];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++)
    for (const [i, engine] of engines.entries()) {
      const [trained, recommender] = await cpu(() => train(dataset, { model, options, engine }));
      const [answered] = await cpu(async () => {
        for (let n = 0; n < REQUESTS; n++) await recommend(recommender, history, { k: 10 });
      });
      recommender.dispose();
      if (round === 0) continue;
      training[i].push(trained);
      answering[i].push(answered / REQUESTS);
    }
  const cells = [training, answering].flatMap((times) => {
    const [native, plain] = times.map(median);
    return [`${native.toPrecision(3)} ms`, `${plain.toPrecision(3)} ms`, (plain / native).toPrecision(2)];
  });
  row([`\`${model}\``, ...cells]);
}
for (const engine of engines) await engine.close();
