// The engine that a run asks for: the native one where it is present, otherwise the plain TypeScript one and a line that says so.

import { UserError } from "../core/errors.js";
import type { Engine } from "./engine.js";
import { loadNativeEngine } from "./engines/native.js";
import { ReferenceEngine } from "./engines/reference.js";
import { withSolvers } from "./solvers/borrowed-solvers.js";
import type { EnginePrecision } from "./tensor.js";

/** "auto" = native where it is present, else reference. */
export type EngineChoice = "auto" | "native" | "reference";

export interface EngineOptions {
  engine?: EngineChoice;
  /** Default: all cores. */
  threads?: number;
  /** "bf16": float32, but the products of dense layers round their operands to bfloat16. Default "float32". */
  precision?: EnginePrecision;
  /** Hears, in one line, that the native engine is missing. */
  onNote?: (text: string) => void;
}

/**
 * Opens an engine, which the caller closes; one without solvers of its own borrows those of the CPU. "auto" takes the
 * reference engine for float64, which the native one does not compute in. Throws UserError where the native one is asked
 * for and missing, and for a bad number of threads.
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
  onNote?.(`using the plain TypeScript engine, which is much slower: ${native.reason}`);
  return new ReferenceEngine({ precision });
}
