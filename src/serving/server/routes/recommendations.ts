// POST /v1/recommendations: ranked items for one or several histories of any users.

import { ask, reserve, withModel } from "../answer.js";
import { answerText, isLarge, itemsIn, sendText } from "../answer-text.js";
import type { App, Serving } from "../types.js";

export function recommendations(app: App, serving: Serving): void {
  app.post(
    "/v1/recommendations",
    {
      schema: {
        summary: "Recommend items for one or several histories",
        tags: ["recommendations"],
        body: serving.schemas.recommendations.body,
        response: { 200: serving.schemas.recommendations.answer },
      },
    },
    async ({ body }, reply) => {
      const { history, histories = [history ?? []], model: name, user, ...options } = body;
      const key = user ?? JSON.stringify(histories[0]);
      const { answer, work, model, by } = await withModel(serving, reply, name, key, async (model, work) => {
        const k = Math.min(options.k, model.recommender.items.size);
        const numbers = histories.length * k * (options.explain ? histories[0].length + 1 : 1);
        // An index and a score for each.
        if (isLarge(numbers)) reserve(serving, reply, 8 * numbers);
        const fieldOf = (place: number) => (history ? "body.history" : `body.histories.${place}`);
        return ask(model, { ...options, histories, fieldOf }, work, serving);
      });
      const text = answerText(by, answer, model.recommender.items);
      return sendText(reply, text, isLarge(itemsIn(answer)), work);
    },
  );
}
