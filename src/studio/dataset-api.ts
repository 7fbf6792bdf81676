// Requests about the contents of a dataset, and their answers.

import { z } from "zod";
import type { DatasetDescription } from "../data/describe.js";
import type { LongTail } from "../data/item-popularity.js";
import type { UnknownValue } from "../recommender/filter/unknown-values.js";

/** The parts of a dataset that have users. */
export const datasetParts = ["train", "validation", "test"] as const;
export type DatasetPart = (typeof datasetParts)[number];

/** Rows of a page, unless asked otherwise, and at most. */
const PAGE_ROWS = 50;
const MOST_ROWS = 200;

const dataset = z.string().describe("id of a dataset");
const of = z.enum(datasetParts).default("train");
const wholeNumber = z.coerce.number<string>();
const paging = {
  search: z.string().max(200).default(""),
  from: wholeNumber.pipe(z.int().min(0)).default(0),
  limit: wholeNumber.pipe(z.int().min(1).max(MOST_ROWS)).default(PAGE_ROWS),
};

/** Query of GET /api/dataset. */
export const datasetQuery = z.strictObject({ dataset });

/** Query of GET /api/dataset/items. */
export const datasetItemsQuery = z.strictObject({
  dataset,
  ...paging,
  where: z.string().max(4000).optional().describe("a filter as in --where"),
  order: z.enum(["popular", "rare"]).default("popular"),
});

/** Query of GET /api/dataset/users. */
export const datasetUsersQuery = z.strictObject({ dataset, of, ...paging });

/** Query of GET /api/dataset/user. */
export const datasetUserQuery = z.strictObject({ dataset, of, user: z.string().max(1000) });

/** Answer of GET /api/dataset. */
export interface DatasetAnswer
  extends Omit<DatasetDescription, "content" | "source" | "protocol" | "sourceRows"> {
  readonly longTail: LongTail;
}

export interface ListedItem {
  readonly id: string;
  readonly title: string | null;
  /** Training users who have the item. */
  readonly users: number;
  /** The values of the attributes that it has: several for a list. */
  readonly attributes?: Readonly<Record<string, readonly (string | number)[]>>;
}

/** Answer of GET /api/dataset/items. */
export interface ItemsPage {
  /** Items that match, on all pages. */
  readonly total: number;
  readonly items: readonly ListedItem[];
  /** Values in the filter that no item has. */
  readonly unknown: readonly UnknownValue[];
}

/** Answer of GET /api/dataset/users. */
export interface UsersPage {
  readonly total: number;
  readonly users: readonly {
    readonly id: string;
    /** Interactions in the history, and held out. */
    readonly history: number;
    readonly heldOut: number;
  }[];
}

export interface HistoryItem extends ListedItem {
  /** Where the source has ratings. */
  readonly rating?: number;
}

/** Answer of GET /api/dataset/user. */
export interface UserAnswer {
  readonly id: string;
  readonly of: DatasetPart;
  /** The place among the users of the part, from 0, and their number. */
  readonly place: number;
  readonly users: number;
  readonly previous?: string;
  readonly next?: string;
  /** The best rated first, otherwise the most popular; at most 1,000. Of test users, what a model may see. */
  readonly history: readonly HistoryItem[];
  readonly historyLength: number;
  /** What a model should recommend; empty for training users. At most 1,000. */
  readonly heldOut: readonly HistoryItem[];
  readonly heldOutLength: number;
}
