// Parses `--store` and makes it safe to show: passwords in it never appear in messages, in whatever form they are written.

import { UserError } from "../../core/errors.js";

export type StorePlace =
  | { readonly kind: "sqlite"; readonly path: string }
  | {
      readonly kind: "postgres";
      readonly url: string;
      /** The URL without anything secret. */
      readonly shown: string;
      /** Removes all secrets from a message. */
      hide(message: string): string;
    };

/** Query parameters that may be shown; any other one may be a secret of some driver. */
const HARMLESS = /^(host|port|dbname|user|sslmode|application_name|connect_timeout)$/i;
/** Shorter secrets would match parts of ordinary words. */
const LEAST_SECRET = 3;
const EXPECTED = "postgres://user@host/database or the path of a SQLite file";

/** Throws UserError for an unsupported or malformed URL. */
export function parseStorePlace(given: string, env: NodeJS.ProcessEnv = process.env): StorePlace {
  const text = given.trim();
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined && /^postgres(ql)?$/i.test(scheme)) return postgres(text, env);
  if (scheme !== undefined) throw refused(`${scheme.toLowerCase()}://... is not supported`);
  // Otherwise a file with this name would be created, with the password in its name.
  if (/^(postgres(ql)?|jdbc|libsql|mysql|mariadb|redis|mongodb|sqlite|https?|wss?)[a-z+]*:/i.test(text))
    throw refused("malformed URL");
  if (/(^|\s)(password|host|dbname|user)\s*=/i.test(text))
    throw refused("connection strings such as host=... are not supported");
  if (text === "") throw refused("must not be empty");
  return { kind: "sqlite", path: given };
}

function postgres(text: string, env: NodeJS.ProcessEnv): StorePlace {
  // pg accepts the scheme only in lower case.
  const url = text.replace(/^[^:]*/, (scheme) => scheme.toLowerCase());
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // An @ after the host means that the password contains a /, ? or #, and that its beginning was parsed as the host.
  if (!parsed || /@/.test(parsed.pathname + parsed.search + parsed.hash))
    throw refused(
      "the URL after postgres:// is malformed",
      "In user names and passwords, write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %",
    );
  const { username, password, host, pathname, searchParams } = parsed;
  // Query parameters as written, where + is not a space; `searchParams` has the decoded ones.
  const written = (/\?([^#]*)/.exec(url)?.[1] ?? "")
    .split("&")
    .map((pair) => [pair.split("=", 1)[0], pair.replace(/^[^=]*=?/, "")]);
  const query = [...searchParams].filter(([name]) => HARMLESS.test(name));
  const shown = [
    `postgres://${username === "" ? "" : `${username.replace(/%3a.*/i, "")}@`}${host}${pathname}`,
    ...(query.length > 0 ? [new URLSearchParams(query).toString()] : []),
  ].join("?");
  const secrets = [
    password,
    /^[^:]*:\/\/[^:/?#]*:(.*)@/.exec(url)?.[1],
    ...[...searchParams, ...written].filter(([name]) => !HARMLESS.test(name)).map(([, value]) => value),
    ...[env.PGPASSWORD, env.PGSSLPASSWORD],
  ].filter((secret) => secret !== undefined);
  return { kind: "postgres", url, shown, hide: (message) => hidden(message, url, shown, secrets) };
}

function hidden(message: string, url: string, shown: string, secrets: readonly string[]): string {
  let text = message.replaceAll(url, shown);
  const ways = secrets.flatMap((secret) => [secret, decoded(secret), encodeURIComponent(decoded(secret))]);
  // Longest first, because one may be part of another.
  for (const way of [...new Set(ways)].sort((a, b) => b.length - a.length))
    if (way.length >= LEAST_SECRET) text = text.replaceAll(way, "***");
  return text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refused(problem: string, remedy?: string): UserError {
  return new UserError({ place: "--store", problem, expected: EXPECTED, remedy });
}
