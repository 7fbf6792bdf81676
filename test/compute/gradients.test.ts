import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { mean, sum, sumOfSquares } from "../../src/compute/objective.js";
import { add, addScaled, product, scale } from "../../src/compute/ops/arithmetic.js";
import { columns } from "../../src/compute/ops/columns.js";
import { compositeKl } from "../../src/compute/ops/composite-kl.js";
import { concatenate } from "../../src/compute/ops/concatenate.js";
import {
  denseBernoulliLoss,
  halfQuadraticForm,
  halfSquaredDistance,
} from "../../src/compute/ops/dense-likelihood.js";
import { gaussianLogDensity, mixtureLogDensity } from "../../src/compute/ops/density.js";
import { dropClamped } from "../../src/compute/ops/drop-clamped.js";
import { dropout } from "../../src/compute/ops/dropout.js";
import { focalLoss } from "../../src/compute/ops/focal-loss.js";
import { clamp, gate } from "../../src/compute/ops/gate.js";
import { gaussianKl, gaussianSample } from "../../src/compute/ops/gaussian.js";
import { layerNorm } from "../../src/compute/ops/layer-norm.js";
import { linear } from "../../src/compute/ops/linear.js";
import { outputLoss } from "../../src/compute/ops/output-loss.js";
import { relu } from "../../src/compute/ops/relu.js";
import { sigmoid } from "../../src/compute/ops/sigmoid.js";
import { sparseDenseLinear } from "../../src/compute/ops/sparse-dense-linear.js";
import { sparseLinear } from "../../src/compute/ops/sparse-linear.js";
import { swish } from "../../src/compute/ops/swish.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { transposedLinear } from "../../src/compute/ops/transposed-linear.js";
import { unitRows } from "../../src/compute/ops/unit-rows.js";
import type { Tape, Variable } from "../../src/compute/tape.js";
import type { CsrMatrix } from "../../src/sparse/csr.js";
import { type HostMatrix, Workbench } from "../support/engines.js";
import { type Build, gradientError } from "../support/gradients.js";

// Central differences with step 1e-5 in float64 are good to about 1e-9 here; a wrong gradient is off by far more.
const TOLERANCE = 1e-7;

interface Draw {
  bench: Workbench;
  rows: number;
  wide: number;
  narrow: number;
}

/** Shapes and numbers from a seed that fast-check draws. */
const draws = fc
  .record({
    seed: fc.nat(2 ** 31),
    rows: fc.integer({ min: 1, max: 9 }),
    wide: fc.integer({ min: 1, max: 23 }),
    narrow: fc.integer({ min: 1, max: 11 }),
  })
  .map(({ seed, ...sizes }): Draw => ({ bench: new Workbench(new ReferenceEngine(), seed), ...sizes }));

/** Makes every element of the result count differently: sum over r of tanh(x[r] . w). */
function weigh(tape: Tape, x: Variable, weights: Variable) {
  return sum(tanh(tape, linear(tape, x, weights)));
}

interface Case {
  inputs?: HostMatrix[];
  parameters?: HostMatrix[];
  build: Build;
}

const cases: Record<string, (draw: Draw) => Case> = {
  "linear with bias": ({ bench, rows, wide, narrow }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(narrow, 1)],
    parameters: [bench.matrix(wide, narrow), bench.matrix(1, narrow)],
    build: (tape, [x, w], [weight, bias]) => weigh(tape, linear(tape, x, weight, bias), w),
  }),
  "linear with a weight used twice": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    parameters: [bench.matrix(wide, wide, 0.3)],
    build: (tape, [x, w], [weight]) =>
      weigh(tape, linear(tape, tanh(tape, linear(tape, x, weight)), weight), w),
  }),
  "sparse linear, scaled, with dropout held by its key": ({ bench, rows, wide, narrow }) => {
    const batch = bench.sparseMatrix(rows, wide);
    const options = { rowScale: "l2", dropout: { rate: 0.5, key: bench.key() } } as const;
    return {
      inputs: [bench.matrix(narrow, 1)],
      parameters: [bench.matrix(wide, narrow), bench.matrix(1, narrow)],
      build: (tape, [w], [weight, bias]) =>
        weigh(tape, sparseLinear(tape, tape.sparse(batch), weight, bias, options), w),
    };
  },
  "a first layer over histories and a dense input, in either order, and over other histories": ({
    bench,
    rows,
    wide,
    narrow,
  }) => {
    const batches = [bench.sparseMatrix(rows, wide), bench.sparseMatrix(rows, wide)];
    const denseFirst = bench.random.below(2) === 0;
    return {
      inputs: [bench.matrix(rows, wide), bench.matrix(narrow, 1)],
      parameters: [bench.matrix(wide, narrow)],
      build: (tape, [x, w], [weight]) => {
        const layers = [
          () => linear(tape, x, weight),
          ...batches.map((batch) => () => sparseLinear(tape, tape.sparse(batch), weight, undefined)),
        ];
        if (!denseFirst) layers.reverse();
        return weigh(
          tape,
          layers.map((layer) => layer()).reduce((a, b) => add(tape, a, b)),
          w,
        );
      },
    };
  },
  "a first layer over histories beside a dense input": ({ bench, rows, wide, narrow }) => {
    const batch = bench.sparseMatrix(rows, wide);
    const options = { rowScale: "l2", dropout: { rate: 0.5, key: bench.key() } } as const;
    return {
      inputs: [bench.matrix(rows, 3), bench.matrix(narrow, 1)],
      parameters: [bench.matrix(wide + 3, narrow), bench.matrix(1, narrow)],
      build: (tape, [z, w], [weight, bias]) =>
        weigh(tape, sparseDenseLinear(tape, tape.sparse(batch), z, weight, bias, options), w),
    };
  },
  "gate, also of a value by itself": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [a, b, w]) => {
      const gated = gate(tape, a, b);
      return weigh(tape, add(tape, gated, gate(tape, gated, gated)), w);
    },
  }),
  "clamp, inside and outside": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [x, w]) => weigh(tape, clamp(tape, x, -0.7, 0.6), w),
  }),
  "dropout of what is clamped to [0, 1], also accumulated": ({ bench, rows, wide }) => {
    const [options, other] = [0.4, 0.1].map((rate) => ({ rate, key: bench.key() }));
    return {
      inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
      build: (tape, [x, w]) =>
        weigh(tape, addScaled(tape, dropClamped(tape, x, options), dropClamped(tape, x, other), -2), w),
    };
  },
  "rows of length 1": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [x, w]) => weigh(tape, unitRows(tape, x), w),
  }),
  "concatenation, of one part twice": ({ bench, rows, wide, narrow }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(rows, narrow), bench.matrix(2 * wide + narrow, 1)],
    build: (tape, [a, b, w]) => weigh(tape, concatenate(tape, [a, b, a]), w),
  }),
  "Gaussian log density": ({ bench, rows, wide }) => ({
    inputs: [
      bench.matrix(rows, wide),
      bench.matrix(rows, wide),
      bench.matrix(rows, wide),
      bench.matrix(1, 1),
    ],
    build: (tape, [x, m, logVariance, w]) =>
      weigh(tape, scale(tape, gaussianLogDensity(tape, x, m, logVariance), 0.02), w),
  }),
  "log density of a mixture": ({ bench, rows, wide, narrow }) => ({
    inputs: [
      bench.matrix(rows, wide),
      bench.matrix(narrow, wide),
      bench.matrix(narrow, wide),
      bench.matrix(1, 1),
    ],
    build: (tape, [x, m, logVariance, w]) =>
      weigh(tape, scale(tape, mixtureLogDensity(tape, x, m, logVariance), 0.02), w),
  }),
  "tanh used twice": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [x, w]) => weigh(tape, add(tape, tanh(tape, x), tanh(tape, tanh(tape, x))), w),
  }),
  "dropout, also accumulated": ({ bench, rows, wide }) => {
    const options = { rate: 0.4, key: bench.key() };
    const other = { rate: 0.2, key: bench.key() };
    return {
      inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
      build: (tape, [x, w]) =>
        weigh(tape, addScaled(tape, dropout(tape, x, options), dropout(tape, x, other), -2), w),
    };
  },
  "scale and overlapping column views": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide + 1), bench.matrix(wide, 1)],
    build: (tape, [x, w]) =>
      weigh(
        tape,
        addScaled(tape, columns(tape, x, 0, wide), scale(tape, columns(tape, x, 1, wide + 1), 3), 0.5),
        w,
      ),
  }),
  "Gaussian sample and KL of the halves of one tensor, noise held by its key": ({ bench, rows, narrow }) => {
    const key = bench.key();
    return {
      inputs: [bench.matrix(rows, 2 * narrow), bench.matrix(narrow, 1)],
      build: (tape, [posterior, w]) => {
        const mu = columns(tape, posterior, 0, narrow);
        const logVariance = columns(tape, posterior, narrow, 2 * narrow);
        const kl = gaussianKl(tape, mu, logVariance);
        return weigh(tape, gaussianSample(tape, mu, logVariance, key), w).plus(mean(kl).times(0.2));
      },
    };
  },
  "relu, of numbers away from its corner": ({ bench, rows, wide }) => {
    const x = bench.matrix(rows, wide);
    x.data.forEach((value, i) => {
      if (Math.abs(value) < 1e-3) x.data[i] = 1;
    });
    return {
      inputs: [x, bench.matrix(wide, 1)],
      build: (tape, [x, w]) => weigh(tape, add(tape, relu(tape, x), tanh(tape, relu(tape, x))), w),
    };
  },
  "bernoulli output": ({ bench, rows, wide, narrow }) => {
    const target = bench.sparseMatrix(rows, wide);
    return {
      inputs: [bench.matrix(rows, narrow)],
      parameters: [bench.matrix(wide, narrow), bench.matrix(1, wide)],
      build: (tape, [hidden], [weight, bias]) =>
        sum(
          tanh(
            tape,
            scale(
              tape,
              outputLoss(tape, hidden, weight, bias, tape.sparse(target), { likelihood: "bernoulli" }),
              0.02,
            ),
          ),
        ),
    };
  },
  "multinomial output": ({ bench, rows, wide, narrow }) => {
    const target = bench.sparseMatrix(rows, wide);
    return {
      inputs: [bench.matrix(rows, narrow), bench.matrix(1, 1)],
      parameters: [bench.matrix(wide, narrow), bench.matrix(1, wide)],
      // tanh of the loss: every row gets another upstream gradient.
      build: (tape, [hidden, w], [weight, bias]) =>
        weigh(tape, scale(tape, outputLoss(tape, hidden, weight, bias, tape.sparse(target)), 0.02), w),
    };
  },
  "sigmoid used twice": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [x, w]) => weigh(tape, add(tape, sigmoid(tape, sigmoid(tape, x)), sigmoid(tape, x)), w),
  }),
  "a layer and its transpose, tied": ({ bench, rows, wide, narrow }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(wide, 1)],
    parameters: [bench.matrix(wide, narrow), bench.matrix(1, narrow), bench.matrix(1, wide)],
    build: (tape, [x, w], [weight, there, back]) => {
      const h = sigmoid(tape, linear(tape, x, weight, there));
      return weigh(tape, transposedLinear(tape, h, weight, back), w);
    },
  }),
  "Bernoulli loss of a dense target": ({ bench, rows, wide }) => {
    const target = bench.matrix(rows, wide);
    const probabilities = { ...target, data: target.data.map((x) => 1 / (1 + Math.exp(-x))) };
    return {
      inputs: [bench.matrix(rows, wide), bench.matrix(1, 1)],
      build: (tape, [logits, w]) =>
        weigh(
          tape,
          scale(
            tape,
            denseBernoulliLoss(tape, logits, tape.engine.tensor(rows, wide, probabilities.data)),
            0.1,
          ),
          w,
        ),
    };
  },
  "focal loss of a product of sigmoids": ({ bench, rows, wide }) => {
    const target = bench.sparseMatrix(rows, wide);
    const gamma = [0, 1.5, 2][bench.random.below(3)];
    return {
      inputs: [...Array.from({ length: 3 }, () => bench.matrix(rows, wide, 2)), bench.matrix(1, 1)],
      build: (tape, [a, b, c, w]) =>
        weigh(
          tape,
          scale(tape, focalLoss(tape, [a, b, c], tape.sparse(target), { alpha: 0.3, gamma }), 0.1),
          w,
        ),
    };
  },
  "half the squared distance": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(rows, wide), bench.matrix(1, 1)],
    build: (tape, [a, b, w]) => weigh(tape, scale(tape, halfSquaredDistance(tape, a, b), 0.1), w),
  }),
  "half a quadratic form": ({ bench, rows, wide }) => {
    const given = bench.matrix(rows, wide * wide).data;
    // Symmetric, and of any sign.
    const forms = given.map((x, at) => {
      const [r, i, j] = [Math.floor(at / wide ** 2), Math.floor(at / wide) % wide, at % wide];
      return x + given[r * wide ** 2 + j * wide + i];
    });
    const b = bench.matrix(rows, wide).data;
    return {
      inputs: [bench.matrix(rows, wide), bench.matrix(1, 1)],
      build: (tape, [a, w]) => {
        const { engine } = tape;
        const [point, matrices] = [engine.tensor(rows, wide, b), engine.tensor(rows, wide * wide, forms)];
        return weigh(tape, scale(tape, halfQuadraticForm(tape, a, point, matrices), 0.1), w);
      },
    };
  },
  "swish used twice, and a product": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide), bench.matrix(rows, wide), bench.matrix(wide, 1)],
    build: (tape, [x, y, w]) =>
      weigh(tape, add(tape, swish(tape, swish(tape, x)), product(tape, x, product(tape, x, y))), w),
  }),
  "layer normalisation, used twice": ({ bench, rows, wide }) => ({
    inputs: [bench.matrix(rows, wide + 1), bench.matrix(wide + 1, 1)],
    parameters: [bench.matrix(1, wide + 1), bench.matrix(1, wide + 1)],
    build: (tape, [x, w], [weight, bias]) => {
      const once = layerNorm(tape, x, weight, bias, 0.1);
      return weigh(tape, add(tape, once, layerNorm(tape, once, weight, bias, 0.01)), w);
    },
  }),
  "one sample's KL to the composite prior, weighted by row": ({ bench, rows, narrow }) => {
    const [formerMean, formerSpread] = [bench.matrix(rows, narrow), bench.matrix(rows, narrow)];
    const key = bench.key();
    const mixture = { standard: 0.15, former: 0.75, broad: 0.1, broadLogVariance: 3 };
    return {
      inputs: [bench.matrix(rows, 2 * narrow), bench.matrix(rows, narrow), bench.matrix(rows, 1)],
      build: (tape, [posterior, moved, perRow]) => {
        const former = {
          mean: tape.engine.tensor(rows, narrow, formerMean.data),
          logVariance: tape.engine.tensor(rows, narrow, formerSpread.data),
        };
        const mu = columns(tape, posterior, 0, narrow);
        const logVar = columns(tape, posterior, narrow, 2 * narrow);
        // Beside the sample itself, any z: the two ways into the gradient must not only cancel each other.
        const z = add(tape, gaussianSample(tape, mu, logVar, key), moved);
        const kl = compositeKl(tape, z, { mean: mu, logVariance: logVar }, former, mixture);
        return mean(product(tape, kl, perRow));
      },
    };
  },
  "an objective with an L2 term and one variable in two terms": ({ bench, rows, wide, narrow }) => ({
    inputs: [bench.matrix(rows, wide)],
    parameters: [bench.matrix(wide, narrow), bench.matrix(narrow, wide)],
    build: (tape, [x], [weight, unused]) => {
      const y = tanh(tape, linear(tape, x, weight));
      return sum(y)
        .plus(mean(y).times(3))
        .plus(sumOfSquares([weight, unused]).times(0.3));
    },
  }),
};

describe("gradients equal central finite differences in float64", () => {
  it.each(Object.entries(cases))("%s", async (_, make) => {
    await fc.assert(
      fc.asyncProperty(draws, async (draw) => {
        const { inputs = [], parameters = [], build } = make(draw);
        expect(await gradientError(inputs, parameters, build)).toBeLessThan(TOLERANCE);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("Mult-VAE's whole graph", async () => {
    const bench = new Workbench(new ReferenceEngine(), 5);
    const [users, items, hidden, latent] = [7, 31, 6, 3];
    const histories: CsrMatrix = bench.sparseMatrix(users, items, false);
    const dropped = { rate: 0.5, key: bench.key() };
    const noise = bench.key();
    const sizes = [
      [items, hidden],
      [1, hidden],
      [hidden, 2 * latent],
      [1, 2 * latent],
      [latent, hidden],
      [1, hidden],
      [items, hidden],
      [1, items],
    ];
    const error = await gradientError(
      [],
      sizes.map(([rows, width]) => bench.matrix(rows, width, 0.5)),
      (tape, _, [w1, b1, w2, b2, w3, b3, w4, b4]) => {
        const x = tape.sparse(histories);
        const h = tanh(tape, sparseLinear(tape, x, w1, b1, { rowScale: "l2", dropout: dropped }));
        const posterior = linear(tape, h, w2, b2);
        const mu = columns(tape, posterior, 0, latent);
        const logVariance = columns(tape, posterior, latent, 2 * latent);
        const z = gaussianSample(tape, mu, logVariance, noise);
        const decoded = tanh(tape, linear(tape, z, w3, b3));
        const nll = mean(outputLoss(tape, decoded, w4, b4, x));
        return nll
          .plus(mean(gaussianKl(tape, mu, logVariance)).times(0.2))
          .plus(sumOfSquares([w1, w4]).times(1e-2));
      },
    );
    expect(error).toBeLessThan(TOLERANCE);
  });
});
