// An engine's solvers, for models that need them.

import { UserError } from "../../core/errors.js";
import type { Engine } from "../engine.js";
import type { Solvers } from "../kernels.js";

/** The engine's solvers. Throws UserError if it has none. */
export function solversOf(engine: Engine): Solvers {
  if (engine.solvers) return engine.solvers;
  throw new UserError({
    place: "engine",
    problem: `the ${engine.name} engine has no solvers`,
    remedy: "Use --engine native or --engine reference",
  });
}
