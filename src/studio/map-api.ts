// Requests and answers about maps of items.

import { z } from "zod";

/** Body of POST /api/maps. */
export const mapRequest = z.strictObject({ run: z.string().describe("id of a run with a model") });

/** Answer of POST /api/maps and GET /api/maps/:id. */
export interface MapAnswer {
  readonly id: string;
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly progress?: string;
  readonly problem?: string;
}

/** Items by the value of an attribute: the most frequent values, or ranges of numbers. */
export interface MapColours {
  readonly attribute: string;
  readonly labels: readonly string[];
  /** Per item of the map, the index of its label; -1 = another value, or none. */
  readonly codes: readonly number[];
}

/** Answer of GET /api/maps/:id/points. Lists are by item of the map. */
export interface ItemMap {
  readonly formatVersion: 1;
  /** Identifies the model's files. */
  readonly stamp: string;
  readonly algorithm: string;
  /** What the vectors are, in a few words. */
  readonly vectors: string;
  /** Items that have no vector, and are not on the map. */
  readonly left: number;
  readonly ids: readonly string[];
  readonly titles: readonly string[];
  /** Users who have the item; absent if they are not known. */
  readonly users?: readonly number[];
  /** Coordinates from -1 to 1. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Nearest items by the cosine of their vectors, nearest first: `nearest` for each item, one after the other. */
  readonly nearest: number;
  readonly near: readonly number[];
  readonly colours: readonly MapColours[];
}
