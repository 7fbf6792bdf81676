// Opens a store by its name: the URL of a PostgreSQL database or the path of a SQLite file.

import type { HistoryStore } from "./history-store.js";
import { parseStorePlace } from "./store-place.js";

/**
 * Opens the store: `postgres://...` or the path of a file. `onError` is called for errors outside of any operation. Throws
 * UserError if the store cannot be used.
 */
export async function openStore(given: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  const place = parseStorePlace(given);
  return place.kind === "postgres"
    ? (await import("./postgres-store.js")).openPostgres(place, onError)
    : (await import("./sqlite-store.js")).openSqlite(place.path, onError);
}
