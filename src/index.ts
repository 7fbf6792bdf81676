// The front door: the public API, re-exported. Defines nothing.
export * from "./core/errors.js";
export * from "./data/dataset.js";
export * from "./data/vocabulary.js";
export * from "./recommender/algorithm.js";
export * from "./recommender/recommender.js";
export * from "./recommender/run-context.js";
export * from "./sparse/csr.js";
