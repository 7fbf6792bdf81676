// What RecoTour's and EVCF's options change in Mult-VAE and Mult-DAE, against formulas written out here and finite differences of the loss.

import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { multDae } from "../../../src/models/autoencoders/mult-dae.js";
import { multVae } from "../../../src/models/autoencoders/mult-vae.js";
import { parseOptions } from "../../../src/models/options.js";
import type { Algorithm } from "../../../src/recommender/algorithm.js";
import type { ModelFiles } from "../../../src/recommender/recommender.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { trainingOnly } from "../../support/datasets.js";
import { precisions } from "../../support/engine-names.js";

const items = 7;
const rows = [[0, 2, 5], [1, 2, 3, 6], [4]];
const dataset = trainingOnly(fromRows(items, rows));
const engines = precisions(1e-11, 2e-5);
const opened: Engine[] = [];
afterAll(() => Promise.all(opened.map((engine) => engine.close())));

type Options = Record<string, unknown>;
/** The names of a model's layers in order: of the encoder, and of the decoder with the output layer last. */
interface Layers {
  readonly encoder: readonly string[];
  readonly decoder: readonly string[];
}

const hidden = { hidden: [5, 4], latent: 3, decoderHidden: [6] };
const cases = [
  {
    algorithm: multVae as Algorithm<never>,
    options: { ...hidden, beta: 0.3, annealSteps: 0 },
    withoutKl: { beta: 0 },
    layers: {
      encoder: ["encoder.input", "encoder.0", "encoder.1"],
      decoder: ["decoder.0", "decoder.output"],
    },
  },
  {
    algorithm: multDae as Algorithm<never>,
    options: { ...hidden, l2: 0 },
    withoutKl: {},
    layers: { encoder: ["input", "inner.0", "inner.1"], decoder: ["inner.2", "output"] },
  },
];

/** One update on all users; the loss before it comes back with the weights after it. */
async function update(
  algorithm: Algorithm<never>,
  engine: Engine,
  given: Options,
  files?: ModelFiles,
): Promise<{ loss: number; files: ModelFiles }> {
  const options = parseOptions(algorithm, { batchSize: rows.length, epochs: 1, ...given });
  let loss = Number.NaN;
  const model = await algorithm.fit(dataset, options, {
    ...{ engine, seed: 11 },
    ...(files && { initial: { files, digest: "test" } }),
    onEpoch: ({ values }) => {
      loss = values.loss;
    },
  });
  const saved = await model.save();
  model.dispose();
  return { loss, files: saved };
}

/** No step to speak of. */
const STILL = { learningRate: 1e-300 };

/** Random weights of the model's own start, with biases that are not near zero, and no noise where z is sampled. */
async function start(algorithm: Algorithm<never>, engine: Engine, options: Options): Promise<ModelFiles> {
  const { files } = await update(algorithm, engine, { ...options, ...STILL });
  for (const [name, { data }] of Object.entries(files.tensors))
    if (name.endsWith(".bias")) for (let i = 0; i < data.length; i++) data[i] = Math.sin(3 * i + name.length);
  return files;
}

/** The weights as the update sees them: those of an engine in float32 are rounded. */
const tensorOf = ({ tensors }: ModelFiles, name: string) => tensors[name].data;

function linear(files: ModelFiles, name: string, x: readonly number[], isOutput: boolean): number[] {
  const [weight, bias] = [tensorOf(files, `${name}.weight`), tensorOf(files, `${name}.bias`)];
  return Array.from(bias, (b, o) =>
    x.reduce((sum, value, i) => sum + value * weight[isOutput ? o * x.length + i : i * bias.length + o], b),
  );
}

/** Logits of a history; `silent` = layers whose input dropout has set to zero. */
function logits(files: ModelFiles, layers: Layers, row: readonly number[], silent: readonly string[]) {
  let x = Array.from({ length: items }, (_, item) => (row.includes(item) ? 1 / Math.sqrt(row.length) : 0));
  const isVae = layers.encoder[0].startsWith("encoder");
  const all = [...layers.encoder, ...layers.decoder];
  for (const name of all) {
    const isOutput = name === all.at(-1);
    x = linear(files, name, silent.includes(name) ? x.map(() => 0) : x, isOutput);
    // Mult-VAE's last encoder layer holds the mean, then the log-variance, and has no activation.
    if (isVae && name === layers.encoder.at(-1)) x = x.slice(0, x.length / 2);
    else if (!isOutput) x = x.map(Math.tanh);
  }
  return x;
}

const likelihoods = {
  multinomial: (l: readonly number[], row: readonly number[]) =>
    row.length * Math.log(l.reduce((sum, value) => sum + Math.exp(value), 0)) -
    row.reduce((sum, item) => sum + l[item], 0),
  bernoulli: (l: readonly number[], row: readonly number[]) =>
    l.reduce((sum, value, item) => {
      const p = 1 / (1 + Math.exp(-value));
      return sum - Math.log(row.includes(item) ? p : 1 - p);
    }, 0),
};

/** A rate at which nothing is ever kept. */
const ALL = 1 - 2 ** -52;

describe.each(cases)("$algorithm.name", ({ algorithm, options, withoutKl, layers }) => {
  it.each(engines)(
    "has the loss of either likelihood, with every layer's dropout where it belongs, on the %s engine",
    async (_, tolerance, open) => {
      const engine = await open();
      opened.push(engine);
      const files = await start(algorithm, engine, options);
      // A log-variance of -1000 leaves z at its mean.
      const heads = files.tensors["encoder.1.bias"];
      const still = { ...options, ...withoutKl, dropout: 0, ...STILL };
      if (heads) {
        heads.data.fill(-1000, heads.data.length / 2);
        const weight = files.tensors["encoder.1.weight"].data;
        for (let i = 0; i < weight.length; i++) if (i % 6 >= 3) weight[i] = 0;
      }
      const none = [0, 0];
      const silenced: [Options, string[]][] = [
        [{}, []],
        [{ encoderDropout: none, decoderDropout: none }, []],
        ...[0, 1].map((l): [Options, string[]] => [
          { encoderDropout: none.with(l, ALL) },
          [layers.encoder[l + 1]],
        ]),
        ...[0, 1].map((l): [Options, string[]] => [
          { decoderDropout: none.with(l, ALL) },
          [layers.decoder[l]],
        ]),
      ];
      for (const [name, formula] of Object.entries(likelihoods))
        for (const [dropout, silent] of silenced) {
          const { loss } = await update(algorithm, engine, { ...still, ...dropout, likelihood: name }, files);
          const expected = rows.map((row) => formula(logits(files, layers, row, silent), row));
          const mean = expected.reduce((sum, value) => sum + value) / rows.length;
          expect(Math.abs(loss - mean) / mean, `${name} ${JSON.stringify(dropout)}`).toBeLessThan(tolerance);
        }
    },
  );

  it("moves every weight against the finite difference of its loss, with Bernoulli likelihood and dropout everywhere", async () => {
    const engine = await engines[0][2]();
    opened.push(engine);
    const given = {
      ...options,
      likelihood: "bernoulli",
      ...{ dropout: 0.3, encoderDropout: [0.3, 0.2], decoderDropout: [0.2, 0.4] },
    };
    const files = await start(algorithm, engine, options);
    const learningRate = 1e-3;
    const after = await update(algorithm, engine, { ...given, learningRate }, files);
    const lossOf = async () => (await update(algorithm, engine, { ...given, ...STILL }, files)).loss;
    const h = 1e-6;
    let moved = 0;
    for (const [name, { data }] of Object.entries(files.tensors))
      for (let i = 0; i < data.length; i += 5) {
        const before = data[i];
        data[i] = before + h;
        const above = await lossOf();
        data[i] = before - h;
        const slope = (above - (await lossOf())) / (2 * h);
        data[i] = before;
        const step = after.files.tensors[name].data[i] - before;
        // Adam's first step is the learning rate against the gradient's sign; without a gradient there is none.
        const expected = Math.abs(slope) > 1e-5 ? -Math.sign(slope) * learningRate : 0;
        if (expected !== 0) moved++;
        expect(step, `${name}[${i}], slope ${slope}`).toBeCloseTo(expected, 5);
      }
    expect(moved).toBeGreaterThan(20);
  });

  it("refuses dropout rates that are not one per layer", () => {
    const parse = (given: Options) => () => parseOptions(algorithm, { ...options, ...given });
    expect(parse({ encoderDropout: [0.1] })).toThrow(/encoderDropout.*1 rates for 2 layers/);
    expect(parse({ decoderDropout: [0.1, 0, 0] })).toThrow(/decoderDropout.*3 rates for 2 layers/);
    expect(parse({ decoderDropout: [0.1, 1] })).toThrow(/decoderDropout/);
  });

  it("with a decoder of its own sizes loads again with the same scores", async () => {
    const engine = await engines[0][2]();
    opened.push(engine);
    const { files } = await update(algorithm, engine, options);
    const output = files.tensors[`${layers.decoder[1]}.weight`];
    expect(output.shape).toEqual([items, 6]);
    const loaded = await algorithm.restore(files, { engine });
    const scores = await loaded.score(fromRows(items, rows)).read();
    const expected = rows.flatMap((row) => logits(files, layers, row, []));
    for (const [i, value] of expected.entries()) expect(scores[i]).toBeCloseTo(value, 5);
  });
});
