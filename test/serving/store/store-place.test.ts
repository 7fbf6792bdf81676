// A password in --store is shown nowhere, however it is written.

import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStore } from "../../../src/serving/store/open-store.js";
import { parseStorePlace } from "../../../src/serving/store/store-place.js";
import { start } from "../../support/foldin.js";

/** All that an error may show: to a user, in a log, in a debugger. */
const everything = (error: unknown) =>
  `${inspect(error, { depth: 10, showHidden: true })} ${error instanceof Error ? `${error.stack} ${JSON.stringify(error)}` : ""}`;

async function complaint(place: string): Promise<string> {
  return openStore(place).then(
    () => "opened",
    (error: unknown) => everything(error),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const HOST = "127.0.0.1:9";

describe("a password in --store", () => {
  it.each([
    `postgres://me:hush-hush@${HOST}/none`,
    `Postgres://me:hush-hush@${HOST}/none`,
    `POSTGRESQL://me:hush-hush@${HOST}/none`,
    ` postgres://me:hush-hush@${HOST}/none`,
    `\tpostgres://me:hush-hush@${HOST}/none\n`,
    `postgres://me:%68ush-hush@${HOST}/none`,
    `postgres://me%3Ahush-hush@${HOST}/none`,
    `postgres://:hush-hush@${HOST}/none`,
    `postgres://${HOST}/none?user=me&password=hush-hush`,
    `postgres://${HOST}/none?PASSWORD=hush-hush`,
    `postgres://${HOST}/none?sslpassword=hush-hush&sslmode=disable`,
    `postgres://${HOST}/none?options=-c%20x.y%3Dhush-hush`,
    `postgres://me:1/hush-hush@${HOST}/none`,
    `postgres://me:1?hush-hush@${HOST}/none`,
    `postgres://me:1#hush-hush@${HOST}/none`,
    `postgres://me:hush-hush`,
    `postgres:/me:hush-hush@${HOST}/none`,
    `postgres:me:hush-hush@${HOST}/none`,
    `libsql://db.example.org?authToken=hush-hush`,
    `LibSQL://db.example.org?authToken=hush-hush`,
    `https://db.example.org?authToken=hush-hush`,
    `mysql://me:hush-hush@${HOST}/none`,
    `jdbc:postgresql://${HOST}/none?user=me&password=hush-hush`,
    `host=127.0.0.1 port=9 user=me password=hush-hush`,
    `user=me password='hush-hush'`,
  ])("is not in the error for %s", async (place) => {
    const said = await complaint(place);
    expect(said).toContain("UserError");
    expect(said).toContain("--store");
    expect(said.toLowerCase()).not.toContain("hush");
  });

  it("is hidden if it comes from the environment", async () => {
    const place = parseStorePlace(`postgres://me@${HOST}/none`, { PGPASSWORD: "hush-hush" });
    expect(place.kind === "postgres" && place.hide(`cannot log in with "hush-hush" at ${HOST}`)).toBe(
      `cannot log in with "***" at ${HOST}`,
    );
  });

  it("is hidden in database messages, raw, decoded and encoded, also as a part of the URL", () => {
    const place = parseStorePlace("postgres://me:hush%20%40hush@db/none");
    if (place.kind !== "postgres") throw new Error("not a URL");
    expect(place.shown).toBe("postgres://me@db/none");
    expect(place.hide("hush @hush, hush%20%40hush, postgres://me:hush%20%40hush@db/none")).toBe(
      "***, ***, postgres://me@db/none",
    );
  });

  it("is not in the displayed URL or in any error, for any URL", () => {
    const secret = fc
      .string({ unit: fc.constantFrom(..."abcXYZ0189 @:/?#&=%+$!'\"\\;,é猫"), minLength: 4, maxLength: 20 })
      .map((text) => `Zq7${text}`);
    const scheme = fc.constantFrom(
      "postgres",
      "Postgres",
      "POSTGRES",
      "postgresql",
      "PostgreSQL",
      "mysql",
      "libsql",
    );
    const blank = fc.constantFrom("", " ", "\t", "\n  ");
    const way = fc.constantFrom<(secret: string, scheme: string) => string>(
      (s, scheme) => `${scheme}://me:${encodeURIComponent(s)}@db.example.org:5432/foldin`,
      (s, scheme) => `${scheme}://me:${s}@db.example.org/foldin`,
      (s, scheme) => `${scheme}://db.example.org/foldin?password=${encodeURIComponent(s)}`,
      (s, scheme) => `${scheme}://db.example.org/foldin?user=me&sslpassword=${s}&sslmode=require`,
      (s, scheme) => `${scheme}://db.example.org/foldin?authToken=${s}`,
      (s, scheme) => `${scheme}:me:${s}@db.example.org`,
      (s, scheme) =>
        `${scheme}://me:${[...new TextEncoder().encode(s)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}@db/x`,
    );
    fc.assert(
      fc.property(secret, scheme, blank, way, (text, scheme, blank, way) => {
        const given = blank + way(text, scheme);
        let said: string;
        try {
          const place = parseStorePlace(given, {});
          if (place.kind !== "postgres") throw new Error("a file would be made of this name");
          said = `${place.shown} ${place.hide(`failed: ${place.url}, or ${text}, or ${decoded(new URL(place.url).password)}`)}`;
        } catch (error) {
          if (!(error instanceof Error) || error.name !== "UserError") throw error;
          said = everything(error);
        }
        expect(said).not.toContain("Zq7");
      }),
      { numRuns: 2_000 },
    );
  });

  it("is not printed by the program, not in debug output, and not if given instead of a run", async () => {
    for (const args of [
      ["serve", "nowhere", "--store", ` Postgres://me:hush-hush@${HOST}/none`],
      ["serve", `postgres://me:hush-hush@${HOST}/none`],
      ["recommend", `Postgres://me:hush-hush@${HOST}/none?password=hush-hush`, "--history", "1"],
      ["serve", "nowhere", "--token-file", `postgres://me:hush-hush@${HOST}/none`],
      ["serve", "nowhere", `--stor=postgres://me:hush-hush@${HOST}/none`],
    ]) {
      const { code, stdout, stderr } = await start(args, { env: { FOLDIN_DEBUG: "1" } }).outcome;
      expect(code).toBe(2);
      expect(stdout + stderr).not.toContain("hush");
    }
  });
});
