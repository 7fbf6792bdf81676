// PUT and GET /v1/items/availability: takes items out of all answers, and brings them back, without a restart.

import { setImmediate } from "node:timers/promises";
import { UserError } from "../../../core/errors.js";
import { MOST_UNAVAILABLE } from "../../availability/availability.js";
import { Problem } from "../problems.js";
import type { App, Serving } from "../types.js";

/** Unknown ids that an answer lists. */
const MOST_LISTED = 100;

export function availability(app: App, serving: Serving): void {
  const { router, schemas, availability, unavailableFile, mayChangeAvailability } = serving;
  const kept = unavailableFile !== undefined;

  app.put(
    "/v1/items/availability",
    {
      schema: {
        summary:
          "Take items out of all answers, or bring them back; from the moment of the answer, no answer has them",
        tags: ["items"],
        body: schemas.availability.body,
        response: { 200: schemas.availability.answer },
      },
    },
    async ({ body: { takeOut = [], bringBack = [], replace }, log }) => {
      if (!mayChangeAvailability)
        throw new Problem(
          403,
          "availability can be changed only with a token, because other machines can reach this server; start it with --token-file",
        );
      const changed = (before: ReadonlySet<string>) => {
        const ids = new Set(replace ? replace.map(String) : before);
        for (const id of takeOut) ids.add(String(id));
        for (const id of bringBack) ids.delete(String(id));
        if (ids.size > MOST_UNAVAILABLE)
          throw new Problem(400, `more than ${MOST_UNAVAILABLE} items would be unavailable`);
        return ids;
      };
      if (unavailableFile)
        await unavailableFile.change(changed).catch((error: unknown) => {
          if (!(error instanceof UserError)) throw error;
          log.error({ err: error }, "the file of unavailable items cannot be written");
          throw new Problem(503, "the file of unavailable items cannot be written; nothing was changed");
        });
      else availability.replace(changed(availability.ids));
      // Answers that were checked before the change are sent before this one.
      await setImmediate();
      const models = router.models.map(({ model }) => model.recommender.items);
      const named = new Set([...(replace ?? []), ...takeOut, ...bringBack].map(String));
      const unknown: string[] = [];
      for (const id of named) {
        if (unknown.length === MOST_LISTED) break;
        if (models.every((items) => items.indexOf(id) === undefined)) unknown.push(id);
      }
      return { unavailable: availability.ids.size, unknown, kept };
    },
  );

  app.get(
    "/v1/items/availability",
    {
      schema: {
        summary: "List the items that are out",
        tags: ["items"],
        querystring: schemas.availability.query,
        response: { 200: schemas.availability.list },
      },
    },
    async ({ query: { limit } }) => {
      const items: string[] = [];
      for (const id of availability.ids) {
        if (items.length === limit) break;
        items.push(id);
      }
      return { unavailable: availability.ids.size, items, kept };
    },
  );
}
