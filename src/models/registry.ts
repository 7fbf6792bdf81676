// The models by name. Each is imported only when needed. The CLI, searches and the conformance test read this list, so a model
// is added by writing its file and listing it here.

import { bytesOf } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import { requireMemory } from "../core/memory.js";
import { suggestion } from "../core/nearest.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { ModelFiles, Recommender } from "../recommender/recommender.js";
import type { RunContext } from "../recommender/run-context.js";

// Options are checked by `parseOptions` before they reach `fit`, so one list can hold algorithms with different option types.
const algorithms: Record<string, () => Promise<Algorithm>> = {
  popularity: async () => (await import("./popularity.js")).popularity,
  "item-knn": async () => (await import("./neighbours/item-knn.js")).itemKnn,
  slim: async () => (await import("./linear/slim.js")).slim,
  vae: async () => (await import("./autoencoders/vae.js")).vae,
  "mult-vae": async () => (await import("./autoencoders/mult-vae.js")).multVae,
  "mult-dae": async () => (await import("./autoencoders/mult-dae.js")).multDae,
  vamp: async () => (await import("./autoencoders/vamp.js")).vamp,
  "h-vamp": async () => (await import("./autoencoders/h-vamp.js")).hVamp,
  ease: async () => (await import("./linear/ease.js")).ease,
  elsa: async () => (await import("./linear/elsa.js")).elsa,
  sansa: async () => (await import("./linear/sansa.js")).sansa,
  "infinite-ae": async () => (await import("./linear/infinite-ae.js")).infiniteAe,
  wmf: async () => (await import("./factors/wmf.js")).wmf,
  nmf: async () => (await import("./factors/nmf.js")).nmf,
  cvae: async () => (await import("./content/cvae.js")).cvae,
  cdl: async () => (await import("./content/cdl.js")).cdl,
  ctr: async () => (await import("./content/ctr.js")).ctr,
  "deep-music": async () => (await import("./content/deep-music.js")).deepMusic,
  cdae: async () => (await import("./autoencoders/cdae.js")).cdae,
  "rec-vae": async () => (await import("./autoencoders/rec-vae.js")).recVae,
  vasp: async () => (await import("./autoencoders/vasp.js")).vasp,
  blend: async () => (await import("./blend.js")).blendOf(findAlgorithm),
  "content-knn": async () => (await import("./content/content-knn.js")).contentKnn,
};

/** The registered names, in display order. */
export const algorithmNames: readonly string[] = Object.keys(algorithms);

/** The algorithm with this name. Throws UserError, with the nearest name, if there is none. */
export async function findAlgorithm(name: string): Promise<Algorithm> {
  if (!Object.hasOwn(algorithms, name))
    throw new UserError({
      place: "model",
      problem: `"${name}" is unknown`,
      remedy: suggestion(name, algorithmNames),
    });
  return algorithms[name]();
}

/** Restores a saved model of any algorithm. Throws UserError if the files do not match the algorithm, or there is not enough memory. */
export async function restoreModel(files: ModelFiles, run: Pick<RunContext, "engine">): Promise<Recommender> {
  requireMemory({
    place: files.algorithm,
    bytes: Object.values(files.tensors).reduce((sum, tensor) => sum + bytesOf(tensor), 0),
    what: "the trained model",
    alternatives: "Close other programs, or train a smaller model",
  });
  return (await findAlgorithm(files.algorithm)).restore(files, run);
}
