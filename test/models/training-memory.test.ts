// Estimates of what training needs: exact thresholds, and the sums that they are made of. That each model asks is the
// conformance suite's; that the estimates stay below measured peaks is shown by bench/training-memory.mjs.

import { afterEach, describe, expect, it, vi } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { MOST_NUMBERS } from "../../src/compute/shapes.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import {
  numbersOfFactors,
  numbersOfNetwork,
  requireTrainingMemory,
} from "../../src/models/training-memory.js";
import { Linear, SparseLinear } from "../../src/nn/linear.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { numbersIn } from "../../src/nn/parameters.js";
import { fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "../support/datasets.js";

const need = { algorithm: "mult-vae", items: 1000, numbers: 1000, matrices: [], smaller: "smaller layers" };

describe("the memory of training", () => {
  it.each([
    ["float32", 4],
    ["float64", 8],
  ] as const)("is required to the byte, in %s", (precision, bytes) => {
    const run = { engine: new ReferenceEngine({ precision }) };
    expect(() => requireTrainingMemory(need, run, 1000 * bytes)).not.toThrow();
    expect(() => requireTrainingMemory(need, run, 1000 * bytes - 1)).toThrow(
      /^mult-vae: training on 1,000 items needs 1 MiB of memory.*--min-item.*smaller layers/,
    );
  });

  it("rejects a matrix of more numbers than an array can hold", () => {
    const run = { engine: new ReferenceEngine() };
    const matrices = (columns: number) => ({
      ...need,
      matrices: [
        [1, 1],
        [2 ** 20, columns],
      ] as const,
    });
    expect(() => requireTrainingMemory(matrices(MOST_NUMBERS / 2 ** 20), run, 1e30)).not.toThrow();
    expect(() => requireTrainingMemory(matrices(MOST_NUMBERS / 2 ** 20 + 1), run, 1e30)).toThrow(
      /^mult-vae: a matrix of 1,048,576 x 4,097 numbers is too large/,
    );
  });

  it("counts Mult-VAE's weights on ML-20M as the paper's network has them", () => {
    // 20,108 -> 600 -> 2 x 200, 200 -> 600 -> 20,108, with biases.
    const parameters = [
      new SparseLinear({ name: "input", inputs: 20_108, outputs: 600 }),
      new Linear({ name: "encoder", inputs: 600, outputs: 400 }),
      new Linear({ name: "decoder", inputs: 200, outputs: 600 }),
      new OutputLayer({ name: "output", inputs: 600, outputs: 20_108 }),
    ].flatMap((layer) => layer.parameters);
    const weights = 20_108 * 600 + 600 + 600 * 400 + 400 + 200 * 600 + 600 + 600 * 20_108 + 20_108;
    expect(numbersIn(parameters)).toBe(weights);
    const whole = (checkpoints: boolean) =>
      numbersOfNetwork({ items: 20_108, parameters, batchSize: 500 }, checkpoints);
    // Weights, gradients, two moments, the best epoch's: five times. Then two blocks of 512 scores, more than a batch of 500.
    expect(whole(false)).toBe(5 * weights + 2 * 512 * 20_108);
    // A layer of 12 million numbers on its way into a checkpoint is less than these scores.
    expect(whole(true)).toBe(whole(false));
    const wide = (checkpoints: boolean) =>
      numbersOfNetwork(
        { items: 20_108, parameters: [{ rows: 20_108, columns: 3000 }], batchSize: 1 },
        checkpoints,
      );
    expect(wide(true) - wide(false)).toBe(20_108 * 3000 - 2 * 512 * 20_108);
  });

  it("counts the rows of an update, instead of gradients and logits of all items, if the output is sampled", () => {
    const items = 1_000_000;
    const parameters = [
      new SparseLinear({ name: "input", inputs: items, outputs: 128 }),
      new Linear({ name: "decoder", inputs: 64, outputs: 32 }),
      new OutputLayer({ name: "output", inputs: 32, outputs: items }),
    ].flatMap((layer) => layer.parameters);
    const weights = numbersIn(parameters);
    const sampled = { targets: 10_000, entries: 15_000, negatives: 4096 };
    const whole = numbersOfNetwork({ items, parameters, batchSize: 1500, sampled }, false);
    // Targets' rows of both layers; twice the drawn rows; their logits; a coefficient per entry; 160 hidden units.
    const update = 10_000 * (128 + 32) + 2 * 4096 * 32 + 1500 * 4096 + 15_000 + 1500 * 160;
    const scores = 2 * 16 * items;
    expect(update).toBeLessThan(scores);
    // Four times the weights, and the gradient of the inner layer and of the first one's bias.
    expect(whole).toBe(4 * weights + (64 * 32 + 32 + 128) + scores);
    const many = numbersOfNetwork({ items, parameters, batchSize: 15_000, sampled }, false);
    expect(many).toBe(whole - scores + update + 13_500 * (4096 + 160));
  });

  it("counts the larger of a step and of validation's scores", () => {
    const { parameters } = new SparseLinear({ name: "input", inputs: 10_000, outputs: 100 });
    const at = (batchSize: number) => numbersOfNetwork({ items: 10_000, parameters, batchSize }, false);
    // 2 x 512 rows of 10,000 scores against 10,100 numbers per user of a batch.
    expect(at(1013)).toBe(at(1));
    expect(at(1014)).toBe(at(1) - 2 * 512 * 10_000 + 1014 * 10_100);
  });

  it("counts the larger of what is needed between updates and in one", () => {
    const { parameters } = new SparseLinear({ name: "input", inputs: 10_000, outputs: 100 });
    const at = (betweenUpdates: number) =>
      numbersOfNetwork({ items: 10_000, parameters, batchSize: 1, betweenUpdates }, false);
    const scores = 2 * 512 * 10_000;
    expect(at(scores)).toBe(at(0));
    expect(at(scores + 5)).toBe(at(0) + 5);
  });

  it("counts the average of the weights, if there is one", () => {
    const { parameters } = new SparseLinear({ name: "input", inputs: 10_000, outputs: 100 });
    const at = (averageDecay?: number) =>
      numbersOfNetwork({ items: 10_000, parameters, batchSize: 1, averageDecay }, false);
    expect(at(0.8)).toBe(at() + numbersIn(parameters));
    expect(at(0)).toBe(at());
  });

  it("counts both sides' factors, and the copies of them", () => {
    expect(numbersOfFactors(100, 50, 4, true)).toBe(150 * 4 + 50 * 4 + 150 * 4 + 2 * 16);
    expect(numbersOfFactors(100, 50, 4, false)).toBe(150 * 4 + 2 * 50 * 4 + 2 * 16);
  });
});

describe("the memory of models that are not networks", () => {
  const train = fromRows(5000, [[1, 2, 3], [4]]);
  const dataset = { ...trainingOnly(train), trainTimes: async () => Float64Array.of(1, 2, 3, 4) };

  afterEach(() => vi.restoreAllMocks());

  /** Trains with so many bytes available. */
  async function training(name: string, options: Record<string, unknown>, bytes: number) {
    vi.spyOn(process, "constrainedMemory").mockImplementation(() => process.memoryUsage.rss() + bytes);
    const algorithm = await findAlgorithm(name);
    const engine = new ReferenceEngine();
    const fitted = await algorithm.fit(dataset, parseOptions(algorithm, options), { engine, seed: 1 });
    fitted.dispose();
  }

  // 5,000 counts twice, and two blocks of 512 users' scores.
  it("popularity counts its counts and the scores of validation", async () => {
    const bytes = 4 * 5000 * (2 + 2 * 512);
    await expect(training("popularity", {}, bytes / 2)).rejects.toThrow(
      /^popularity: counting 5,000 items needs 20 MiB of memory, but only \d+ MiB are available\. Leave out rare/,
    );
    await expect(training("popularity", {}, 2 * bytes)).resolves.toBeUndefined();
  });

  it("slim counts the matrix of all items, in the engine's precision", async () => {
    const bytes = 4 * 5000 ** 2;
    await expect(training("slim", {}, 0.9 * bytes)).rejects.toThrow(
      /^slim: training on 5,000 items needs 96 MiB of memory.*item-knn/,
    );
  });
});
