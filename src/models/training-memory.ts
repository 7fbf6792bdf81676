// The memory that training needs, estimated before anything is allocated, so that a run that cannot succeed is rejected at the
// start with a number. The estimate is a lower bound, counted in numbers of the engine's precision, so that nothing is rejected
// that would have fitted; bench/training-memory.mjs compares the estimates with measured peaks.

import type { Division } from "../compute/division.js";
import { outputColumns } from "../compute/output-scratch.js";
import type { ParameterDeclaration } from "../compute/parameter.js";
import { MOST_NUMBERS } from "../compute/shapes.js";
import { UserError } from "../core/errors.js";
import { availableMemory, requireMemory } from "../core/memory.js";
import type { Dataset } from "../data/dataset.js";
import { numbersIn } from "../nn/parameters.js";
import type { RunContext } from "../recommender/run-context.js";
import { rowsPerBlock } from "../recommender/scores.js";
import { numbersOfSampledUpdate, type SampledNeed } from "./sampled-memory.js";

/** [rows, columns] of a matrix. */
type Size = readonly [rows: number, columns: number];

export interface TrainingNeed {
  readonly algorithm: string;
  readonly items: number;
  /** Peak number of array elements. */
  readonly numbers: number;
  /** The matrices that may individually be too large. */
  readonly matrices: readonly Size[];
  /** How to make the model smaller: "a smaller hidden layer (--set hidden=200)". */
  readonly smaller: string;
}

const text = (count: number) => count.toLocaleString("en");

/** Throws UserError, with the amount and a remedy, if this process cannot get the memory that training needs. */
export function requireTrainingMemory(
  { algorithm, items, numbers, matrices, smaller }: TrainingNeed,
  { engine, progress }: Pick<RunContext, "engine" | "progress">,
  available = availableMemory(),
): void {
  const bytes = engine.precision === "float32" ? 4 : 8;
  const remedy = `Leave out rare items (foldin prepare --min-item), or use ${smaller}, ${forManyItems(algorithm)}`;
  const largest = matrices.reduce(
    (most, size) => (size[0] * size[1] > most[0] * most[1] ? size : most),
    [0, 0],
  );
  if (largest[0] * largest[1] > MOST_NUMBERS)
    throw new UserError({
      place: algorithm,
      problem: `a matrix of ${text(largest[0])} x ${text(largest[1])} numbers is too large`,
      expected: `at most ${text(MOST_NUMBERS)} numbers`,
      remedy,
    });
  requireMemory({
    place: algorithm,
    bytes: bytes * numbers,
    what: `training on ${text(items)} items`,
    alternatives: `${remedy}, or a machine with more memory`,
    available,
    progress,
  });
}

/** Models whose memory grows with items x factors or with the interactions, smallest first. */
const manyItems = ["item-knn", "sansa", "elsa", "wmf"];
/** Models with the option `negatives`. */
const sampled: ReadonlySet<string> = new Set(["mult-vae", "mult-dae", "rec-vae", "vamp"]);

/** Alternatives to a model for many items, for messages. */
export function forManyItems(algorithm: string): string {
  const others = manyItems.filter((name) => name !== algorithm).join(", ");
  const sample = sampled.has(algorithm) ? "a sampled softmax (--set negatives=4096), " : "";
  return `${sample}a model for large catalogues (${others})`;
}

export interface NetworkNeed {
  readonly items: number;
  /** The declarations of all trained parameters; every unit of a layer has a bias. */
  readonly parameters: readonly Pick<ParameterDeclaration, "rows" | "columns" | "itemAxis">[];
  readonly batchSize: number;
  /** Elements that are neither trained nor part of the model: RecVAE's former encoder. */
  readonly fixed?: number;
  /** The decay of the average of the weights, if there is one. */
  readonly averageDecay?: number;
  /** The sizes of an update if the output is sampled. */
  readonly sampled?: SampledNeed;
  /** Elements per step in addition to the batch's activations and logits: copies of pseudo-inputs. */
  readonly perStep?: number;
  /** Elements that are needed between two updates: embeddings on their way to a closed form. */
  readonly betweenUpdates?: number;
}

/**
 * The peak of training a network with Adam: weights, gradients and two moments; a copy of the best epoch's weights, and their average if there is one; and the largest of a
 * batch's logits and hidden activations, the scores of two blocks of users in validation, and a tensor on its way into a checkpoint.
 * When the finished model is read and restored, weights twice, everything else is released. With a sampled output, gradients of item
 * layers have the rows of an update only.
 */
export function numbersOfNetwork(
  {
    items,
    parameters,
    batchSize,
    fixed = 0,
    averageDecay = 0,
    sampled,
    perStep = 0,
    betweenUpdates = 0,
  }: NetworkNeed,
  checkpoints: boolean,
): number {
  const weights = numbersIn(parameters);
  const hidden = numbersIn(parameters.filter(({ rows, itemAxis }) => rows === 1 && itemAxis === undefined));
  const ofItems = parameters.filter(({ itemAxis }) => itemAxis !== undefined);
  const widths = ofItems.filter(({ itemAxis }) => itemAxis === "rows").map(({ columns }) => columns);
  const output = sampled
    ? numbersOfSampledUpdate(sampled, items, widths, batchSize)
    : batchSize * outputColumns(batchSize, items);
  const step = output + batchSize * hidden + perStep;
  const gradients = sampled ? weights - numbersIn(ofItems) : weights;
  const scores = 2 * rowsPerBlock(items) * items;
  const read = checkpoints ? Math.max(...parameters.map(({ rows, columns }) => rows * columns)) : 0;
  const averages = averageDecay > 0 ? weights : 0;
  return 4 * weights + gradients + averages + fixed + Math.max(step, scores, read, betweenUpdates);
}

/** `requireTrainingMemory` for a network that is trained with Adam on histories. */
export function requireNetworkMemory(
  need: NetworkNeed & Pick<TrainingNeed, "algorithm" | "smaller">,
  run: Pick<RunContext, "engine" | "checkpoints" | "progress" | "division">,
): void {
  const { algorithm, smaller } = need;
  const { items, parameters } = run.division ? ownPart(need, run.division) : need;
  const numbers = numbersOfNetwork({ ...need, items, parameters }, run.checkpoints !== undefined);
  const matrices = parameters.map(({ rows, columns }): Size => [rows, columns]);
  requireTrainingMemory({ algorithm, items, numbers, matrices, smaller }, run);
}

/** The peak of alternating least squares and similar methods: factors of both sides, and copies on the host, with the best item factors, for a checkpoint. */
export function numbersOfFactors(users: number, items: number, k: number, checkpoints: boolean): number {
  const factors = (users + items) * k;
  return factors + items * k + (checkpoints ? factors : items * k) + 2 * k ** 2;
}

/** `requireTrainingMemory` for a content network with `network` parameters, and the factors coupled to its codes. */
export function requireContentMemory(
  algorithm: string,
  { train, items }: Pick<Dataset, "train" | "items">,
  { network, latent: k, bayesian = false }: { network: number; latent: number; bayesian?: boolean },
  run: Pick<RunContext, "engine" | "checkpoints" | "progress">,
): void {
  // A factor and, with Bayesian inference, its packed covariance.
  const each = k + (bayesian ? (k * (k + 1)) / 2 : 0);
  const [users, columns] = [train.rows, items.size];
  const factors = (users + columns) * each;
  const model = network + columns * each;
  requireTrainingMemory(
    {
      ...{
        algorithm,
        items: columns,
        smaller: `fewer factors or smaller layers (foldin models ${algorithm} lists the options)`,
      },
      // Weights, gradients, moments; factors and their prior means; those of the best epoch; the copies of a checkpoint.
      numbers:
        4 * network + factors + columns * k + model + (run.checkpoints ? 3 * network + factors : model),
      matrices: [
        [users, each],
        [columns, each],
      ],
    },
    run,
  );
}

/** `requireTrainingMemory` for factors of users and items; `more` = additional elements. */
export function requireFactorMemory(
  algorithm: string,
  { train, items }: Pick<Dataset, "train" | "items">,
  k: number,
  run: Pick<RunContext, "engine" | "checkpoints" | "progress">,
  more = 0,
): void {
  const [rows, columns] = [train.rows, items.size];
  requireTrainingMemory(
    {
      ...{ algorithm, items: columns, smaller: "fewer factors (--set factors=50)" },
      numbers: numbersOfFactors(rows, columns, k, run.checkpoints !== undefined) + more,
      matrices: [
        [rows, k],
        [columns, k],
        [k, k],
      ],
    },
    run,
  );
}

/** What a member of a run needs that has only some of the items. */
function ownPart({ parameters }: NetworkNeed, division: Division): Pick<NetworkNeed, "items" | "parameters"> {
  const others = division.items - division.count;
  return {
    items: division.count,
    parameters: parameters.map(({ rows, columns, itemAxis }) => ({
      ...{ itemAxis, rows: itemAxis === "rows" ? rows - others : rows },
      columns: itemAxis === "columns" ? columns - others : columns,
    })),
  };
}
