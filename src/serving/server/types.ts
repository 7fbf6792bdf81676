// Types shared by the routes.

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
import type { Availability } from "../availability/availability.js";
import type { UnavailableFile } from "../availability/file.js";
import type { ModelRouter } from "../model-router.js";
import type { HistoryStore } from "../store/history-store.js";
import type { Allowance } from "./allowance.js";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import type { Schemas } from "./schemas.js";
import type { Works } from "./work.js";

/** Gives requests the types of their zod schemas. */
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

/** The dependencies of the routes. */
export interface Serving {
  readonly router: ModelRouter;
  /** The compute engine of the models. */
  readonly engine: Engine;
  /** Undefined if the server does not store histories. */
  readonly store: HistoryStore | undefined;
  readonly availability: Availability;
  /** The file that keeps the unavailable items; undefined = they are lost when the server stops. */
  readonly unavailableFile: UnavailableFile | undefined;
  /** Whether requests may change what is available: not without a token on an address that other machines reach. */
  readonly mayChangeAvailability: boolean;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly schemas: Schemas;
  readonly works: Works;
  /** The limit on large answers that clients are reading. */
  readonly answers: Allowance;
  /** Whether the server is shutting down. */
  stopping(): boolean;
}
