// The rows of docs/performance.md: what each measures, on which input, and against which baselines.

import { join } from "node:path";
import { type Contestant, ours, type Summary } from "./contest.js";
import { catalogueInput, citeulikeT, ml1m, ml20m, ratingsFile, readMatrix, shapeInput } from "./input.js";
import { fitScaling } from "./scaling.js";

type Precision = "float32" | "bf16";
type Baseline = (name: string, script: string, ...args: string[]) => Contestant;

export interface Row {
  name: string;
  what: string;
  /** Whether it can be measured with `--precision bf16`. */
  bf16?: boolean;
  /** What the ratio compares. */
  measures: "median" | "peak";
  /** Repetitions of every contestant, run alternately. */
  rounds: number;
  /** Under `--precision bf16`, ours in float32 is one of the baselines. Rows that do not take it are float32 alone. */
  prepare(
    baseline: Baseline,
    precision: Precision,
  ): Promise<{
    ours: Contestant;
    baselines: Contestant[];
    /** Seconds that the machine needs at its measured rates. */
    limit?: number;
    report?: (ours: Summary) => Record<string, unknown>;
  }>;
}

/** Rates of these 2-core machines: dense float32 products and memory streaming (see docs/performance.md). */
const FLOPS = 270e9;
const BYTES = 33e9;

/** Ours in the precision of the run; in bf16, ours in float32 comes before the baselines. */
function inPrecision(
  precision: Precision,
  mine: (...args: string[]) => Contestant,
  baselines: Contestant[],
): { ours: Contestant; baselines: Contestant[] } {
  if (precision === "float32") return { ours: mine(), baselines };
  const float32 = { ...mine(), name: "foldin-float32", isOurs: true };
  return { ours: mine("--precision", precision), baselines: [float32, ...baselines] };
}

function steps(
  model: "mult-vae" | "mult-dae",
  hidden: number,
  parameters: number,
  innerFlops: number,
): Row["prepare"] {
  return async (baseline, precision) => {
    const input = await shapeInput("ml-20m-shape", ml20m);
    const kind = model === "mult-vae" ? "vae" : "dae";
    const torch = (variant: string, ...args: string[]) =>
      baseline(
        [variant, ...args.slice(1)].join("-"),
        "mult_vae",
        ...["--input", input, "--model", kind, "--variant", variant, ...args],
      );
    return {
      ...inPrecision(
        precision,
        (...args) => ours("train-steps", "--input", input, "--model", model, ...args),
        [
          torch("pytorch"),
          torch("pytorch-best", ...(precision === "bf16" ? ["--precision", precision] : [])),
        ],
      ),
      // Three products of the output layer and of the inner layers; Adam reads and writes value and moments, reads the gradient.
      limit: (3 * 2 * 500 * hidden * ml20m.items + innerFlops) / FLOPS + (parameters * 4 * 7) / BYTES,
    };
  };
}

/** An epoch of 40 updates of Mult-VAE with a sampled softmax, compared with the same histories in a catalogue of 100,000 items. */
function sampledSteps(input: () => Promise<string>): Row["prepare"] {
  return async (baseline) => {
    const sizes = { hidden: 128, latent: 64, negatives: 4096 };
    const options = JSON.stringify({ ...sizes, hidden: [sizes.hidden] });
    const mine = (folder: string) =>
      ours("train-steps", "--input", folder, "--options", options, "--steps", "40");
    const folder = await input();
    const smaller = { ...mine(await catalogueInput(100_000)), name: "foldin-100k", isOurs: true };
    const args = Object.entries(sizes).flatMap(([name, size]) => [`--${name}`, String(size)]);
    return {
      ours: mine(folder),
      baselines: [smaller, baseline("pytorch", "sampled_vae", "--input", folder, ...args)],
    };
  };
}

/** A closed form, compared with the published NumPy form and with the best LAPACK routines. */
function solved(
  input: () => Promise<string>,
  model: "ease" | "infinite-ae",
  lambda: number,
  operations: number,
  users?: number,
): Row["prepare"] {
  return async (baseline) => {
    const folder = await input();
    const some = users === undefined ? [] : ["--users", String(users)];
    const python = (variant: string) =>
      baseline(
        variant,
        "closed_forms",
        ...["--input", folder, "--model", model, "--variant", variant, "--lambda", String(lambda), ...some],
      );
    return {
      ours: ours(
        "solve",
        ...["--input", folder, "--model", model, "--options", JSON.stringify({ lambda }), ...some],
      ),
      baselines: [python("numpy"), python("lapack")],
      limit: operations / FLOPS,
    };
  };
}

function slim(baseline: Baseline, input: string, ...options: string[]) {
  return {
    ours: ours("slim", "--input", input, ...options),
    baselines: [baseline("scikit-learn", "slim", "--input", input, ...options)],
  };
}

/** A sweep over all users and all items, compared with implicit by the same method. */
function als(data: "1m" | "20m", factors: number, exact: boolean): Row {
  const shape = data === "1m" ? "ML-1M" : "the ML-20M shape";
  return {
    name: `als-${data}-${factors}${exact ? "" : "-cg"}`,
    what: `one sweep of WMF, ${factors} factors, ${exact ? "exact" : "3 steps of conjugate gradients"}, ${shape}, float32`,
    measures: "median",
    rounds: data === "1m" ? 3 : 1,
    prepare: async (baseline) => {
      const input = data === "1m" ? await ml1m() : await shapeInput("ml-20m-shape", ml20m);
      const iterations = data === "1m" ? "4" : "1";
      const options = { factors, weighting: "two-level", a: 5, b: 1 };
      const solver = exact ? "cholesky" : "conjugate-gradient";
      const { rows: users, columns: items, indices } = readMatrix(input, "train");
      // Per entry and half-sweep an update of a symmetric matrix, per row the factorisation; or four products each.
      const flops = exact
        ? 2 * indices.length * factors ** 2 + ((users + items) * factors ** 3) / 3
        : 4 * (2 * indices.length * 4 * factors + (users + items) * 2 * factors ** 2);
      return {
        ours: ours(
          "iterations",
          ...["--input", input, "--iterations", iterations],
          ...["--options", JSON.stringify({ ...options, solver })],
        ),
        baselines: [
          baseline(
            exact ? "implicit-exact" : "implicit",
            "als",
            ...["--input", input, "--factors", `${factors}`, "--iterations", iterations],
            ...(exact ? ["--exact"] : []),
          ),
        ],
        limit: flops / FLOPS,
      };
    },
  };
}

/** A pass over all users and all items, compared with scikit-learn. */
function nmf(data: "1m" | "20m", factors: number): Row {
  return {
    name: `nmf-${data}-${factors}`,
    what: `one iteration of NMF, ${factors} factors, ${data === "1m" ? "ML-1M" : "the ML-20M shape"}, float32`,
    measures: "median",
    rounds: data === "1m" ? 3 : 1,
    prepare: async (baseline) => {
      const input = data === "1m" ? await ml1m() : await shapeInput("ml-20m-shape", ml20m);
      const iterations = data === "1m" ? "10" : "2";
      const { rows: users, columns: items, indices } = readMatrix(input, "train");
      return {
        ours: ours(
          "iterations",
          ...["--input", input, "--model", "nmf", "--iterations", iterations],
          ...["--options", JSON.stringify({ factors, tolerance: 0 })],
        ),
        baselines: [
          baseline(
            "scikit-learn",
            "nmf",
            ...["--input", input, "--factors", `${factors}`, "--iterations", iterations],
          ),
        ],
        limit: (2 * 2 * indices.length * factors + 4 * (users + items) * factors ** 2) / FLOPS,
      };
    },
  };
}

export const rows: Row[] = [
  ...(["1m", "20m"] as const).flatMap((data) =>
    [64, 256].flatMap((factors) => [als(data, factors, true), als(data, factors, false)]),
  ),
  ...(["1m", "20m"] as const).map((data) => nmf(data, 100)),
  {
    name: "mult-vae-step",
    what: "one training step of Mult-VAE, ML-20M shape, batch 500, float32",
    bf16: true,
    measures: "median",
    rounds: 5,
    prepare: steps("mult-vae", 600, 24_511_308, 3 * 2 * 500 * (600 * 400 + 200 * 600)),
  },
  {
    name: "mult-dae-step",
    what: "one training step of Mult-DAE, ML-20M shape, batch 500, float32",
    bf16: true,
    measures: "median",
    rounds: 5,
    prepare: steps("mult-dae", 200, 8_063_508, 0),
  },
  {
    name: "sampled-vae-1m",
    what: "one training step of Mult-VAE with 4,096 negatives, 1,000,000 items, batch 500, float32; foldin-100k: the same histories, 100,000 items",
    measures: "median",
    rounds: 3,
    prepare: sampledSteps(() => catalogueInput(1_000_000, 10)),
  },
  {
    name: "sampled-vae-1m-wide",
    what: "the same, with histories that are spread over all of the 1,000,000 items",
    measures: "median",
    rounds: 3,
    prepare: sampledSteps(() => catalogueInput(1_000_000)),
  },
  {
    name: "h-vamp-step",
    what: "one training step of H+Vamp (gated, 2 layers, K 1000), ML-20M shape, batch 200, float32, 86.5 M parameters",
    bf16: true,
    measures: "median",
    rounds: 3,
    prepare: async (baseline, precision) => {
      const input = await shapeInput("ml-20m-shape", ml20m);
      const options = { gated: true, layers: 2, warmup: 0, beta: 0.1 };
      // Three products each of the pseudo-inputs with two first layers, and of the output layer; the inner layers are small.
      const flops = 3 * 2 * 600 * ml20m.items * (1000 * 2 + 200);
      const mine = (...args: string[]) =>
        ours(
          "train-steps",
          ...["--input", input, "--model", "h-vamp", "--batch", "200", "--steps", "4"],
          ...["--options", JSON.stringify(options), ...args],
        );
      const others = [baseline("pytorch", "h_vamp", "--input", input)];
      if (precision === "bf16")
        others.push(baseline("pytorch-bf16", "h_vamp", "--input", input, "--precision", "bf16"));
      return {
        ...inPrecision(precision, mine, others),
        limit: flops / FLOPS + (86_500_000 * 4 * 8) / BYTES,
      };
    },
  },
  {
    name: "ml-1m-epoch",
    what: "one epoch of Mult-VAE on ML-1M with its validation (real data: ../shared/data or $FOLDIN_DATA)",
    bf16: true,
    measures: "median",
    rounds: 4,
    prepare: async (baseline, precision) => {
      const input = await ml1m();
      const torch = (variant: string, ...args: string[]) =>
        baseline(
          [variant, ...args.slice(1)].join("-"),
          "mult_vae",
          ...["--input", input, "--model", "vae", "--variant", variant, "--epochs", "5", ...args],
        );
      return inPrecision(
        precision,
        (...args) => ours("epochs", "--dataset", join(input, "dataset"), ...args),
        [
          torch("pytorch"),
          torch("pytorch-best", ...(precision === "bf16" ? ["--precision", precision] : [])),
        ],
      );
    },
  },
  {
    name: "cvae-epoch",
    what: "one epoch of CVAE on citeulike-t, P = 10: a network pass and a sweep of least squares (real data: ../shared/data or $FOLDIN_DATA)",
    measures: "median",
    rounds: 2,
    prepare: async (baseline) => {
      const input = await citeulikeT();
      const options = { layerEpochs: 0, latentEpochs: 0, wholeEpochs: 0 };
      const steps = Math.floor(25_975 / 128);
      return {
        ours: ours(
          "epochs",
          ...["--dataset", join(input, "dataset"), "--model", "cvae", "--epochs", "2"],
          ...["--options", JSON.stringify(options)],
        ),
        baselines: ["pytorch", "pytorch-best"].map((variant) =>
          baseline(variant, "cvae", "--input", input, "--variant", variant),
        ),
        // Per step three products of the output layer, and Adam over its weights; the inner layers and the sweep are small.
        limit: steps * ((3 * 2 * 128 * 200 * 20_000) / FLOPS + (200 * 20_000 * 4 * 7) / BYTES),
      };
    },
  },
  {
    name: "evaluate",
    what: "evaluating 10,000 users x 20,108 items: NDCG@100, Recall@20, Recall@50",
    bf16: true,
    measures: "median",
    rounds: 3,
    prepare: async (baseline, precision) => {
      const input = await shapeInput("ml-20m-shape", ml20m);
      const mine = (...args: string[]) => ours("evaluate", "--input", input, "--what", "evaluate", ...args);
      return {
        ...inPrecision(precision, mine, [baseline("numpy", "evaluate", "--input", input)]),
        limit: (2 * 10_000 * 600 * ml20m.items) / FLOPS,
      };
    },
  },
  {
    name: "recommend",
    what: "top 20 for one history in process, Mult-VAE of the ML-20M shape (median latency)",
    measures: "median",
    rounds: 5,
    prepare: async (baseline) => {
      const input = await shapeInput("ml-20m-shape", ml20m);
      return {
        ours: ours("evaluate", "--input", input, "--what", "recommend"),
        baselines: [baseline("pytorch", "recommend", "--input", input)],
        // The int8-quantised output weights are read from memory once.
        limit: (600 * ml20m.items) / BYTES,
      };
    },
  },
  {
    name: "memory",
    what: "peak memory of training Mult-VAE on the ML-20M shape, all users loaded",
    measures: "peak",
    rounds: 1,
    prepare: async (baseline) => {
      const input = await shapeInput("ml-20m-shape", ml20m);
      return {
        ours: ours("train-steps", "--input", input, "--model", "mult-vae", "--steps", "10"),
        baselines: [
          baseline(
            "pytorch",
            "mult_vae",
            "--input",
            input,
            "--model",
            "vae",
            "--variant",
            "pytorch",
            "--steps",
            "40",
          ),
        ],
      };
    },
  },
  {
    name: "scaling",
    what: "seconds of an epoch as users and items grow (exponents of the fitted power laws)",
    measures: "median",
    rounds: 3,
    prepare: async () => ({
      ours: ours("scaling"),
      baselines: [],
      report: ({ values }) => fitScaling(values),
    }),
  },
  {
    name: "prepare",
    what: "20 million ratings from CSV to a dataset folder, canonical protocol of ML-20M",
    measures: "median",
    rounds: 2,
    prepare: async (baseline) => {
      const folder = await ratingsFile();
      return {
        ours: ours("prepare", "--input", `${folder}/ratings.csv`),
        baselines: [baseline("pandas", "prepare", "--input", `${folder}/ratings.csv`)],
      };
    },
  },
  {
    name: "ease-ml-1m",
    what: "EASE on ML-1M: 4,834 users, 3,497 items, float32 (real data: ../shared/data or $FOLDIN_DATA)",
    measures: "median",
    rounds: 5,
    prepare: solved(ml1m, "ease", 500, 3497 ** 3),
  },
  {
    name: "ease",
    what: "EASE on the ML-20M shape: 116,677 users, 20,108 items, float32",
    measures: "median",
    rounds: 1,
    prepare: solved(() => shapeInput("ml-20m-shape", ml20m), "ease", 500, ml20m.items ** 3),
  },
  {
    name: "infinite-ae-ml-1m",
    what: "infinite-AE on ML-1M: 4,834 users, 3,497 items, float32 (real data: ../shared/data or $FOLDIN_DATA)",
    measures: "median",
    rounds: 5,
    prepare: solved(ml1m, "infinite-ae", 4, 4834 ** 3),
  },
  {
    name: "infinite-ae",
    what: "infinite-AE on 10,000 users of the ML-20M shape, 20,108 items, float32",
    measures: "median",
    rounds: 2,
    prepare: solved(() => shapeInput("ml-20m-shape", ml20m), "infinite-ae", 4, 10_000 ** 3, 10_000),
  },
  {
    name: "slim",
    what: "SLIM's weights of every second item of ML-1M (real data: ../shared/data or $FOLDIN_DATA), alpha .01, l1 ratio .1",
    measures: "median",
    rounds: 1,
    prepare: async (baseline) =>
      slim(
        baseline,
        await ml1m(),
        ...["--alpha", "0.01", "--l1-ratio", "0.1", "--blocks", "8", "--size", "218"],
      ),
  },
  {
    name: "slim-ml-20m",
    what: "SLIM's weights of every fortieth item (512) of the ML-20M shape, alpha .001, l1 ratio .0067 (tuned for ML-20M in the RecSys2019 study)",
    measures: "median",
    rounds: 1,
    prepare: async (baseline) =>
      slim(
        baseline,
        await shapeInput("ml-20m-shape", ml20m),
        ...["--alpha", "0.001", "--l1-ratio", "0.0067", "--blocks", "256", "--size", "2"],
      ),
  },
];
