// /v1/users/:id: histories that the server keeps. An event is acknowledged once a crash cannot lose it.

import type { HistoryStore } from "../../store/history-store.js";
import { ask, idOf, shownAnswer, withModel } from "../answer.js";
import { Problem } from "../problems.js";
import type { App, Serving } from "../types.js";

export function users(app: App, { shelf, store, limits, metrics, schemas }: Serving): void {
  const kept = (): HistoryStore => {
    if (store) return store;
    throw new Problem(404, "this server keeps no histories (--store none)");
  };

  app.post(
    "/v1/users/:id/events",
    {
      schema: {
        summary: "Add to a user's history; an item that is there already keeps its latest time",
        tags: ["users"],
        params: schemas.user.params,
        body: schemas.events.body,
        response: { 200: schemas.events.answer },
      },
    },
    async ({ params: { id }, body: { events } }) => {
      const now = Date.now();
      const { unknown, stored } = await withModel(shelf, undefined, id, async (model) => {
        const stored = events.map(({ item, at }) => ({
          item: idOf(model, item),
          at: at === undefined ? now : Date.parse(at),
        }));
        const unknown = stored
          .filter(({ item }) => model.recommender.items.indexOf(item) === undefined)
          .map(({ item }) => item);
        return { stored, unknown: [...new Set(unknown)] };
      });
      await kept().add(id, stored, limits.history);
      metrics.events.inc(stored.length);
      return { stored: stored.length, unknown };
    },
  );

  app.get(
    "/v1/users/:id/events",
    {
      schema: {
        summary: "A user's history as it is kept",
        tags: ["users"],
        params: schemas.user.params,
        response: { 200: schemas.user.history },
      },
    },
    async ({ params: { id } }) => {
      const events = await kept().history(id, limits.history);
      return { events: events.map(({ item, at }) => ({ item, at: new Date(at).toISOString() })) };
    },
  );

  app.get(
    "/v1/users/:id/recommendations",
    {
      schema: {
        summary:
          "Recommend items to a user whose history is kept; to an unknown user as to one with no history",
        tags: ["users"],
        params: schemas.user.params,
        querystring: schemas.user.query,
        response: { 200: schemas.user.answer },
      },
    },
    async ({ params: { id }, query: { model: name, ...options } }) => {
      const events = await kept().history(id, options.explain ? limits.explained : limits.history);
      const history = events.map(({ item }) => item);
      return withModel(shelf, name, id, async (model) =>
        shownAnswer(await ask(model, { ...options, history }, metrics)),
      );
    },
  );

  app.delete(
    "/v1/users/:id",
    {
      schema: {
        summary: "Forget a user",
        tags: ["users"],
        params: schemas.user.params,
        response: { 200: schemas.user.removed },
      },
    },
    async ({ params: { id } }) => ({ removed: await kept().remove(id) }),
  );
}
