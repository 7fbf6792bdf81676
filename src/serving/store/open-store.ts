// Which store a name means: PostgreSQL by its URL, a SQLite file by its path.

import { UserError } from "../../core/errors.js";
import type { HistoryStore } from "./history-store.js";

/** Opens the store: `postgres://...`, or the path of a file. Throws UserError where it cannot be used. */
export async function openStore(place: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  if (/^postgres(ql)?:\/\//.test(place))
    return (await import("./postgres-store.js")).openPostgres(place, onError);
  if (/^[a-z][a-z0-9+.-]+:\/\//.test(place))
    throw new UserError({
      place: "--store",
      problem: `${place.replace(/:\/\/.*/, "://...")} is no store that foldin knows`,
      expected: "postgres://... or the path of a file",
    });
  return (await import("./sqlite-store.js")).openSqlite(place);
}
