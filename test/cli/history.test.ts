import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resolveExcluded, resolveHistory } from "../../src/cli/history.js";
import { Vocabulary } from "../../src/data/vocabulary.js";

const items = new Vocabulary(
  ["858", "1", "260", "m,1", "1196", "7", "8", "2054"],
  [
    "Godfather, The (1972)",
    "Toy Story (1995)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "M, the Murderer (1931)",
    null,
    "Hamlet (1948)",
    "Hamlet (1996)",
    "Honey, I Shrunk the Kids (1989)",
  ],
);

async function ids(...entries: string[]): Promise<string[]> {
  return [...(await resolveHistory(entries, items))].map((index) => items.ids[index]);
}

function complaint(...entries: string[]): Promise<string> {
  return ids(...entries).then(
    (found) => `found ${found}`,
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe("excluded items", () => {
  it("are all items with the title; unknown ones are refused", async () => {
    const excluded = async (...entries: string[]) =>
      [...(await resolveExcluded(entries, items))].map((index) => items.ids[index]);
    expect(await excluded("hamlet")).toEqual(["7", "8"]);
    expect(await excluded("hamlet, 1")).toEqual(["7", "8", "1"]);
    expect(await excluded("Hamlet (1948)", "")).toEqual(["7"]);
    await expect(excluded("Hamlt")).rejects.toThrow(/^--exclude: no item .*'Hamlt'\. Did you mean 'Hamlet/);
  });
});

describe("a history on the command line", () => {
  it("is empty for blanks, commas and an empty file", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "foldin-")), "nothing.txt");
    for (const content of ["", "\n\r\n  \n", "\ufeff"]) {
      writeFileSync(file, content);
      expect(await ids(`@${file}`)).toEqual([]);
    }
    for (const nothing of ["", " ", "\t\n", ",", " , ,"]) expect(await ids(nothing)).toEqual([]);
    expect(await ids("", "858", " ")).toEqual(["858"]);
    const named = new Vocabulary(["", "a"]);
    expect([...(await resolveHistory([""], named))]).toEqual([0]);
  });

  it("with a title of many items: the error lists ten of them", async () => {
    const many = new Vocabulary(
      Array.from({ length: 12 }, (_, i) => `id${i}`),
      Array.from({ length: 12 }, () => "Hamlet"),
    );
    await expect(resolveHistory(["hamlet"], many)).rejects.toThrow(
      /12 items .*id0 \(Hamlet\), .*id9 \(Hamlet\), and 2 more$/,
    );
  });

  it("may have a byte order mark and any line endings in its file", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "foldin-")), "seen.txt");
    writeFileSync(file, "\ufeff858\r1\n260\r\n");
    expect(await ids(`@${file}`)).toEqual(["858", "1", "260"]);
  });

  it("is resolved as an id, then as a title, then as a comma-separated list", async () => {
    expect(await ids("858")).toEqual(["858"]);
    expect(await ids("m,1")).toEqual(["m,1"]);
    expect(await ids("Godfather, The (1972)")).toEqual(["858"]);
    expect(await ids("the godfather", "godfather, the", "The Godfather (1972)")).toEqual(["858"]);
    expect(await ids("honey, i shrunk the kids")).toEqual(["2054"]);
    expect(await ids("858, 1,1196")).toEqual(["858", "1", "1196"]);
    expect(await ids("toy story, 260")).toEqual(["1", "260"]);
  });

  it("contains every item once, in the given order", async () => {
    expect(await ids("260", "1", "Toy Story (1995)", "260")).toEqual(["260", "1"]);
  });

  it("can come from a file, one entry per line", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "foldin-")), "seen.txt");
    writeFileSync(file, "Toy Story\r\n\n 858 \nGodfather, The (1972)\n");
    expect(await ids(`@${file}`)).toEqual(["1", "858"]);
    expect(await complaint(`@${file}.not`)).toMatch(
      /^UserError: .*seen\.txt\.not: there is no such file \(expected a text file with one id or title/,
    );
  });

  it("with unknown entries is refused, with similar titles or example ids", async () => {
    expect(await complaint("Toy Sory")).toBe(
      "UserError: --history: no item of this model has the id or title 'Toy Sory'. Did you mean 'Toy Story (1995)'?",
    );
    expect(await complaint("godfather")).toContain("Did you mean 'Godfather, The (1972)'?");
    expect(await complaint("Toy Story (1996)")).toContain("Did you mean 'Toy Story (1995)'?");
    expect(await complaint("99999")).toBe(
      "UserError: --history: no item of this model has the id or title '99999' (expected ids like '858', '1', '260')",
    );
    expect(await complaint("90001,90002")).toContain("'90001', '90002'");
    expect(await complaint("858,90002")).toContain("title '90002'");
    expect(await complaint("Godfather, Th (1972)")).toContain(
      "'Godfather, Th (1972)'. Did you mean 'Godfather, The (1972)'?",
    );
  });

  it("with an ambiguous title asks for the id", async () => {
    expect(await ids("Hamlet (1996)")).toEqual(["8"]);
    expect(await complaint("hamlet")).toBe(
      "UserError: --history: 2 items have the title 'hamlet'. Use an id instead: 7 (Hamlet (1948)), 8 (Hamlet (1996))",
    );
  });
});
