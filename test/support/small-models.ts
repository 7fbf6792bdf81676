// Options that make every registered model small enough to train in a test.

import { RandomSequence } from "../../src/core/philox.js";
import { imageContent, sequenceContent, vectorContent } from "../../src/data/content/in-memory.js";
import type { Dataset } from "../../src/data/dataset.js";
import { algorithmNames } from "../../src/models/registry.js";
import { fromRows } from "../../src/sparse/csr.js";
import { vocabulary } from "./datasets.js";
import { trainedRuns } from "./parts.js";

type Options = Record<string, unknown>;

/** Options by model for a matrix of 50 x 50, where the paper's are for thousands; most models need none. */
export async function smallOptions(dataset: Dataset): Promise<Record<string, Options | undefined>> {
  return {
    "item-knn": { neighbours: 50 },
    blend: { runs: await trainedRuns(dataset, { popularity: {}, "item-knn": { neighbours: 50 }, slim: {} }) },
    "content-knn": { clicks: true },
    vae: { hidden: [32], latent: 16, batchSize: 10, epochs: 60, learningRate: 0.01 },
    "mult-vae": { hidden: [32], latent: 16, batchSize: 10, epochs: 60, learningRate: 0.01 },
    cdae: { latent: 16, epochs: 60 },
    elsa: { factors: 16, batchSize: 10, epochs: 10 },
    sansa: { density: 0.5, lambda: 1 },
    wmf: { factors: 8, epochs: 10 },
    nmf: { factors: 4 },
    "rec-vae": { hidden: 32, layers: 2, latent: 16, batchSize: 10, epochs: 20, learningRate: 0.01 },
    vasp: {
      ...{ hidden: 32, latent: 16, encoderLayers: 2, decoderLayers: 2, batchSize: 10 },
      ...{ epochs: 40, learningRate: 0.01 },
    },
    vamp: {
      ...{ hidden: 32, latent: 16, pseudoInputs: 20, gated: true, pseudoInit: "training-rows" },
      ...{ batchSize: 10, epochs: 60, learningRate: 0.01, beta: 0.2, warmup: 30 },
    },
    "h-vamp": {
      ...{ hidden: 32, latent1: 16, latent2: 16, layers: 2, pseudoInputs: 20, gated: true },
      ...{ batchSize: 10, epochs: 60, learningRate: 0.01, beta: 0.2, warmup: 30 },
    },
    cvae: {
      ...{ hidden: [16, 8], latent: 8, batchSize: 10, learningRate: 0.01, lambdaV: 1, epochs: 10 },
      ...{ layerEpochs: 2, latentEpochs: 2, wholeEpochs: 4 },
    },
    cdl: {
      ...{ hidden: [16], latent: 8, batchSize: 10, lambdaV: 1, epochs: 5, layerEpochs: 5, finalSweeps: 5 },
      ...{ epsilon: 1e-4 },
    },
    ctr: { topics: 8, lambdaV: 1, topicEpochs: 5, epochs: 10 },
    "deep-music": { hidden: [32], latent: 8, batchSize: 10, learningRate: 0.01, epochs: 60 },
    "mult-dae": { latent: 16, batchSize: 10, epochs: 60, learningRate: 0.01 },
  };
}

/** A model to train: what a test calls it, its algorithm, its options and its dataset. */
export type SmallModel = readonly [name: string, model: string, options: Options, dataset: Dataset];

/** The dataset with other content: numbers, pictures of 8 x 8, or sequences of nine tokens, the same for every run. */
function withContent(dataset: Dataset, kind: "vectors" | "images" | "sequences"): Dataset {
  const items = dataset.items.size;
  const random = new RandomSequence({ seed: 4, step: 0, stream: 0 });
  const numbers = (each: number) => Float32Array.from({ length: items * each }, () => random.uniform());
  const tokens = () => Array.from({ length: 1 + random.below(6) }, () => random.below(9));
  const content = {
    vectors: () => vectorContent(numbers(5), 5),
    images: () => imageContent(numbers(64), [1, 8, 8]),
    sequences: () =>
      sequenceContent(fromRows(9, Array.from({ length: items }, tokens)), vocabulary("token", 9)),
  };
  return { ...dataset, content: content[kind]() };
}

/** Every registered model, trained briefly, and variants whose parameters have other names or shapes. */
export async function smallModels(dataset: Dataset): Promise<SmallModel[]> {
  const small = await smallOptions(dataset);
  const brief = (model: string): Options => ({
    ...small[model],
    ...("epochs" in (small[model] ?? {}) && { epochs: 1 }),
  });
  const of = (model: string, what: string, options: Options, on = dataset): SmallModel => [
    `${model} ${what}`,
    model,
    { ...brief(model), ...options },
    on,
  ];
  const networks = { embedding: 4, units: 6, filters: [3, 4], latent: 5 };
  return [
    ...algorithmNames.map((model) => [model, model, brief(model), dataset] as const),
    of("mult-vae", "without hidden layers", { hidden: [] }),
    of("mult-vae", "gated, of three layers", { gated: true, layers: 3 }),
    of("mult-dae", "with hidden layers", { hidden: [20, 10] }),
    of("elsa", "with updates of some items", { outputs: 12 }),
    of("sansa", "of an incomplete factor", { variant: "incomplete" }),
    of("vae", "of two layers", { hidden: [20, 10] }),
    of("vamp", "of three layers", { layers: 3, gated: false }),
    of("h-vamp", "of one layer", { layers: 1, gated: false }),
    of("rec-vae", "of one layer", { layers: 1 }),
    of("vasp", "of one layer each", { encoderLayers: 1, decoderLayers: 1 }),
    of("cdae", "untied", { tied: false }),
    of("nmf", "with known users", { transductive: "test" }),
    of("cdl", "of one layer", { hidden: [] }),
    of("cvae", "with covariances", { inference: "bayes" }),
    of("cvae", "of pictures", networks, withContent(dataset, "images")),
    of("cvae", "of sequences", networks, withContent(dataset, "sequences")),
    of("cvae", "of vectors", {}, withContent(dataset, "vectors")),
    of("deep-music", "of pictures", { filters: [3, 4] }, withContent(dataset, "images")),
    of("deep-music", "of sequences", { filters: [3, 4] }, withContent(dataset, "sequences")),
    of("content-knn", "of words alone", { clicks: false }),
    of("content-knn", "of vectors", { clicks: false }, withContent(dataset, "vectors")),
  ];
}
