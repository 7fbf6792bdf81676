// What the routes of a server have in common.

import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import type { ModelShelf } from "../model-shelf.js";
import type { HistoryStore } from "../store/history-store.js";
import type { Allowance } from "./allowance.js";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import type { Schemas } from "./schemas.js";
import type { Works } from "./work.js";

/** Requests have the types of their zod schemas. */
export interface ZodTypes extends FastifyTypeProvider {
  readonly validator: this["schema"] extends z.ZodType ? z.output<this["schema"]> : unknown;
  readonly serializer: this["schema"] extends z.ZodType ? z.input<this["schema"]> : unknown;
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypes
>;

/** What a route works with. */
export interface Serving {
  readonly shelf: ModelShelf;
  /** What the models compute with. */
  readonly engine: Engine;
  /** Undefined where the server was told to keep no histories. */
  readonly store: HistoryStore | undefined;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly schemas: Schemas;
  readonly works: Works;
  /** The large answers that clients are reading. */
  readonly answers: Allowance;
  /** Whether the server is on its way out. */
  stopping(): boolean;
}
