// /v1/users/:id: user histories in the store. An event is acknowledged once it is stored durably.

import { parseWhere } from "../../../recommender/filter/where.js";
import { AmbiguousTitlesError, ambiguousTitle, itemsCalled } from "../../../recommender/look-up.js";
import type { HistoryStore } from "../../store/history-store.js";
import { ask, reserve, withModel } from "../answer.js";
import { isLarge, itemsIn, sendText, singleAnswerText } from "../answer-text.js";
import { Problem } from "../problems.js";
import { tooManyReasons } from "../schemas.js";
import type { App, Serving } from "../types.js";

export function users(app: App, serving: Serving): void {
  const { store, limits, metrics, schemas } = serving;
  const kept = (): HistoryStore => {
    if (store) return store;
    throw new Problem(404, "this server does not store histories (--store none)");
  };

  app.post(
    "/v1/users/:id/events",
    {
      schema: {
        summary: "Add events to a user's history; an existing item gets the later time",
        tags: ["users"],
        params: schemas.user.params,
        body: schemas.events.body,
        response: { 200: schemas.events.answer },
      },
    },
    async ({ params: { id }, body: { events } }, reply) => {
      const now = Date.now();
      const { answer } = await withModel(
        serving,
        reply,
        undefined,
        id,
        async ({ recommender }, { pauses }) => {
          const { items } = recommender;
          const stored = [];
          const unknown = new Set<string>();
          const ambiguous = [];
          for (const [e, { item, at }] of events.entries()) {
            if (pauses.due) await pauses.yield();
            const place = `body.events.${e}.item`;
            const { text, called } = await itemsCalled(items, item, place);
            if (called.length === 0) unknown.add(text);
            else if (called.length > 1) ambiguous.push(ambiguousTitle(items, text, called, place));
            stored.push({
              item: called.length === 0 ? text : items.ids[called[0]],
              at: at === undefined ? now : Date.parse(at),
            });
          }
          if (ambiguous.length > 0) throw new AmbiguousTitlesError(ambiguous.slice(0, 20));
          return { stored, unknown: [...unknown] };
        },
      );
      const { stored, unknown } = answer;
      await kept().add(id, stored, limits.history);
      metrics.events.inc(stored.length);
      return { stored: stored.length, unknown };
    },
  );

  app.get(
    "/v1/users/:id/events",
    {
      schema: {
        summary: "Get the stored history of a user",
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
        summary: "Recommend items for the stored history of a user; an unknown user has an empty history",
        tags: ["users"],
        params: schemas.user.params,
        querystring: schemas.user.query,
        response: { 200: schemas.user.answer },
      },
    },
    async ({ params: { id }, query: { model: name, where, ...others } }, reply) => {
      const filter = where === undefined ? undefined : parseWhere(where, "query.where");
      const options = { ...others, filter };
      const events = await kept().history(id, options.explain ? limits.explained : limits.history);
      const histories = [events.map(({ item }) => item)];
      const numbers = options.k * (options.explain ? events.length + 1 : 1);
      if (options.explain && options.k * events.length > limits.reasons)
        throw new Problem(400, `query.k: ${tooManyReasons(options.k, events.length, limits.reasons)}`);
      if (isLarge(numbers)) reserve(serving, reply, 8 * numbers);
      const { answer, work, model, by } = await withModel(serving, reply, name, id, (model, work) =>
        // An ambiguous title in a stored history is reported, because the client cannot change the history in this request.
        ask(model, { ...options, histories, fieldOf: () => "history", severalOf: "reported" }, work, serving),
      );
      const text = singleAnswerText(by, answer[0], model.recommender.items);
      return sendText(reply, text, isLarge(itemsIn(answer)), work);
    },
  );

  app.delete(
    "/v1/users/:id",
    {
      schema: {
        summary: "Delete a user",
        tags: ["users"],
        params: schemas.user.params,
        response: { 200: schemas.user.removed },
      },
    },
    async ({ params: { id } }) => ({ removed: await kept().remove(id) }),
  );
}
