// Parses `--store` and makes it safe to show: passwords in it never appear in messages, in whatever form they are written.

import { UserError } from "../../core/errors.js";
import { type PostgresUrl, parsePostgresUrl } from "../../core/postgres-url.js";

export type StorePlace =
  | { readonly kind: "sqlite"; readonly path: string }
  | (PostgresUrl & { readonly kind: "postgres" });

const place = "--store";
const expected = "postgres://user@host/database or the path of a SQLite file";

/** Throws UserError for an unsupported or malformed URL. */
export function parseStorePlace(given: string, env: NodeJS.ProcessEnv = process.env): StorePlace {
  const text = given.trim();
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined && /^postgres(ql)?$/i.test(scheme))
    return { kind: "postgres", ...parsePostgresUrl(text, { place, expected, env }) };
  if (scheme !== undefined) throw refused(`${scheme.toLowerCase()}://... is not supported`);
  // Otherwise a file with this name would be created, with the password in its name.
  if (/^(postgres(ql)?|jdbc|libsql|mysql|mariadb|redis|mongodb|sqlite|https?|wss?)[a-z+]*:/i.test(text))
    throw refused("malformed URL");
  if (/(^|\s)(password|host|dbname|user)\s*=/i.test(text))
    throw refused("connection strings such as host=... are not supported");
  if (text === "") throw refused("must not be empty");
  return { kind: "sqlite", path: given };
}

function refused(problem: string): UserError {
  return new UserError({ place, problem, expected });
}
