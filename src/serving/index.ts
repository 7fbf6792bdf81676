// `foldin/serving`: what a program needs that only uses a trained model. No training code and no DuckDB come with it.

export * from "../core/errors.js";
export * from "../recommender/recommend.js";
export type { Recommender, Scores } from "../recommender/recommender.js";
export * from "../recommender/similar.js";
export { type LoadOptions, loadRecommender } from "./load.js";
