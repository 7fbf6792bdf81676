// The engines that this machine has: the reference engine, and the native one where it is built.
import { openEngine } from "../../src/compute/open-engine.js";

export const engineNames: ("reference" | "native")[] = ["reference"];
const native = await openEngine({ engine: "native" }).catch(() => undefined);
if (native) engineNames.push("native");
await native?.close();
