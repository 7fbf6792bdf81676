// Attributes and filters from the command line: prepare, describe, train, recommend and score.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";

let home: string;
const genres = ["Comedy", "Drama", "Sci Fi"];
const said = async (args: readonly string[]) => {
  const { code, stdout, stderr } = await foldin(args, { cwd: home });
  return { code, stdout, line: stderr.trim() };
};

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "foldin-rules-"));
  const films = Array.from(
    { length: 30 },
    (_, id) => `${id},Film ${id},${genres[id % 3]}|${genres[(id + 1) % 3]},${1980 + id},0${id}`,
  );
  writeFileSync(join(home, "films.csv"), `id,title,genres,year,code\n${films.join("\n")}\n`);
  const views = Array.from({ length: 400 }, (_, k) => `u${Math.floor(k / 8)},${(k * 7) % 30}`);
  writeFileSync(join(home, "views.csv"), `user,item\n${views.join("\n")}\n`);
  writeFileSync(join(home, "out.csv"), "id,why\n1,sold\n4,sold\n");
  const prepared = await foldin(["prepare", "views.csv", "--items", "films.csv", "--out", "data"], {
    cwd: home,
  });
  expect(prepared.stdout).toContain("attributes: genres (list), year (number), code (text)");
  await foldin(["train", "data", "--model", "popularity", "--out", "run"], { cwd: home });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("attributes", () => {
  it("are described", async () => {
    const { stdout } = await said(["describe", "data"]);
    expect(stdout).toContain("  genres (list): 3 values: Comedy 20, Drama 20, Sci Fi 20");
    expect(stdout).toContain("  year (number): 1980 to 2009");
    const { attributes } = JSON.parse((await said(["describe", "data", "--json"])).stdout);
    expect(attributes[1]).toEqual({ name: "year", type: "number", missing: 0, from: 1980, to: 2009 });
    expect(attributes[2]).toMatchObject({ name: "code", type: "text", values: 30 });
  });

  it.each([
    [
      ["--item-type", "year"],
      /^--item-type year: is not a type \(expected column=type, such as year=number\)/,
    ],
    [["--item-type", "year=int"], /--item-type year: unknown type "int"/],
    [["--item-type", "yaer=text"], /--item-type yaer: .*Did you mean "year"\?/],
    [
      ["--item-type", "genres=date"],
      /films\.csv: column "genres" is "Comedy\|Drama" for the item 0 \(expected a date/,
    ],
    [["--item-type", "year=text", "--item-type", "year=date"], /the column year has two types/],
  ])("with %j are refused", async (options, message) => {
    const { code, line } = await said([
      "prepare",
      "views.csv",
      "--items",
      "films.csv",
      ...options,
      "--out",
      "x",
    ]);
    expect(code).toBe(2);
    expect(line.split("\n").at(-1)).toMatch(message);
  });
});

describe("--where and --unavailable", () => {
  const recommended = async (...options: string[]) => {
    const { stdout } = await said(["recommend", "run", "--history", "0", "-k", "30", "--json", ...options]);
    const { recommendations } = JSON.parse(stdout) as { recommendations: { id: string }[] };
    return recommendations.map(({ id }) => Number(id));
  };

  it("restrict recommendations", async () => {
    const all = await recommended();
    const where = "genres = 'Sci Fi' and (year >= 1990 or code = 02)";
    expect(await recommended("--where", where, "--unavailable", "out.csv")).toEqual(
      all.filter((id) => (id % 3 === 2 || id % 3 === 1) && (id >= 10 || id === 2) && id !== 1 && id !== 4),
    );
  });

  it("restrict a scoring", async () => {
    const args = [
      "score",
      "run",
      "--out",
      "s.csv",
      "-k",
      "3",
      "--where",
      "year < 1990",
      "--unavailable",
      "out.csv",
    ];
    expect((await said(args)).code).toBe(0);
    const ids = readFileSync(join(home, "s.csv"), "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => Number(line.split(",")[2]));
    expect(ids.length).toBeGreaterThan(100);
    expect(ids.filter((id) => id >= 10 || id === 1 || id === 4)).toEqual([]);
  });

  it.each([
    [["--where", "genre = Comedy"], /^--where, position 1: .*no attribute "genre".*Did you mean "genres"\?/],
    [["--where", "genres = Sci Fi"], /^--where, position 14: unexpected "Fi"/],
    [["--where", "year >= soon"], /^--where, position 1: "soon" is not a value of "year", which is a number/],
    [["--unavailable", "none.csv"], /^none\.csv: /],
  ])("%j is refused in one line", async (options, message) => {
    const { code, line } = await said(["recommend", "run", "--history", "0", ...options]);
    expect(code).toBe(2);
    expect(line).toMatch(message);
    expect(line.split("\n")).toHaveLength(1);
  });

  it("that name a value that no item has say so", async () => {
    const where = "year >= 1900 and (genres = Comdy or not genres in (Drama, comedy))";
    const { code, line } = await said(["recommend", "run", "--history", "0", "--where", where]);
    expect(code).toBe(0);
    expect(line).toBe(
      'no item has genres = Comdy. Did you mean "Comedy"?\nno item has genres = comedy. Did you mean "Comedy"?',
    );
  });

  it("that leave nothing say so", async () => {
    const { code, line } = await said(["recommend", "run", "--history", "0", "--where", "genres = Western"]);
    expect([code, line]).toEqual([
      0,
      "no item has genres = Western\nno item is left: the filter and the exclusions leave out all of them",
    ]);
  });
});
