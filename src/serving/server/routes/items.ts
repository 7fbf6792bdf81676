// GET /v1/items?search= and GET /v1/items/:id/similar: searches the catalogue and finds similar items.

import { parseWhere } from "../../../recommender/filter/where.js";
import { AmbiguousTitlesError, ambiguousTitle, itemsCalled } from "../../../recommender/look-up.js";
import { ask, withModel } from "../answer.js";
import { shownItem, shownRecommendation } from "../answer-text.js";
import { Problem } from "../problems.js";
import type { App, Serving } from "../types.js";

export function items(app: App, serving: Serving): void {
  const { schemas } = serving;
  app.get(
    "/v1/items",
    {
      schema: {
        summary: "Find items by id or by a part of the title",
        tags: ["items"],
        querystring: schemas.items.query,
        response: { 200: schemas.items.answer },
      },
    },
    async ({ query: { search, limit, model: name } }, reply) => {
      const { by, answer } = await withModel(serving, reply, name, search, async (model, { pauses }) => {
        const { items } = model.recommender;
        const exact = items.indexOf(search);
        const called = await (await model.titles).search(search, limit, pauses);
        const found = new Set([...(exact === undefined ? [] : [exact]), ...called]);
        return { items: [...found].slice(0, limit).map((index) => shownItem(index, items)) };
      });
      return { ...by, ...answer };
    },
  );

  app.get(
    "/v1/items/:id/similar",
    {
      schema: {
        summary: "Similar items: recommendations for a history with only this item",
        tags: ["items"],
        params: schemas.similar.params,
        querystring: schemas.similar.query,
        response: { 200: schemas.similar.answer },
      },
    },
    async ({ params: { id }, query: { k, where, model: name } }, reply) => {
      const filter = where === undefined ? undefined : parseWhere(where, "query.where");
      const { by, answer } = await withModel(serving, reply, name, id, async (model, work) => {
        const { items } = model.recommender;
        const { text, called } = await itemsCalled(items, id, "params.id");
        if (called.length === 0) throw new Problem(404, `the model ${model.name} does not know this item`);
        if (called.length > 1)
          throw new AmbiguousTitlesError([ambiguousTitle(items, text, called, "params.id")]);
        const [item] = called;
        const asked = { histories: [[items.ids[item]]], k, filter, fieldOf: () => "item" };
        const [ranked] = await ask(model, asked, work, serving);
        return {
          item: shownItem(item, items),
          items: Array.from(ranked.items, (_, place) => shownRecommendation(ranked, place, items)),
        };
      });
      return { ...by, ...answer };
    },
  );
}
