// Networks by modality: pictures and sequences decide who likes what, and items that nobody has touched are ranked by them.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { add } from "../../src/compute/ops/arithmetic.js";
import { Tape } from "../../src/compute/tape.js";
import { RandomSequence } from "../../src/core/philox.js";
import { imageContent, sequenceContent, vectorContent } from "../../src/data/content/in-memory.js";
import { formOf, type ItemContent } from "../../src/data/content.js";
import type { Dataset } from "../../src/data/dataset.js";
import { toEngine } from "../../src/models/content/batches.js";
import { ConvolutionalVae } from "../../src/models/content/convolutional-vae.js";
import { cvae } from "../../src/models/content/cvae.js";
import { deepMusic } from "../../src/models/content/deep-music.js";
import type { ContentVae } from "../../src/models/content/network.js";
import { RecurrentVae } from "../../src/models/content/recurrent-vae.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { fromRows } from "../../src/sparse/csr.js";
import { allocatedOn } from "../support/allocated.js";
import { expectToResumeAnywhere, trainedOn } from "../support/content-models.js";
import { trainingOnly, vocabulary } from "../support/datasets.js";

const [ITEMS, USERS, WARM, KINDS] = [120, 60, 90, 3];
const random = new RandomSequence({ seed: 11, step: 0, stream: 0 });
/** What an item is; of the last thirty nobody has any. */
const kindOf = (item: number) => item % KINDS;
const rows = Array.from({ length: USERS }, (_, user) =>
  [...Array(WARM).keys()].filter((item) => kindOf(item) === user % KINDS && random.uniform() < 0.4),
);

/** Pictures of 8 x 8: a bright bar, standing, lying or aslant, anywhere, in noise. */
function pictures(): ItemContent {
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
function sequences(): ItemContent {
  const tokens = 9;
  const lists = Array.from({ length: ITEMS }, (_, item) => {
    const start = random.below(tokens);
    const stride = [1, tokens - 1, 2][kindOf(item)];
    return Array.from({ length: 4 + random.below(5) }, (_, t) => (start + t * stride) % tokens);
  });
  return sequenceContent(fromRows(tokens, lists), vocabulary("token", tokens));
}

const datasetOf = (content: ItemContent): Dataset => ({ ...trainingOnly(fromRows(ITEMS, rows)), content });

/** The share of pairs of cold items, one of a user's kind and one not, that are in the right order: a half by chance. */
async function coldOrder<Options>(
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

const joint = {
  ...{ latent: 6, batchSize: 30, lambdaV: 1, lambdaR: 0.1, epochs: 30, learningRate: 0.01 },
  ...{ pretrainingShare: 1, wholeEpochs: 30 },
};
const forPictures = { filters: [8, 16] };
const forSequences = { embedding: 8, units: 16 };

describe("cold items are ranked by their content, far above chance", () => {
  it.each([
    ["cvae", "pictures", () => coldOrder(cvae, pictures(), { ...joint, ...forPictures })],
    [
      "cvae",
      "sequences",
      () => coldOrder(cvae, sequences(), { ...joint, ...forSequences, wordDropout: 0.5 }),
    ],
    [
      "deep-music",
      "pictures",
      () =>
        coldOrder(deepMusic, pictures(), {
          ...forPictures,
          latent: 4,
          batchSize: 30,
          epochs: 60,
          learningRate: 0.01,
        }),
    ],
    [
      "deep-music",
      "sequences",
      () =>
        coldOrder(deepMusic, sequences(), {
          ...{ filters: [16, 16], embedding: 8, latent: 4, batchSize: 30, epochs: 60, learningRate: 0.01 },
        }),
    ],
  ])("by %s of %s", async (_model, _kind, order) => {
    expect(await order()).toBeGreaterThan(0.8);
  });
});

describe("the networks", () => {
  /** d loss / d weight of the whole, against central differences, a few numbers of every parameter. */
  async function gradientError(declared: ContentVae, content: ItemContent): Promise<number> {
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

  it("for pictures and for sequences pass their gradients as finite differences have them", async () => {
    const content = pictures();
    const form = formOf(content);
    if (form.kind !== "images") throw new Error("no pictures");
    const convolutional = {
      filters: [3, 4],
      latent: 2,
      likelihood: "bernoulli" as const,
      precision: 1,
    };
    const recurrent = { latent: 2, embedding: 3, units: 4, length: 3, wordDropout: 0.3 };
    expect(await gradientError(new ConvolutionalVae(form, convolutional), content)).toBeLessThan(1e-6);
    expect(await gradientError(new RecurrentVae(9, recurrent), sequences())).toBeLessThan(1e-6);
  });

  const brief = { layerEpochs: 1, latentEpochs: 1, wholeEpochs: 2, epochs: 2, batchSize: 40, latent: 3 };
  it.each([
    [
      "cvae of pictures",
      () => expectToResumeAnywhere(datasetOf(pictures()), cvae, { ...brief, filters: [2, 3] }),
    ],
    [
      "cvae of sequences",
      () => expectToResumeAnywhere(datasetOf(sequences()), cvae, { ...brief, embedding: 3, units: 4 }),
    ],
    [
      "deep-music of sequences",
      () =>
        expectToResumeAnywhere(datasetOf(sequences()), deepMusic, {
          ...{ filters: [3, 3], latent: 3, factorSweeps: 2, epochs: 2 },
        }),
    ],
  ])("resumed anywhere end with the uninterrupted run's model: %s", (_, resume) => resume());

  it("take new items as they took the old ones, whatever else is in the batch", async () => {
    const content = sequences();
    const options = { ...brief, ...forSequences };
    const { model, tensors } = await trainedOn(datasetOf(content), cvae, options, {
      engine: new ReferenceEngine(),
    });
    const one = {
      items: vocabulary("new", 1),
      content: sequenceContent(fromRows(9, [[1, 2, 3]]), vocabulary("token", 9)),
    };
    const many = {
      items: vocabulary("new", 3),
      content: sequenceContent(fromRows(9, [[5, 6, 7, 8, 0, 1], [1, 2, 3], [4]]), vocabulary("token", 9)),
    };
    const after = tensors.items.data.length;
    const alone = (await (await model.withItems(one, "content")).save()).tensors.items.data.subarray(after);
    const among = (await (await model.withItems(many, "content")).save()).tensors.items.data.subarray(after);
    for (let k = 0; k < 3; k++) expect(among[3 + k]).toBeCloseTo(alone[k], 6);
  });

  it("say what does not fit", async () => {
    const learn = (content: ItemContent, options: object) =>
      cvae.fit(datasetOf(content), parseOptions(cvae, { ...options }), {
        engine: new ReferenceEngine(),
        seed: 1,
      });
    await expect(learn(pictures(), { filters: [4, 4, 4, 4] })).rejects.toThrow(
      /filters: 4 layers are too many for pictures of 8 x 8/,
    );
    await expect(learn(pictures(), { network: "recurrent" })).rejects.toThrow(
      /network: recurrent does not take images/,
    );
    await expect(
      learn(vectorContent(new Float32Array(ITEMS * 2), 2), { network: "convolutional" }),
    ).rejects.toThrow(/network: convolutional does not take vectors \(expected dense\)/);
    await expect(learn(sequences(), { network: "dense" })).rejects.toThrow(
      /network: dense does not take sequences/,
    );
  });
});
