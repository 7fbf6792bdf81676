// The parameters of a network, from their declarations. The constructor of a network declares them, so each shape is written only
// once, where its layer is created. The size of the network, the allocation and initialisation of its values, and the checks of
// a saved network are all derived from the list `parameters`.

import type { Division } from "../compute/division.js";
import type { Engine } from "../compute/engine.js";
import type { Parameter, ParameterDeclaration } from "../compute/parameter.js";
import type { SavedModel } from "../recommender/saved-model.js";
import { initialise, initialised, partOf } from "./initialise.js";
import { initialKey, zeros } from "./initializers.js";

/** An object with parameters of unique names. */
export interface Parametrised {
  readonly parameters: readonly Parameter[];
}

/** The number of elements of parameters, declared or allocated. */
export function numbersIn(parameters: readonly Pick<ParameterDeclaration, "rows" | "columns">[]): number {
  return parameters.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
}

/**
 * Allocates and initialises parameters; the values depend on the seed and the names. Within `initialised` the values are set after
 * the build. If memory runs out, everything allocated is released.
 */
export function allocate(engine: Engine, parameters: readonly Parameter[], seed: number): void {
  try {
    for (const parameter of parameters) {
      const { name, whole, initial, inputs } = parameter;
      const { rows, columns } = whole;
      parameter.allocate(engine);
      if (initial && initial !== zeros)
        initialise(
          engine,
          parameter.value,
          initial(rows, columns, initialKey(seed, name), inputs),
          parameter.divided && partOf(whole, parameter.divided),
        );
    }
  } catch (error) {
    release(parameters);
    throw error;
  }
}

/** The network with memory and initial values, of the member's own items if they are divided; yields to the event loop. Throws AbortedError when the signal aborts. */
export async function allocated<Network extends Parametrised>(
  network: Network,
  {
    engine,
    seed,
    signal,
    division,
  }: {
    readonly engine: Engine;
    readonly seed: number;
    readonly signal?: AbortSignal;
    readonly division?: Division;
  },
): Promise<Network> {
  const { parameters } = network;
  if (division) divide(parameters, division);
  await initialised(() => allocate(engine, parameters, seed), { signal, release: () => release(parameters) });
  return network;
}

/** Divides the parameters with items among the members of a run. */
export function divide(parameters: readonly Parameter[], division: Division): void {
  for (const parameter of parameters) parameter.divide(division);
}

/** Compares saved tensors with the declarations; allocates nothing. Throws UserError, naming a tensor that does not match. */
export function checkSaved(
  saved: SavedModel,
  parameters: readonly Pick<ParameterDeclaration, "name" | "rows" | "columns">[],
): void {
  for (const { name, rows, columns } of parameters) saved.require(name, [rows, columns]);
}

/** Allocates parameters with the saved values. Throws UserError like `checkSaved`, in which case nothing stays allocated. */
export async function restoreParameters(
  engine: Engine,
  saved: SavedModel,
  parameters: readonly Parameter[],
): Promise<void> {
  checkSaved(saved, parameters);
  try {
    for (const parameter of parameters) {
      const { name } = parameter;
      parameter.allocate(engine);
      await saved.write(engine, parameter.value, name);
    }
  } catch (error) {
    release(parameters);
    throw error;
  }
}

/** Releases the memory of parameters. */
export function release(parameters: readonly Parameter[]): void {
  for (const parameter of parameters) parameter.release();
}
