// The parameters of a network, from their declarations. A network's constructor declares: each shape stands where its layer is
// made, and nowhere else. What the network weighs, the memory of its values, their initial values and the checks of a saved
// network all follow from the list that its `parameters` gives.

import type { Engine } from "../compute/engine.js";
import { type Parameter, type ParameterDeclaration, writeTensor } from "../compute/parameter.js";
import type { SavedModel } from "../recommender/saved-model.js";
import { initialise, initialised } from "./initialise.js";
import { initialKey, zeros } from "./initializers.js";

/** What has parameters of unique names. */
export interface Parametrised {
  readonly parameters: readonly Parameter[];
}

/** How many numbers there are in parameters, declared or allocated. */
export function numbersIn(parameters: readonly Pick<ParameterDeclaration, "rows" | "columns">[]): number {
  return parameters.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
}

/**
 * Gives parameters their memory and their initial values, which depend on the seed and on their names. Within `initialised` the
 * values follow once everything is built. Where memory runs out, what was taken is given back.
 */
export function allocate(engine: Engine, parameters: readonly Parameter[], seed: number): void {
  try {
    for (const parameter of parameters) {
      const { name, rows, columns, initial, inputs } = parameter;
      parameter.allocate(engine);
      if (initial && initial !== zeros)
        initialise(engine, parameter.value, initial(rows, columns, initialKey(seed, name), inputs));
    }
  } catch (error) {
    release(parameters);
    throw error;
  }
}

/** The network with memory and initial values; the event loop turns while they are drawn. Throws AbortedError on the signal. */
export async function allocated<Network extends Parametrised>(
  network: Network,
  { engine, seed, signal }: { readonly engine: Engine; readonly seed: number; readonly signal?: AbortSignal },
): Promise<Network> {
  const { parameters } = network;
  await initialised(() => allocate(engine, parameters, seed), { signal, release: () => release(parameters) });
  return network;
}

/** Compares saved tensors with what is declared; allocates nothing. Throws UserError, naming the tensor that does not fit. */
export function checkSaved(
  saved: SavedModel,
  parameters: readonly Pick<ParameterDeclaration, "name" | "rows" | "columns">[],
): void {
  for (const { name, rows, columns } of parameters) saved.take(name, [rows, columns]);
}

/** Gives parameters their memory and the saved values. Throws UserError as `checkSaved`; nothing then stays allocated. */
export async function restoreParameters(
  engine: Engine,
  saved: SavedModel,
  parameters: readonly Parameter[],
): Promise<void> {
  checkSaved(saved, parameters);
  try {
    for (const parameter of parameters) {
      const { name, rows, columns } = parameter;
      parameter.allocate(engine);
      await writeTensor(engine, parameter.value, saved.take(name, [rows, columns]));
    }
  } catch (error) {
    release(parameters);
    throw error;
  }
}

/** Gives the memory of parameters back. */
export function release(parameters: readonly Parameter[]): void {
  for (const parameter of parameters) parameter.release();
}
