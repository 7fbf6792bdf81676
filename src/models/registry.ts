// The models by name. Each is imported only when it is asked for; the CLI, searches and the conformance test read this list,
// so a model is added by writing its file and naming it here.

import { UserError } from "../core/errors.js";
import { requireMemory } from "../core/memory.js";
import { suggestion } from "../core/nearest.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { ModelFiles, Recommender } from "../recommender/recommender.js";
import type { RunContext } from "../recommender/run-context.js";

// An algorithm's options have passed `parseOptions` before they reach `fit`, so one list holds all kinds of algorithms.
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
  "infinite-ae": async () => (await import("./linear/infinite-ae.js")).infiniteAe,
  wmf: async () => (await import("./factors/wmf.js")).wmf,
  nmf: async () => (await import("./factors/nmf.js")).nmf,
  cvae: async () => (await import("./content/cvae.js")).cvae,
  cdl: async () => (await import("./content/cdl.js")).cdl,
  ctr: async () => (await import("./content/ctr.js")).ctr,
  "deep-music": async () => (await import("./content/deep-music.js")).deepMusic,
  cdae: async () => (await import("./autoencoders/cdae.js")).cdae,
  "rec-vae": async () => (await import("./autoencoders/rec-vae.js")).recVae,
  blend: async () => (await import("./blend.js")).blendOf(findAlgorithm),
  "content-knn": async () => (await import("./content/content-knn.js")).contentKnn,
};

/** The registered names, in the order in which they are shown. */
export const algorithmNames: readonly string[] = Object.keys(algorithms);

/** The algorithm of a name. Throws UserError, with the nearest name, where there is none. */
export async function findAlgorithm(name: string): Promise<Algorithm> {
  if (!Object.hasOwn(algorithms, name))
    throw new UserError({
      place: "model",
      problem: `"${name}" is unknown`,
      remedy: suggestion(name, algorithmNames),
    });
  return algorithms[name]();
}

/** Rebuilds a saved model, whatever its algorithm. Throws UserError where the files do not fit the algorithm, or the memory. */
export async function restoreModel(files: ModelFiles, run: Pick<RunContext, "engine">): Promise<Recommender> {
  requireMemory({
    place: files.algorithm,
    bytes: Object.values(files.tensors).reduce((sum, { data }) => sum + data.byteLength, 0),
    what: "the trained model, as the engine holds it,",
    alternatives: "Close other programs, or train a smaller model",
  });
  return (await findAlgorithm(files.algorithm)).restore(files, run);
}
