// Engines that a suite opens by name and that are closed after its last test.

import { afterAll } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";

const engines: Engine[] = [];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

export async function opened(engine: "reference" | "native", threads = 2): Promise<Engine> {
  const made = await openEngine({ engine, threads });
  engines.push(made);
  return made;
}
