// What `--store` names, and how it may be shown: a password in it appears in no message, however it is written.

import { UserError } from "../../core/errors.js";

export type StorePlace =
  | { readonly kind: "sqlite"; readonly path: string }
  | {
      readonly kind: "postgres";
      readonly url: string;
      /** The URL without anything secret. */
      readonly shown: string;
      /** Takes everything secret out of a message about it. */
      hide(message: string): string;
    };

/** Query parameters that may be shown; whatever else stands in a URL may be a secret of some driver. */
const HARMLESS = /^(host|port|dbname|user|sslmode|application_name|connect_timeout)$/i;
/** Shorter ones would be found in every other word. */
const LEAST_SECRET = 3;
const EXPECTED = "postgres://user@host/database, or the path of a file";

/** Throws UserError for a URL of another kind, and for one that cannot be read. */
export function parseStorePlace(given: string, env: NodeJS.ProcessEnv = process.env): StorePlace {
  const text = given.trim();
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined && /^postgres(ql)?$/i.test(scheme)) return postgres(text, env);
  if (scheme !== undefined) throw refused(`${scheme.toLowerCase()}://... is not a store that foldin knows`);
  // A file of such a name would be made, with the password in its name.
  if (/^(postgres(ql)?|jdbc|libsql|mysql|mariadb|redis|mongodb|sqlite|https?|wss?)[a-z+]*:/i.test(text))
    throw refused("it looks like a URL, and is none");
  if (/(^|\s)(password|host|dbname|user)\s*=/i.test(text))
    throw refused("settings such as host=... are not read");
  if (text === "") throw refused("no place is given");
  return { kind: "sqlite", path: given };
}

function postgres(text: string, env: NodeJS.ProcessEnv): StorePlace {
  // pg takes the scheme in small letters alone.
  const url = text.replace(/^[^:]*/, (scheme) => scheme.toLowerCase());
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // An @ further on: what was taken for the host is the beginning of a password with a /, a ? or a #.
  if (!parsed || /@/.test(parsed.pathname + parsed.search + parsed.hash))
    throw refused(
      "the URL after postgres:// cannot be read",
      "In a user's name and a password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %",
    );
  const { username, password, host, pathname, searchParams } = parsed;
  // As they are written, where a + is not a blank; and as they are meant.
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
  // The longest first: one may be part of another.
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
