// The engines that this machine has: the reference engine, and the native one where it is built.
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { openEngine } from "../../src/compute/open-engine.js";

export const engineNames: ("reference" | "native")[] = ["reference"];
const native = await openEngine({ engine: "native" }).catch(() => undefined);
if (native) engineNames.push("native");
await native?.close();

/** How an independent program's numbers are compared: [engine, tolerance, opens it], in float64 and on every engine in float32. */
export function precisions(float64: number, float32: number): [string, number, () => Promise<Engine>][] {
  return [
    ["reference, float64", float64, async () => new ReferenceEngine({ precision: "float64" })],
    ...engineNames.map((name): [string, number, () => Promise<Engine>] => [
      `${name}, float32`,
      float32,
      () => openEngine({ engine: name, threads: 2 }),
    ]),
  ];
}
