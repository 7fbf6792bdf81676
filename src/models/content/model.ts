// What the models of content and factors have in common when they are trained, saved and restored.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { loadParameters, loadTensor, type Parameter, saveParameters } from "../../compute/parameter.js";
import type { Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { type ContentForm, contentForm, formOf, type ItemContent } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { initialised } from "../../nn/initialise.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ContentAware } from "../../recommender/content-aware.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { requireContentMemory } from "../training-memory.js";
import { contentReader } from "./batches.js";
import { encodeAll } from "./encode.js";
import type { FactorOptions } from "./factors.js";
import type { ContentModel, ContentReading } from "./network.js";
import {
  type FactorKinds,
  factorRecommender,
  factorShapes,
  type ItemRule,
  type SavedFactors,
} from "./recommender.js";
import type { ContentLikelihood } from "./tied-mlp.js";
import type { ContentTrainingOptions } from "./training.js";

/** Kinds of content that a network of dense layers takes. */
export const networkKinds = ["words", "vectors", "images"] as const;

/** The likelihood of content: as given, or what fits its kind. Throws UserError for a Gaussian bag of words. */
export function likelihoodOf(
  kind: ContentForm["kind"],
  given: ContentLikelihood | undefined,
): ContentLikelihood {
  if (given === "gaussian" && kind === "words")
    throw new UserError({
      place: "likelihood",
      problem: '"gaussian" does not fit a bag of words',
      expected: "bernoulli",
    });
  return given ?? (kind === "vectors" ? "gaussian" : "bernoulli");
}

/** What turns content into vectors [items, k]. */
export interface ContentEncoder {
  /** What of it is saved. */
  readonly parameters: readonly Parameter[];
  /** Parameters that only training needs. */
  readonly scaffolding: readonly Parameter[];
  /** [content.items, k], zeros where an item has no content, as a tensor that the caller releases. */
  encode(content: ItemContent): Promise<Tensor>;
}

/** A network as an encoder. */
export function networkEncoder(
  engine: Engine,
  network: ContentReading & { readonly scaffolding: readonly Parameter[] },
  k: number,
): ContentEncoder {
  return {
    parameters: network.parameters,
    scaffolding: network.scaffolding,
    async encode(content) {
      const out = engine.empty(content.items, k);
      await encodeAll(engine, network, content, contentReader(content), out);
      return out;
    },
  };
}

/** Trains a network and factors in turns (training.ts), which are what is saved. */
export async function fitContentModel<
  Options extends Omit<ContentTrainingOptions, "batches" | "bayesian"> & { readonly patience?: number },
>(
  algorithm: Algorithm<Options>,
  dataset: Dataset,
  options: Options,
  run: RunContext,
  parts: Pick<ContentTrainingOptions, "batches" | "bayesian"> & {
    readonly content: ItemContent;
    /** Numbers in the network. */
    readonly numbers: number;
    /** Makes the network, with its initial values. */
    readonly model: () => ContentModel;
    /** What a saved model needs of the options. */
    readonly config: JsonObject;
    /** The options that pretraining depends on. */
    readonly pretrainedBy: readonly (keyof Options & string)[];
  },
): Promise<Recommender> {
  const [{ fit }, { minimiseBatches }, { ContentTraining }] = await Promise.all([
    import("../../training/fit.js"),
    import("../../training/minimise.js"),
    import("./training.js"),
  ]);
  const { engine } = run;
  const { content, config, pretrainedBy, batches, bayesian } = parts;
  const { latent, epochs, patience } = options;
  const files = { algorithm: algorithm.name, config, items: dataset.items, content: formOf(content) };
  const key = Object.fromEntries(pretrainedBy.map((name) => [name, options[name]]));
  requireContentMemory(algorithm.name, dataset, { network: parts.numbers, latent, bayesian }, run);
  const make = () => {
    const model = parts.model();
    return new ContentTraining(
      {
        dataset,
        content,
        model,
        options: { ...options, batches, bayesian },
        pretrainingKey: JSON.parse(JSON.stringify(key)) as JsonObject,
        minimise: minimiseBatches,
        recommender: (factors) =>
          savedFactorModel(engine, networkEncoder(engine, model, latent), factors, options, {
            files,
            restore: (grown) => algorithm.restore(grown, { engine }),
          }),
      },
      run,
    );
  };
  const trainable = await initialised(make, {
    signal: run.signal,
    release: (training) => training.dispose(),
  });
  return fit({ algorithm, options, dataset, trainable, epochs, patience }, run);
}

export interface ModelOrigin {
  /** Where a new item's factor may come from, best first. Default: both ways. */
  readonly itemRules?: readonly ItemRule[];
  /** Rebuilds the model, with more items. */
  readonly restore: (files: ModelFiles) => Promise<Recommender>;
}

/** A model as a recommender, whose memory it gives back when it is disposed of. */
export function savedFactorModel(
  engine: Engine,
  encoder: ContentEncoder,
  factors: SavedFactors,
  options: FactorOptions,
  {
    files,
    itemRules = ["posterior", "content"],
    restore,
  }: ModelOrigin & { readonly files: Required<Omit<ModelFiles, "tensors">> },
): ContentAware {
  const { items, itemGram, userGram, itemCovariances, scored } = factors;
  return factorRecommender(
    engine,
    {
      ...{ items, itemGram, userGram, itemCovariances, scored, options, itemRules },
      saveReader: () => saveParameters(encoder.parameters),
      releaseReader: () => {
        for (const parameter of encoder.parameters) parameter.release();
      },
      encode: (content) => encoder.encode(content),
    },
    { ...files, restore: async (grown) => (await restore(grown)) as ContentAware },
  );
}

/** Rebuilds a saved model. Throws UserError where its files do not fit together. */
export async function restoreFactorModel<Shape extends FactorOptions & { latent: number }>(
  engine: Engine,
  { algorithm, config, tensors, items, content }: ModelFiles,
  shape: z.ZodType<Shape>,
  {
    network,
    kinds = () => ({}),
    ...origin
  }: ModelOrigin & {
    /** How many numbers the encoder of a shape has, and how it is made: zeros, to be loaded. */
    readonly network: (given: Shape, form: ContentForm) => { numbers: number; make: () => ContentEncoder };
    readonly kinds?: (given: Shape) => FactorKinds;
  },
): Promise<ContentAware> {
  const unfit = (problem: string, cause?: unknown) =>
    new UserError({
      place: algorithm,
      problem: `the saved model is not sound: ${problem}`,
      remedy: "Copy or train it again",
      cause,
    });
  const parsed = shape.safeParse(config);
  if (!parsed.success) throw unfit(z.prettifyError(parsed.error), parsed.error);
  const form = contentForm.safeParse(content);
  if (!form.success) throw unfit("it does not say what content it was trained on (content.json)");
  // Before anything is allocated: a hostile configuration may ask for any size.
  const { numbers, make } = network(parsed.data, form.data);
  const shapes = factorShapes(items.size, parsed.data.latent, kinds(parsed.data));
  const needed = Object.values(shapes).reduce((sum, [rows, columns]) => sum + rows * columns, numbers);
  const given = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
  if (needed !== given) throw unfit(`its network and factors need ${needed} numbers, it has ${given}`);
  const encoder = make();
  for (const parameter of encoder.scaffolding) parameter.release();
  const made: Record<string, Tensor> = {};
  try {
    await loadParameters(encoder.parameters, tensors);
    for (const [name, [rows, columns]] of Object.entries(shapes)) {
      made[name] = engine.empty(rows, columns);
      await loadTensor(engine, made[name], name, tensors);
    }
  } catch (error) {
    for (const parameter of encoder.parameters) parameter.release();
    for (const tensor of Object.values(made)) engine.release(tensor);
    throw error instanceof UserError ? unfit(error.message, error) : error;
  }
  const { items: V, itemGram, userGram, itemCovariances, scored } = made;
  const factors = { items: V, itemGram, userGram, itemCovariances, scored };
  const files = { algorithm, config, items, content: form.data };
  return savedFactorModel(engine, encoder, factors, parsed.data, { files, ...origin });
}
