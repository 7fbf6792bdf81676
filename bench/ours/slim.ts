// Times SLIM's weights of some items (blocks of adjacent items, spread evenly over the catalogue), starting from the interactions:
// the Gram matrix of the whole catalogue is computed every time.

import { parseArgs } from "node:util";
import { openEngine } from "foldin";
import { serve } from "../contest.js";
import { readMatrix } from "../input.js";

const { values } = parseArgs({
  options: {
    input: { type: "string", default: "" },
    alpha: { type: "string", default: "0.2" },
    "l1-ratio": { type: "string", default: "0.02" },
    blocks: { type: "string", default: "8" },
    size: { type: "string", default: "16" },
    threads: { type: "string", default: "2" },
  },
});
const train = readMatrix(values.input, "train");
const [alpha, l1Ratio, blocks, size] = [values.alpha, values["l1-ratio"], values.blocks, values.size].map(
  Number,
);
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });
const { solvers } = engine;
if (!solvers) throw new Error("the native engine has solvers");
const net = {
  l1: alpha * l1Ratio * train.rows,
  l2: alpha * (1 - l1Ratio) * train.rows,
  tolerance: 1e-4,
  maxIterations: 100,
  k: train.columns,
};

async function solve(): Promise<number[]> {
  if (!solvers) return [];
  const started = performance.now();
  const x = engine.sparse(train);
  const gram = engine.empty(train.columns, train.columns);
  solvers.gram(gram, x);
  let weights = 0;
  let unfinished = 0;
  for (let block = 0; block < blocks; block++) {
    const first = Math.floor((block * train.columns) / blocks);
    const solved = await solvers.elasticNet(gram, net, first, first + size);
    weights += solved.weights.indices.length;
    unfinished += solved.unfinished;
  }
  const seconds = (performance.now() - started) / 1000;
  engine.release(gram);
  engine.releaseSparse(x);
  console.error(`ours: ${weights} weights of ${blocks * size} items, ${unfinished} items unfinished`);
  return [seconds];
}

await serve(`foldin, ${engine.description}`, solve);
await engine.close();
