import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { foldin } from "../../support/foldin.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const prepare = (...args: string[]) => foldin(["prepare", ...args, "--out", "made"], { cwd: root });

describe("foldin prepare <source>", () => {
  it("makes the demo, and prints its manifest with --json and nothing else", async () => {
    const { code, stdout } = await prepare("demo", "--json");
    expect(code).toBe(0);
    const manifest = JSON.parse(stdout);
    expect(manifest.source).toMatchObject({ name: "demo", generated: true });
    expect(manifest.counts.sourceRows).toBeGreaterThan(100_000);
  });

  it("says which expected counts differ, with both numbers", async () => {
    mkdirSync(join(root, "in"));
    const rows = Array.from(
      { length: 400 },
      (_, k) => `${k % 40},${(k + 3 * Math.floor(k / 40)) % 30},5,0\n`,
    );
    writeFileSync(join(root, "in", "ratings.csv"), `userId,movieId,rating,timestamp\n${rows.join("")}`);
    const { code, stdout, stderr } = await prepare(
      ...["ml-latest-small", "--from", "in", "--test-users", "4", "--validation-users", "4"],
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\d of \d expected counts matched/)]);
    expect(stderr).toContain("rows of the files: 400 instead of 100,836");
  });

  it.each([
    [["ml-1m"], /ml-1m needs a folder with its files.*--from.*--download/],
    [["ml-1m", "--from", "nowhere"], /nowhere: there is no such folder/],
    [["ml-1m", "--from", ".", "--user", "u"], /--user: cannot be used with the known source ml-1m/],
    [["ml-1m", "--from", ".", "--no-time"], /--no-time: cannot be used with the known source ml-1m/],
    [["ml-2m"], /"ml-2m" is neither a file nor a known source.*Did you mean ml-1m\?/],
    [["ratings.csv"], /ratings\.csv: there is no such file/],
    [["ml-2m", "--from", "."], /there is no source "ml-2m".*Did you mean ml-1m\?/],
    [["a.csv", "--from", "."], /there is no source "a\.csv"/],
    [["a.csv", "b.csv", "--download"], /--download: cannot be used with files \(a\.csv, b\.csv\)/],
    [["ml-1m", "a.csv"], /the known source ml-1m cannot be combined with a\.csv/],
    [["demo", "--from", "."], /--from: the demo is generated/],
    [["demo", "--min-users", "3"], /--min-users.*--min-user/],
    [
      ["ml-1m", "--download", "--mirror", "http://127.0.0.1:9/"],
      /ml-1m\.zip: cannot be reached.*downloads\/ml-1m/,
    ],
  ])("refuses %j with one message and exit 2", async (args, message) => {
    const { code, stdout, stderr } = await prepare(...args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(readdirSync(root)).toEqual([]);
  });

  it("treats an existing file as a file, whatever its name", async () => {
    writeFileSync(join(root, "demo"), "user,item\n1,2\n");
    const { code, stderr } = await prepare("demo");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/none of 1 interactions remains/)]);
  });
});
