// The process with the loaded models. It ends with its parent.

import { AbortedError, UserError } from "../core/errors.js";
import { AmbiguousTitlesError } from "../recommender/look-up.js";
import { loadRecommender } from "../serving/load.js";
import { answerTo } from "./models-answers.js";
import { LoadedModels } from "./models-loaded.js";
import type { FromModels, SentError, ToModels } from "./models-messages.js";
import { followParent } from "./own-process.js";

followParent();

let models: LoadedModels | undefined;
const open = new Map<number, AbortController>();

process.on("message", (message: ToModels) => {
  if ("limits" in message) models = new LoadedModels(message.limits, (path) => loadRecommender(path));
  else if ("stop" in message) open.get(message.stop)?.abort();
  else void work(message);
});

async function work({ id, path, asked }: Extract<ToModels, { asked: unknown }>): Promise<void> {
  const stop = new AbortController();
  open.set(id, stop);
  try {
    const answer = await (models as LoadedModels).use(path, async (recommender) => {
      // Loading cannot be stopped; what would follow can.
      if (stop.signal.aborted) throw new AbortedError();
      return answerTo(recommender, asked, stop.signal);
    });
    send({ id, answer });
  } catch (error) {
    send({ id, error: sent(error) });
  } finally {
    open.delete(id);
  }
}

function send(message: FromModels): void {
  process.send?.(message, () => {});
}

function sent(error: unknown): SentError {
  if (error instanceof AmbiguousTitlesError) return { ambiguous: error.titles };
  if (error instanceof UserError) {
    const { place, problem, expected, remedy } = error;
    return { parts: { place, problem, expected, remedy } };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}
