// Shared code for training, saving and restoring the content-based factor models.

import type { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { type Parameter, saveParameters } from "../../compute/parameter.js";
import type { Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { type ContentForm, contentForm, formOf, type ItemContent } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { initialised } from "../../nn/initialise.js";
import { allocate, checkSaved, numbersIn, release, restoreParameters } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ContentAware } from "../../recommender/content-aware.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
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

/** Kinds of content that a network of dense layers supports. */
export const networkKinds = ["words", "vectors", "images"] as const;

/** The likelihood of content: as given, or the default for its kind. Throws UserError for a Gaussian bag of words. */
export function likelihoodOf(
  kind: ContentForm["kind"],
  given: ContentLikelihood | undefined,
): ContentLikelihood {
  if (given === "gaussian" && kind === "words")
    throw new UserError({
      place: "likelihood",
      problem: '"gaussian" is not supported for bags of words',
      expected: "bernoulli",
    });
  return given ?? (kind === "vectors" ? "gaussian" : "bernoulli");
}

/** Encodes content as vectors [items, k]. */
export interface ContentEncoder {
  /** The parameters that are saved. */
  readonly parameters: readonly Parameter[];
  /** [content.items, k], zeros for an item without content; the caller releases the tensor. */
  encode(content: ItemContent): Promise<Tensor>;
}

/** A network as an encoder. */
export function networkEncoder(engine: Engine, network: ContentReading, k: number): ContentEncoder {
  return {
    parameters: network.parameters,
    async encode(content) {
      const out = engine.empty(content.items, k);
      await encodeAll(engine, network, content, contentReader(content), out);
      return out;
    },
  };
}

/** Trains a network and factors in alternation (training.ts); both are saved. */
export async function fitContentModel<
  Options extends Omit<ContentTrainingOptions, "batches" | "bayesian"> & { readonly patience?: number },
>(
  algorithm: Algorithm<Options>,
  dataset: Dataset,
  options: Options,
  run: RunContext,
  parts: Pick<ContentTrainingOptions, "batches" | "bayesian"> & {
    readonly content: ItemContent;
    /** The network, declared. */
    readonly model: ContentModel;
    /** The options that a saved model needs. */
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
  const { content, model, config, pretrainedBy, batches, bayesian } = parts;
  const { latent, epochs, patience } = options;
  const files = { algorithm: algorithm.name, config, items: dataset.items, content: formOf(content) };
  const pretrainingOptions = Object.fromEntries(pretrainedBy.map((name) => [name, options[name]]));
  const network = numbersIn(model.parameters);
  requireContentMemory(algorithm.name, dataset, { network, latent, bayesian }, run);
  const make = () => {
    allocate(engine, [...model.parameters, ...model.scaffolding], run.seed);
    return new ContentTraining(
      {
        dataset,
        content,
        model,
        options: { ...options, batches, bayesian },
        pretrainingOptions: JSON.parse(JSON.stringify(pretrainingOptions)) as JsonObject,
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
  /** The rules by which a new item's factor can be computed, best first. Default: both. */
  readonly itemRules?: readonly ItemRule[];
  /** Restores the model, with more items. */
  readonly restore: (files: ModelFiles) => Promise<Recommender>;
}

/** A model as a recommender, whose `dispose` releases the model's memory. */
export function savedFactorModel(
  engine: Engine,
  encoder: ContentEncoder,
  factors: SavedFactors,
  options: FactorOptions,
  {
    files,
    itemRules = ["posterior", "content"],
    restore,
  }: ModelOrigin & { readonly files: Required<Omit<ModelFiles, "tensors" | "precision" | "division">> },
): ContentAware {
  const { items, itemGram, userGram, itemCovariances, scored } = factors;
  return factorRecommender(
    engine,
    {
      ...{ items, itemGram, userGram, itemCovariances, scored, options, itemRules },
      saveReader: () => saveParameters(encoder.parameters),
      releaseReader: () => release(encoder.parameters),
      encode: (content) => encoder.encode(content),
    },
    { ...files, restore: async (grown) => (await restore(grown)) as ContentAware },
  );
}

/** Restores a saved model. Throws UserError if its files do not match. */
export async function restoreFactorModel<Shape extends FactorOptions & { latent: number }>(
  engine: Engine,
  given: ModelFiles,
  shape: z.ZodType<Shape>,
  {
    network,
    kinds = () => ({}),
    ...origin
  }: ModelOrigin & {
    /** The encoder of a shape, declared. */
    readonly network: (given: Shape, form: ContentForm) => ContentEncoder;
    readonly kinds?: (given: Shape) => FactorKinds;
  },
): Promise<ContentAware> {
  const { algorithm, config, items } = given;
  const saved = new SavedModel(given);
  const options = saved.config(shape);
  const form = contentForm.safeParse(given.content);
  if (!form.success) throw saved.unsound("it does not say what content it was trained on (content.json)");
  const encoder = network(options, form.data);
  const shapes = Object.entries(factorShapes(items.size, options.latent, kinds(options)));
  checkSaved(saved, encoder.parameters);
  for (const [name, size] of shapes) saved.require(name, size);
  saved.end();
  const made: Record<string, Tensor> = {};
  try {
    await restoreParameters(engine, saved, encoder.parameters);
    for (const [name, [rows, columns]] of shapes) made[name] = await saved.load(engine, name, rows, columns);
  } catch (error) {
    release(encoder.parameters);
    for (const tensor of Object.values(made)) engine.release(tensor);
    throw error;
  }
  const { items: V, itemGram, userGram, itemCovariances, scored } = made;
  const factors = { items: V, itemGram, userGram, itemCovariances, scored };
  const files = { algorithm, config, items, content: form.data };
  return savedFactorModel(engine, encoder, factors, options, { files, ...origin });
}
