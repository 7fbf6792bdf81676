// The engine that a run asks for: the native one where it is present, otherwise the plain TypeScript one and a line that says so.

import { UserError } from "../core/errors.js";
import type { Engine } from "./engine.js";
import { ReferenceEngine } from "./engines/reference.js";
import type { Precision } from "./tensor.js";

/** "auto" = native where it is present, else reference. */
export type EngineChoice = "auto" | "native" | "reference";

export interface EngineOptions {
  engine?: EngineChoice;
  /** Default: all cores. */
  threads?: number;
  precision?: Precision;
  /** Hears, in one line, that the native engine is missing. */
  onNote?: (text: string) => void;
}

/** Opens an engine; whoever opens it closes it. Throws UserError where the native one is asked for and missing. */
export async function openEngine({
  engine = "auto",
  precision,
  onNote,
}: EngineOptions = {}): Promise<Engine> {
  if (engine === "native")
    throw new UserError({
      place: "engine",
      problem: "the native engine is not built",
      remedy: "Run npm run setup with cargo installed, or use --engine reference",
    });
  if (engine === "auto")
    onNote?.("the native engine is not built: using the plain TypeScript engine, which is much slower");
  return new ReferenceEngine({ precision });
}
