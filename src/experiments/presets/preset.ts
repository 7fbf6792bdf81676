// A preset is a published experiment as data: the data sets and their splits, the models and their options, the evaluation, and
// the published numbers. `reproduce` runs it; nothing here computes.

import type { ProtocolInput } from "../../data/protocol.js";

/** A published number; its standard error where that was published too. */
export interface Published {
  readonly mean: number;
  readonly standardError?: number;
}

/** One row of the table: a model with its options. */
export interface PresetRun {
  /** Names the run's folder, kebab-case; unique within its study. */
  readonly key: string;
  readonly title: string;
  /** A registered model. */
  readonly model: string;
  /** What differs from the model's defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** By metric; absent where nothing is published for this data. */
  readonly published?: Readonly<Record<string, Published>>;
  /** What the reader must know about this row, in a sentence. */
  readonly note?: string;
  /** The number of trainings, with consecutive seeds; the row has their mean. Default 1. */
  readonly seeds?: number;
  /** Options to choose among, on the validation users: each is trained, and only the best is evaluated on the test users. Not with `seeds`. */
  readonly candidates?: readonly Candidate[];
}

/** One of the options that a row chooses among. */
export interface Candidate {
  /** Part of the run folder's name, kebab-case; unique within its row. */
  readonly key: string;
  readonly title: string;
  /** Applied over the row's options. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One of several splits of the same data. */
export interface Split {
  /** Names folders, kebab-case; unique within its study. */
  readonly key: string;
  /** What differs from the study's protocol. */
  readonly protocol: Study["protocol"];
}

/** A user whose best items are listed with their titles. */
export interface ListedUser {
  /** External id. */
  readonly id: string;
  /** For people: "user I". */
  readonly title: string;
  /** By the run's key: how many of the published list's items the user has. */
  readonly published?: Readonly<Record<string, number>>;
}

/** One table: the same data, evaluated in the same way. */
export interface Study {
  /** Names the dataset's folder, kebab-case; unique within its preset. */
  readonly key: string;
  readonly title: string;
  /** A known source: "ml-1m". */
  readonly source: string;
  /** What differs from the source's published protocol. */
  readonly protocol: ProtocolInput | Record<string, unknown>;
  /** Absent: one, the protocol's. With several, every run is trained on each of them, and the table has the mean. */
  readonly splits?: readonly Split[];
  /** Skipped, with a line that says so, when the source's files are missing. */
  readonly optional?: boolean;
  /** Files in the source's folder without which an optional study is left out: "mult.dat". */
  readonly needs?: readonly string[];
  /** The key of a study that takes the place of this one where its files are there. */
  readonly insteadOf?: string;
  /** In the order of the table. */
  readonly metrics: readonly string[];
  /** See `EvaluateOptions`, whose defaults hold. */
  readonly truth?: "held-out" | "complete";
  readonly maskKnown?: boolean;
  /** The same models evaluated once more, as the CVAE paper does it. */
  readonly cvaePaper?: boolean;
  /** Draws this metric by its depth, a line per run: "recall-plain". */
  readonly byDepth?: string;
  /** Lists the best k items of some users per run. */
  readonly lists?: { readonly k: number; readonly users: readonly ListedUser[] };
  /** The source of the column "published", where it is not the preset's source. */
  readonly publishedBy?: string;
  /** False where a few updates on the first users say nothing about how long training takes. Default true. */
  readonly timed?: boolean;
  /** Which of an epoch's numbers is drawn first: "validation ndcg@100". */
  readonly curve: string;
  readonly runs: readonly PresetRun[];
  /** What the reader must know about this table: how it differs from the published one. */
  readonly note?: string;
  /** The runs are a grid of these two options; the page draws this metric, ours and published, as heat maps. */
  readonly grid?: { readonly x: string; readonly y: string; readonly metric: string };
}

export interface Preset {
  /** What `foldin reproduce` calls it. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** The paper, notebook or repository. */
  readonly source: string;
  readonly studies: readonly Study[];
  /** The row whose network is drawn, and listed with its numbers of weights. */
  readonly network?: { readonly study: string; readonly run: string };
}

/** Published means of several metrics: { "recall@20": .395 } with one standard error for all, where there is one. */
export function means(
  values: Readonly<Record<string, number>>,
  standardError?: number,
): Record<string, Published> {
  return Object.fromEntries(
    Object.entries(values).map(([name, mean]) => [
      name,
      standardError === undefined ? { mean } : { mean, standardError },
    ]),
  );
}
