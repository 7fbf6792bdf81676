// POST /v1/recommendations: histories in, ranked items out; nobody needs to be known.

import { ask, shownAnswer, withModel } from "../answer.js";
import type { App, Serving } from "../types.js";

export function recommendations(app: App, { shelf, metrics, schemas }: Serving): void {
  app.post(
    "/v1/recommendations",
    {
      schema: {
        summary: "Recommend items for one history or for several",
        tags: ["recommendations"],
        body: schemas.recommendations.body,
        response: { 200: schemas.recommendations.answer },
      },
    },
    async ({ body }) => {
      const { history, histories = [history ?? []], model: name, user, ...options } = body;
      const key = user ?? JSON.stringify(histories[0]);
      return withModel(shelf, name, key, async (model) => {
        const answers = await Promise.all(
          histories.map((history) => ask(model, { ...options, history }, metrics)),
        );
        return { results: answers.map(shownAnswer) };
      });
    },
  );
}
