// Layers and networks with their memory, for tests.

import type { Engine } from "../../src/compute/engine.js";
import { allocate, type Parametrised } from "../../src/nn/parameters.js";

/** The layer, its parameters on the engine with their initial values. */
export function allocatedOn<Layer extends Parametrised>(engine: Engine, layer: Layer, seed = 3): Layer {
  allocate(engine, layer.parameters, seed);
  return layer;
}
