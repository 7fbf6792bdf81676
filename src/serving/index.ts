// `foldin/serving`: the part of the API that uses trained models. It loads neither training code nor DuckDB.

export type { EngineChoice } from "../compute/open-engine.js";
export * from "../core/errors.js";
export type { Vocabulary } from "../data/vocabulary.js";
export * from "../recommender/recommend.js";
export type { Recommender, Scores } from "../recommender/recommender.js";
export type { Boost, RuleOptions } from "../recommender/rules/rules.js";
export * from "../recommender/similar.js";
export type { CsrMatrix } from "../sparse/csr.js";
export { type LoadOptions, loadRecommender } from "./load.js";
