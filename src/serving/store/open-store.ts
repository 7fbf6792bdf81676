// Which store a name means: PostgreSQL by its URL, a SQLite file by its path.

import type { HistoryStore } from "./history-store.js";
import { parseStorePlace } from "./store-place.js";

/**
 * Opens the store: `postgres://...`, or the path of a file; `onError` hears of what happens to it while nobody asks. Throws
 * UserError where it cannot be used.
 */
export async function openStore(given: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  const place = parseStorePlace(given);
  return place.kind === "postgres"
    ? (await import("./postgres-store.js")).openPostgres(place, onError)
    : (await import("./sqlite-store.js")).openSqlite(place.path, onError);
}
