// The public entry point. It only re-exports the public API.

export type { Communicator, Connection, Message } from "./compute/communicator.js";
export type { DividedBatch, Division } from "./compute/division.js";
export * from "./compute/engine.js";
export type { Solvers } from "./compute/kernels.js";
export { type EngineChoice, type EngineOptions, openEngine } from "./compute/open-engine.js";
export type {
  Element,
  FloatArray,
  PieceOfBatch,
  Precision,
  SparseTensor,
  StoredNumbers,
  Tensor,
} from "./compute/tensor.js";
export * from "./core/errors.js";
export type { JsonObject, JsonValue } from "./core/json.js";
export type * from "./core/progress.js";
export {
  type AttributeColumn,
  type AttributeDescription,
  type CodedColumn,
  ItemAttributes,
  type ListColumn,
  type NumberColumn,
  valuesOf,
} from "./data/attributes/attributes.js";
export { TextDictionary } from "./data/attributes/dictionary.js";
export type { AttributeType, StatedTypes } from "./data/attributes/types.js";
export type { ReadOptions } from "./data/columns.js";
export * from "./data/content/in-memory.js";
export type { ContentFile, ContentInput, ContentOptions, ContentRecord } from "./data/content/input.js";
export * from "./data/content.js";
export {
  type Dataset,
  type HeldOutSplit,
  type LoadDatasetOptions,
  loadDataset,
  readManifest,
} from "./data/dataset.js";
export { type FilterOrder, filterOrders } from "./data/filter.js";
export {
  type Histories,
  type HistoriesFile,
  historiesOfDataset,
  historiesOfFile,
} from "./data/histories.js";
export type { GivenPart, Interaction } from "./data/interactions.js";
export type { ItemPopularity } from "./data/item-popularity.js";
export type { ItemFile, ItemRecord, ItemValue } from "./data/items.js";
export type { DatasetCounts, DatasetSource, Manifest } from "./data/manifest.js";
export { type BuildOptions, buildDataset, type PrepareOptions, prepareDataset } from "./data/prepare.js";
export {
  type ProtocolInput,
  type ProtocolOptions,
  parseProtocol,
  protocolOptions,
  protocols,
} from "./data/protocol.js";
export {
  type DemoCatalogue,
  type DemoFilm,
  type DemoOptions,
  type DemoView,
  demoCatalogue,
} from "./data/sources/demo.js";
export {
  type ComparedCount,
  type PreparedSource,
  type PrepareSourceOptions,
  prepareSource,
} from "./data/sources/prepare-source.js";
export { sourceNames } from "./data/sources/registry.js";
export * from "./data/vocabulary.js";
export { coldItems, type ItemSelection } from "./evaluation/cold-items.js";
export * from "./evaluation/evaluate.js";
export { defaultMetrics, metricNames } from "./evaluation/metrics.js";

export * from "./evaluation/significance.js";
export { type AddedItems, type AddItemsOptions, addItems } from "./experiments/add-items.js";
export {
  type Compared,
  type ComparedPair,
  type ComparedSystem,
  type CompareOptions,
  type Comparison,
  compare,
} from "./experiments/compare/compare.js";

export { type EnsembleOptions, trainEnsemble } from "./experiments/ensemble.js";
export { type RefitOptions, type Refitted, refit } from "./experiments/refit.js";
export { type RunConfig, type RunFolder, readRunFolder } from "./experiments/run-folder.js";
export {
  type Sweep,
  type SweepOptions,
  type SweepPoint,
  sweep,
} from "./experiments/search/former-names.js";
export type { SearchPoint, SearchResult } from "./experiments/search/result.js";
export { search } from "./experiments/search/search.js";
export type { SearchOptions } from "./experiments/search/search-options.js";
export { type Dimension, parseSpace, type Range, type Setting } from "./experiments/search/space.js";
export type { Shape, Size } from "./experiments/shape.js";
export { type MlflowOptions, openMlflow } from "./experiments/trackers/mlflow/mlflow.js";
export type { TrackerChoice } from "./experiments/trackers/open-trackers.js";
export { openTensorboard, type TensorboardOptions } from "./experiments/trackers/tensorboard/tensorboard.js";
export type { TrackedEnd, TrackedReport, TrackedRun, Tracker } from "./experiments/trackers/tracker.js";
export { type TrainOptions, train } from "./experiments/train.js";
export { type Choice, chooseModel } from "./experiments/tune/choose.js";
export type { TunedTrial, TuneOptions } from "./experiments/tune/options.js";
export type { LeftOut } from "./experiments/tune/plan.js";
export type { TunedModel, TuneResult } from "./experiments/tune/result.js";
export { tune } from "./experiments/tune/tune.js";
export { describeOptions, type OptionDescription } from "./models/options.js";
export { algorithmNames, findAlgorithm } from "./models/registry.js";
export type { Tuned } from "./models/tuned.js";
export * from "./recommender/algorithm.js";
export * from "./recommender/content-aware.js";
export type { NetworkOutline, OutlineLayer } from "./recommender/outline.js";
export * from "./recommender/recommend.js";
export * from "./recommender/recommender.js";
export type { Boost, RuleOptions } from "./recommender/rules/rules.js";
export * from "./recommender/run-context.js";
export * from "./recommender/similar.js";
export * from "./recommender/uncertain.js";
export * from "./recommender/vectors.js";
export type { InitialModel } from "./recommender/warm-start.js";
export { type Embedded, type EmbedOptions, embed } from "./serving/embed.js";
export { type LoadOptions, loadRecommender } from "./serving/load.js";
export { exportable, type OnnxOptions, onnxOf } from "./serving/onnx/export.js";
export { type PartTasks, type Scored, type ScoreOptions, scoreAll } from "./serving/score.js";
export * from "./sparse/csr.js";
export type { Task, TaskKind, TaskOutcome, TaskRunOptions, TaskSetup, Tasks } from "./tasks/tasks.js";
