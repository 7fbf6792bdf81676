// Opens the requested engine: by default the native engine if it is available, otherwise the reference engine, with a note.

import { UserError } from "../core/errors.js";
import type { Engine } from "./engine.js";
import { loadNativeEngine } from "./engines/native.js";
import { ReferenceEngine } from "./engines/reference.js";
import { withSolvers } from "./solvers/borrowed-solvers.js";
import type { EnginePrecision } from "./tensor.js";

/** "auto" = native if available, otherwise reference. */
export type EngineChoice = "auto" | "native" | "reference";

export interface EngineOptions {
  engine?: EngineChoice;
  /** Default: all cores. */
  threads?: number;
  /** "bf16" is float32 with the operands of dense layers' products rounded to bfloat16. Default "float32". */
  precision?: EnginePrecision;
  /** Called with a one-line note if the native engine is missing. */
  onNote?: (text: string) => void;
}

/**
 * Opens an engine, which the caller closes; an engine without solvers borrows those of a CPU engine. "auto" opens the reference
 * engine for float64, which the native engine does not support. Throws UserError if "native" is requested and missing, and for
 * an invalid number of threads.
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { precision } = options;
  return withSolvers(openOne(options), () => openOne({ precision }));
}

function openOne({ engine = "auto", threads, precision, onNote }: EngineOptions): Engine {
  if (engine === "reference" || (engine === "auto" && precision === "float64"))
    return new ReferenceEngine({ precision });
  const native = loadNativeEngine({ threads, precision });
  if ("engine" in native) return native.engine;
  if (engine === "native")
    throw new UserError({
      place: "engine",
      problem: native.reason,
      remedy: "In a clone, run npm run setup with cargo installed; or use --engine reference",
    });
  onNote?.(`using the TypeScript engine, which is much slower: ${native.reason}`);
  return new ReferenceEngine({ precision });
}
