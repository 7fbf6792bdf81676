// GET /v1/items?search= and GET /v1/items/:id/similar: the catalogue, and what is like what.

import { namedItem } from "../../../recommender/recommend.js";
import { ask, idOf, shownItem, shownRecommendation, withModel } from "../answer.js";
import { Problem } from "../problems.js";
import type { App, Serving } from "../types.js";

export function items(app: App, { shelf, metrics, schemas }: Serving): void {
  app.get(
    "/v1/items",
    {
      schema: {
        summary: "Find items by id or by part of their title",
        tags: ["items"],
        querystring: schemas.items.query,
        response: { 200: schemas.items.answer },
      },
    },
    async ({ query: { search, limit, model: name } }) =>
      withModel(shelf, name, search, async ({ recommender, titles }) => {
        const exact = recommender.items.indexOf(search);
        const found = new Set([...(exact === undefined ? [] : [exact]), ...titles.search(search, limit)]);
        return {
          items: [...found].slice(0, limit).map((index) => shownItem(namedItem(index, recommender.items))),
        };
      }),
  );

  app.get(
    "/v1/items/:id/similar",
    {
      schema: {
        summary: "What the model recommends to somebody who has touched this item alone",
        tags: ["items"],
        params: schemas.similar.params,
        querystring: schemas.similar.query,
        response: { 200: schemas.similar.answer },
      },
    },
    async ({ params, query: { k, model: name } }) =>
      withModel(shelf, name, params.id, async (model) => {
        const { history, items } = await ask(model, { history: [idOf(model, params.id)], k }, metrics);
        if (history.length === 0) throw new Problem(404, `the model ${model.name} knows no such item`);
        return { item: shownItem(history[0]), items: items.map(shownRecommendation) };
      }),
  );
}
