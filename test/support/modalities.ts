// A small catalogue of three kinds of items, whose pictures or sequences say which kind an item is; of the last thirty items
// nobody has any.

import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { add } from "../../src/compute/ops/arithmetic.js";
import { Tape } from "../../src/compute/tape.js";
import { RandomSequence } from "../../src/core/philox.js";
import { imageContent, sequenceContent } from "../../src/data/content/in-memory.js";
import type { ItemContent } from "../../src/data/content.js";
import type { Dataset } from "../../src/data/dataset.js";
import { toEngine } from "../../src/models/content/batches.js";
import type { ContentVae } from "../../src/models/content/network.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { fromRows } from "../../src/sparse/csr.js";
import { allocatedOn } from "./allocated.js";
import { trainedOn } from "./content-models.js";
import { trainingOnly, vocabulary } from "./datasets.js";

export const ITEMS = 120;
const [USERS, WARM, KINDS] = [60, 90, 3];
const random = new RandomSequence({ seed: 11, step: 0, stream: 0 });
/** What an item is; of the last thirty nobody has any. */
const kindOf = (item: number) => item % KINDS;
const rows = Array.from({ length: USERS }, (_, user) =>
  [...Array(WARM).keys()].filter((item) => kindOf(item) === user % KINDS && random.uniform() < 0.4),
);

/** Pictures of 8 x 8: a bright bar, standing, lying or aslant, anywhere, in noise. */
function drawPictures(): ItemContent {
  const side = 8;
  const data = new Float32Array(ITEMS * side * side);
  for (let item = 0; item < ITEMS; item++) {
    const shift = random.below(side);
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const along = [x, y, (x + y) % side][kindOf(item)];
        data[(item * side + y) * side + x] =
          along === shift || along === (shift + 1) % side ? 0.9 : 0.2 * random.uniform();
      }
  }
  return imageContent(data, [1, side, side]);
}

/** Sequences of different lengths: the same tokens in all, of which one kind counts up, one down, one in twos. */
function drawSequences(): ItemContent {
  const tokens = 9;
  const lists = Array.from({ length: ITEMS }, (_, item) => {
    const start = random.below(tokens);
    const stride = [1, tokens - 1, 2][kindOf(item)];
    return Array.from({ length: 4 + random.below(5) }, (_, t) => (start + t * stride) % tokens);
  });
  return sequenceContent(fromRows(tokens, lists), vocabulary("token", tokens));
}

export const pictures = drawPictures();
export const sequences = drawSequences();

export const datasetOf = (content: ItemContent): Dataset => ({
  ...trainingOnly(fromRows(ITEMS, rows)),
  content,
});

/** The share of pairs of cold items, one of a user's kind and one not, that are in the right order: a half by chance. */
export async function coldOrder<Options>(
  algorithm: Algorithm<Options>,
  content: ItemContent,
  options: object,
): Promise<number> {
  const { model } = await trainedOn(
    datasetOf(content),
    algorithm,
    { ...options },
    { engine: new ReferenceEngine() },
  );
  const scores = await model.score(fromRows(ITEMS, rows)).read();
  let [right, all] = [0, 0];
  for (let user = 0; user < USERS; user++)
    for (let liked = WARM; liked < ITEMS; liked++)
      for (let other = WARM; other < ITEMS; other++)
        if (kindOf(liked) === user % KINDS && kindOf(other) !== user % KINDS) {
          const [a, b] = [scores[user * ITEMS + liked], scores[user * ITEMS + other]];
          right += a > b ? 1 : a === b ? 0.5 : 0;
          all++;
        }
  return right / all;
}

/** Options of cvae. */
export const joint = {
  ...{ latent: 6, batchSize: 30, lambdaV: 1, lambdaR: 0.1, epochs: 30, learningRate: 0.01 },
  ...{ pretrainingShare: 1, wholeEpochs: 30 },
};
/** Options of cvae, for a training of a few updates. */
export const brief = { layerEpochs: 1, latentEpochs: 1, wholeEpochs: 2, epochs: 2, batchSize: 40, latent: 3 };

/** d loss / d weight of the whole, against central differences, a few numbers of every parameter. */
export async function networkGradientError(declared: ContentVae, content: ItemContent): Promise<number> {
  const engine = new ReferenceEngine({ precision: "float64" });
  const network = allocatedOn(engine, declared);
  // Biases off zero: where nothing comes in, a zero lies on relu's edge.
  const drawn = new RandomSequence({ seed: 5, step: 0, stream: 0 });
  for (const { value } of network.parameters)
    engine.write(
      value,
      Float64Array.from({ length: value.rows * value.columns }, () => 0.4 * drawn.normal()),
    );
  const items = Uint32Array.of(0, 4, 8, 5);
  const batch = toEngine(
    engine,
    content.kind === "images"
      ? { kind: "dense", rows: 4, columns: 64, data: await content.read(items) }
      : { kind: "tokens", matrix: fromRows(9, [[1, 2, 3, 4], [7], [], [5, 5, 0]]) },
  );
  const key = (name: string) => ({ seed: 1, step: 1, stream: name.length });
  const loss = (tape: Tape) => {
    const posterior = network.posterior(tape, batch);
    const z = posterior.sample(tape, key("noise"));
    return sum(add(tape, network.reconstruction(tape, z, batch, key), posterior.kl(tape)));
  };
  const value = async () => {
    const tape = new Tape(engine, { gradients: false });
    const [number] = await engine.read(tape.value(loss(tape)));
    tape.dispose();
    return number;
  };
  const tape = new Tape(engine);
  tape.backward(loss(tape));
  const draw = new RandomSequence({ seed: 2, step: 0, stream: 0 });
  let worst = 0;
  for (const parameter of network.parameters) {
    const analytic = await parameter.fullGradient();
    const data = await engine.read(parameter.value);
    for (let n = 0; n < 5; n++) {
      const at = draw.below(data.length);
      const moved = async (by: number) => {
        engine.write(
          parameter.value,
          data.map((x, i) => (i === at ? x + by : x)),
        );
        return value();
      };
      const numeric = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
      engine.write(parameter.value, data);
      worst = Math.max(worst, Math.abs(analytic[at] - numeric) / (1 + Math.abs(numeric)));
    }
  }
  return worst;
}
