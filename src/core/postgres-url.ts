// A PostgreSQL URL, and what of it may be shown: passwords never appear in messages, in whatever form they are written.

import { UserError } from "./errors.js";

export interface PostgresUrl {
  /** The URL with its secrets, for the driver. */
  readonly url: string;
  /** The URL without anything secret. */
  readonly shown: string;
  /** The name of the database; undefined if the URL has none. */
  readonly database: string | undefined;
  /** Removes all secrets from a message. */
  hide(message: string): string;
}

/** How a malformed URL is reported. */
export interface UrlRules {
  /** The option or argument that the URL was given with. */
  readonly place: string;
  readonly expected: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Query parameters that may be shown; any other one may be a secret of some driver. */
const HARMLESS = /^(host|port|dbname|user|sslmode|application_name|connect_timeout)$/i;
/** Shorter secrets would match parts of ordinary words. */
const LEAST_SECRET = 3;

/** Whether a text is meant as the URL of a PostgreSQL database, well-formed or not. */
export const isPostgresUrl = (text: string): boolean => /^\s*postgres(ql)?:/i.test(text);

/** Parses a URL that begins with postgres:// or postgresql://. Throws UserError, without the password, if it is malformed. */
export function parsePostgresUrl(
  given: string,
  { place, expected, env = process.env }: UrlRules,
): PostgresUrl {
  // pg accepts the scheme only in lower case.
  const url = given.trim().replace(/^[^:]*/, (scheme) => scheme.toLowerCase());
  const parsed = /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  // An @ after the host means that the password contains a /, ? or #, and that its beginning was parsed as the host.
  if (!parsed || /@/.test(parsed.pathname + parsed.search + parsed.hash))
    throw new UserError({
      place,
      problem: "the URL after postgres:// is malformed",
      expected,
      remedy: "In user names and passwords, write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %",
    });
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
  return {
    url,
    shown,
    database: decoded(pathname.slice(1)) || searchParams.get("dbname") || undefined,
    hide: (message) => hidden(message, url, shown, secrets),
  };
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

/** The message of a failed connection: that of the first address, if several were tried. */
export function connectionMessage(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}
