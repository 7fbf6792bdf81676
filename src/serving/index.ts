// `foldin/serving`: what a program needs that only uses a trained model. No training code and no DuckDB come with it.

export type { EngineChoice } from "../compute/open-engine.js";
export * from "../core/errors.js";
export type { Vocabulary } from "../data/vocabulary.js";
export * from "../recommender/recommend.js";
export type { Recommender, Scores } from "../recommender/recommender.js";
export * from "../recommender/similar.js";
export type { CsrMatrix } from "../sparse/csr.js";
export { type LoadOptions, loadRecommender } from "./load.js";
