// Sizes just below, at and just above every size at which a kernel takes another path, per case of engines.ts and
// dense-solvers.ts, in the order in which the case asks for its sizes. The constants are named by the file that has them;
// docs/decisions/thresholds.md has the whole table.

/** n - 1, n, n + 1 */
export const around = (n: number): number[] => [n - 1, n, n + 1];

/** Every size of the first list with the fellow of the second, which starts again where it is shorter. */
const zip = (first: readonly number[], ...others: readonly (readonly number[])[]): number[][] =>
  first.map((size, i) => [size, ...others.map((other) => other[i % other.length])]);

// matrix.rs: PIECE = 8192 elements of a row (or of the whole, where nothing lies between the rows), done by one thread up to
// ALONE = 4 pieces; short rows go several to a task. philox.rs: BATCH = 64 words.
const pieces = [
  ...zip([1, 1, 1], around(64)),
  ...zip([1, 1, 1], around(8192)),
  [1, 4 * 8192],
  [1, 4 * 8192 + 1],
  [4, 8192],
  [4, 8193],
  [5, 4096],
  [5, 4097],
];

// ROWS_PER_TASK is 4 (output, density), 8 (layer_norm, composite_kl) or 16 (gaussian); sums go into 8 or
// LANES = 16 lanes; COLUMNS = 256 (reductions, layer_norm); SUM_BLOCK = 512 (simd.rs).
const rows = [
  ...zip([...around(4), ...around(8), ...around(16)], [...around(512), ...around(256), ...around(16)]),
  ...zip(around(4), around(8)),
];

const elementwise = [
  "fill",
  "copy",
  "convert",
  "addScaled",
  "tanh",
  "tanh in place",
  "tanhGradient",
  "relu in place",
  "reluGradient",
  "sigmoid in place",
  "sigmoidGradient",
  "swish in place",
  "swishGradient",
  "addProduct",
  "dropout",
  "gate",
  "gateGradient",
  "clamp in place",
  "clampGradient",
  "dropClamped and dropClampedGradient",
  "gaussianSampleGradient",
  "addRow",
  "addRows and scaleRows",
  "adadelta",
  "adam, dense gradient",
  "adam, rows gradient",
  "nadam, dense gradient",
  "nadam, rows gradient",
];

// matmul.rs
const products = [
  // m = 1: row_times_rows in tasks of COLUMNS_PER_TASK = 256, sums in CHAINS x LANES = 64 lanes.
  ...zip([1, 1, 1], around(256), around(64)),
  // m = 1: row_times_matrix in stripes of STRIPE = 96; one thread up to ALONE = 2^16 products.
  ...zip([1, 1, 1, 1, 1, 1], [...around(96), ...around(2 * 96)], [7]),
  ...zip([1, 1, 1], [256], around(256)),
  // One row, and two.
  ...zip([1, 2], [40], [33]),
  // FEW_ROWS = 4 with MANY_COLUMNS = 1024 are not packed.
  ...around(4).flatMap((m) => zip([m, m, m], around(1024), [48])),
  // SMALL = 2^20 operations are cut into panels.
  ...zip([128, 128, 128], [128], around(64)),
  // SMALLEST = 96: with less on both sides, in one panel all the same.
  ...zip(around(96), around(96), [120]),
  // PANEL_ROWS = 512, PANEL_COLUMNS = 768; TILE_ROWS = 8, TILE_COLUMNS = 16.
  ...zip(around(512), [23, 24, 25], [90]),
  ...zip([15, 16, 17], around(768), [90]),
  // reference/matmul.ts: ROWS = 128, COLUMNS = 1024, INNER = 256; tiles of 4 x 4.
  ...zip(around(128), [5], around(256)),
  ...zip([7, 8, 9], around(1024), [5]),
  ...zip(around(4), around(4), around(512)),
];

// rounded.rs
const roundedProducts = [
  ...zip([1, 1, 1], around(256), around(64)),
  ...around(4).flatMap((m) => zip([m, m, m], around(1024), [48])),
  // PANEL_ROWS = 240, PANEL_COLUMNS = 256, INNER = 512; TILE_ROWS = 48, TILE_COLUMNS = 32.
  ...zip(around(240), [33], [70]),
  ...zip([13, 13, 13], around(256), [70]),
  ...zip([13, 13, 13], [33], around(512)),
  ...zip(around(48), around(32), [600]),
  // SMALL = 2^20 operations are cut into panels.
  ...zip([128, 128, 128], [128], around(64)),
  // bf16/: tiles of 4, 12, 16 and 32 rows, 16 and 32 columns; blocks of 32 numbers; 64 pairs rounded at a time.
  ...zip([...around(4), ...around(12), ...around(16)], around(16), [...around(32), ...around(128)]),
];

export const sizesOf: Readonly<Record<string, readonly (readonly number[])[]>> = {
  ...Object.fromEntries(elementwise.map((kernel) => [kernel, pieces])),
  // gaussian.rs: CHUNK = 512 normals at a time.
  gaussianSample: [...pieces, ...zip([1, 1, 1], around(512)), ...zip(around(2), around(512))],
  "gaussianLogDensity and gaussianLogDensityGradient": [...rows, [1, 8193], [4, 8193]],
  "gaussianKl and gaussianKlGradient, on views of one tensor": [...rows, [1, 8193], [4, 8193]],
  "compositeKl and compositeKlGradient": rows,
  "layerNorm, layerNormGradient and layerNormWeightGradient": rows,
  "unitRows and unitRowsGradient": rows,
  "densityPowers and densityFactors, whose product is the log density": zip(
    around(4),
    [...around(8)].reverse(),
    around(16),
  ),
  "densityPowersGradient and densityFactorsGradient": rows,
  logMeanExp: rows,
  addSumOfRows: [...rows, ...zip([300], [257])],
  "addSum and addSumOfSquares": [...pieces, ...zip([3, 3, 3], around(8192)), ...zip([2, 2, 2], around(8))],
  "takeRows and takeColumns": [
    [9, 8193, 5, 8193],
    [5, 4097, 5, 4097],
    [5, 4096, 5, 4096],
    [4, 8192, 4, 8192],
  ],
  // Rows, width, items.
  ...Object.fromEntries(
    [
      "multinomial: outputStatistics, outputLoss and outputGradient",
      "bernoulli: outputStatistics, outputLoss and outputGradient",
    ].map((kernel) => [
      kernel,
      [
        ...zip([...around(4), ...around(8)], [3], [...around(512), ...around(16)]),
        ...zip(around(4), [5], around(256)),
        [1, 7, 1],
      ],
    ]),
  ),
  // sampled_targets.rs: ROWS_PER_TASK = 4, ITEMS_PER_TASK = 64; dot products in 64 lanes.
  "targetLogits, sampledTargets, addSampledTargets and sampledTargetsToWeights": zip(
    around(4),
    around(64),
    around(64),
  ),
  "targetLogits, sampledTargets, addSampledTargets and sampledTargetsToWeights with hits": zip(
    around(4),
    around(64),
    around(64),
  ),
  // rounded_output.rs: BLOCK = 256 items, ROWS = 96, BLOCKS_PER_SUM = 3 (two sums from 1,281 items on, four from 2,817).
  ...Object.fromEntries(
    [
      "multinomial in bfloat16: outputStatistics, outputLoss and outputGradient",
      "bernoulli in bfloat16: outputStatistics, outputLoss and outputGradient",
    ].map((kernel) => [
      kernel,
      [
        ...zip(around(4), [5], around(256)),
        ...zip(around(96), [3], around(512)),
        ...zip([2, 2, 2], around(16), [1280, 1281, 2817]),
        [1, 7, 1],
      ],
    ]),
  ),
  "denseBernoulliLoss and denseBernoulliLossGradient": rows,
  // focal_loss.rs: ROWS_PER_TASK = 4, SUM_BLOCK = 512 columns in LANES = 16 lanes.
  "focalLoss and focalLossGradient with gamma 2": rows,
  "focalLoss and focalLossGradient with gamma 1.5": rows,
  // linear_cosine.rs: ROWS_PER_TASK = 4, sums in LANES = 16 lanes.
  "linearCosine and linearCosineGradient": zip([...around(4), ...around(8)], around(16)),
  sumSparseRows: zip(around(4), [20], [30]),
  sumChainedRows: zip(around(4), [20], [25], [30]),
  // sparse_row_sum.rs: STRIPE = 96 columns, ROWS_PER_TASK = 16, ROWS_PER_COUNT = 64.
  ...Object.fromEntries(
    ["sparseRowSum", "sparseRowSumGradient"].map((kernel) => [
      kernel,
      [
        ...zip(
          [...around(16), ...around(64)],
          [...around(64), ...around(16)],
          [...around(96), ...around(192)],
        ),
        [0, 5, 96],
      ],
    ]),
  ),
  ...Object.fromEntries(
    [
      ...["matmul A B", "matmul A B^T", "matmul A^T B", "matmul A^T B^T"],
      ...["matmul A B, b in bfloat16", "matmul A B^T, both in bfloat16"],
    ].map((kernel) => [kernel, products]),
  ),
  ...Object.fromEntries(
    ["A B^T", "A^T B"].map((kernel) => [`matmul ${kernel}, rounded to bfloat16`, roundedProducts]),
  ),
  // quantise.rs: ROWS_PER_TASK = 256; sums in LANES = 16 lanes.
  quantise: zip(around(256), around(16)),
};

// top_k.rs: BLOCK = 64 columns compared at once, ROWS_PER_TASK = 8; the bound is known once 2 k candidates have come.
export const topKSizes = [
  ...zip(around(8), around(64), [10]),
  ...zip([3, 3, 3], around(64), [32]),
  ...zip([3, 3, 3], [64], around(32)),
  ...zip([3, 3, 3], [64], around(64)),
  ...zip([3, 3, 3], around(128), [1]),
];

// best_products.rs: ROWS_PER_TASK = 256 rows of weights, BLOCK = 64 bounds compared at once, CANDIDATES_PER_TASK = 32; wider
// than 1024, a history's integers are at most 2^31 / (128 width) instead of MOST_STEPS.
export const bestProductsSizes = [
  ...zip([3, 3, 3], around(4), around(256), [10]),
  ...zip([2, 2, 2], around(16), around(64), around(32)),
  ...zip([1, 1, 1], [1023, 1024, 1025], [70], [5]),
];

// best_in_blocks.rs: FIRST_BLOCKS = 16 of about six rows are visited first, then twice as many; BLOCKS_PER_TASK = 4,
// CENTRES_PER_TASK = 256.
export const bestInBlocksSizes = [
  ...zip([3, 3, 3], around(4), around(100), [10]),
  ...zip([3, 3, 3], [16, 16, 16], around(300), [1]),
  ...zip([1, 1, 1], [8, 8, 8], around(1500), [5]),
];

// gram.rs: ROWS_PER_TASK = 4, TILE = 64; inverse.rs: INNER = 32 pivots, ROWS_PER_TASK = 128 (TILE = 512 has a test of its own);
// tangent_kernel.rs: BLOCK = 128.
export const solverSizes: Readonly<Record<string, readonly (readonly number[])[]>> = {
  gram: zip([20, 20, 20, 9, 9, 9], [...around(64), ...around(4)]),
  sparseProduct: zip([20, 20, 20], around(4), around(16)),
  "invertPivots, some pivots": [
    ...zip([70, 70, 70], [3], around(32)),
    ...zip([70, 70, 70], [0], around(64)),
    ...zip(around(128), [100], [20]),
  ],
  "invertPivots, all pivots, then expandLower": [...around(32), ...around(64), ...around(128)].map((n) => [
    n,
  ]),
  tangentKernel: [...zip([3, 3, 3], around(128)), [1, 8192], [1, 8193]],
};
