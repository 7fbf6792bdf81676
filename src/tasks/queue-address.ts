// What --queue names: a URL, a file with a URL, or the environment. A password in the URL of a command line would be visible in
// the list of processes to every user of the machine, and is refused.

import { readFile } from "node:fs/promises";
import { UserError } from "../core/errors.js";
import { isPostgresUrl, type PostgresUrl, parsePostgresUrl } from "../core/postgres-url.js";
import { withSystemFault } from "../core/system-errors.js";

export const queueVariable = "FOLDIN_QUEUE";
const EXPECTED = "postgres://user@host:port/database";
const ELSEWHERE = `Put the URL into a file (--queue @file) or into ${queueVariable} (--queue env); or put the password into PGPASSWORD or ~/.pgpass`;

/** Throws UserError, without the password, for anything but the address of a PostgreSQL database. */
export async function queueAddress(
  given: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<PostgresUrl> {
  if (given.startsWith("@")) return parsed(await textOf(given.slice(1)), `--queue ${given}`, env);
  if (given === "env") {
    const url = env[queueVariable] ?? "";
    if (url.trim() === "")
      throw new UserError({
        place: "--queue env",
        problem: `${queueVariable} is not set`,
        remedy: `Set it to ${EXPECTED}, or give the URL with --queue <url>`,
      });
    return parsed(url, queueVariable, env);
  }
  const url = parsed(given, "--queue", env);
  if (hasPassword(url.url))
    throw new UserError({
      place: "--queue",
      problem:
        "the URL contains a password, which everybody on this machine can read in the list of processes",
      remedy: ELSEWHERE,
    });
  return url;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw withSystemFault(error, path);
  }
}

function parsed(text: string, place: string, env: NodeJS.ProcessEnv): PostgresUrl {
  if (!isPostgresUrl(text))
    throw new UserError({
      place,
      problem: "is not the URL of a PostgreSQL database",
      expected: `${EXPECTED}, @file, or env`,
    });
  return parsePostgresUrl(text, { place, expected: EXPECTED, env });
}

function hasPassword(url: string): boolean {
  const { password, searchParams } = new URL(url);
  return password !== "" || [...searchParams.keys()].some((name) => /password/i.test(name));
}
