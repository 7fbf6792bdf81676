import ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { onnxOf } from "../../../src/serving/onnx/export.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { smallCatalogue } from "../../support/content-models.js";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const brief = { latent: 3, batchSize: 4, epochs: 2 };
/** Models whose Gram matrix is not that of all of their items; deep-music's scores are products with other vectors, too. */
const options: Record<string, Record<string, unknown>> = {
  ctr: { topics: 3, topicEpochs: 3, epochs: 3 },
  cdl: { ...brief, hidden: [4], layerEpochs: 2 },
  cvae: { ...brief, hidden: [4, 3], layerEpochs: 2, latentEpochs: 1, wholeEpochs: 1 },
  "deep-music": { ...brief, hidden: [4], factorSweeps: 2 },
};

async function trained(name: string, given: Record<string, unknown>) {
  const algorithm = await findAlgorithm(name);
  const run = { engine: new ReferenceEngine({ precision: "float64" }), seed: 1 };
  return algorithm.fit(smallCatalogue, parseOptions(algorithm, given), run);
}

describe("the fold-in of a model that solves for users", () => {
  it.each(Object.keys(options))("has the scores of foldin in the graph of %s", async (name) => {
    const model = await trained(name, options[name]);
    const session = await ort.InferenceSession.create(await onnxOf(await model.save()));
    for (const history of [[0, 5, 7], [10], [0, 1, 2, 3, 4, 5, 6, 7]]) {
      const { scores } = await session.run({
        history: new ort.Tensor("int32", Int32Array.from(history), [1, history.length]),
        k: new ort.Tensor("int32", Int32Array.of(3), [1]),
      });
      const row = fromRows(smallCatalogue.items.size, [history]);
      const ours = await model.score(row).topK(3, row);
      const theirs = scores.data as Float32Array;
      for (const [rank, score] of ours.scores.entries()) expect(theirs[rank]).toBeCloseTo(score, 4);
    }
    await session.release();
  });

  it("is refused if it needs covariances", async () => {
    const model = await trained("cvae", { ...options.cvae, inference: "bayes" });
    await expect(onnxOf(await model.save())).rejects.toThrow(
      /^cvae: the model cannot be exported: not supported in an ONNX graph: a fold-in with covariances/,
    );
  });
});
