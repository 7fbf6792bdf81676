import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

/** 60 users with 6 to 10 of 20 items. */
const rows = Array.from({ length: 60 }, (_, user) =>
  Array.from(
    { length: 6 + (user % 5) },
    (_, i) => `${user + 1},${101 + ((user * 7 + i * 3) % 20)},${3 + ((user + i) % 3)}`,
  ),
).flat();
const good = ["userId,movieId,rating", ...rows];

/** Runs in the folder; expects exit code 2, nothing on stdout and one line on stderr, which comes back. */
async function complaint(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await foldin(args, { cwd: folder });
  const lines = stderr.trimEnd().split("\n");
  expect({ code, stdout, lines: lines.length }, stderr).toEqual({ code: 2, stdout: "", lines: 1 });
  return lines[0];
}

describe("prepare", () => {
  async function preparing(name: string, text: string | undefined): Promise<string> {
    if (text !== undefined) file(name, text);
    const message = await complaint("prepare", name, "--out", `out-${name}`);
    // Neither the dataset nor anything that was to become one.
    expect(readdirSync(folder).filter((entry) => entry.includes(`out-${name}`))).toEqual([]);
    return message;
  }

  it("of a missing file", async () => {
    expect(await preparing("nowhere.csv", undefined)).toContain("nowhere.csv");
  });

  it("of an empty file", async () => {
    expect(await preparing("empty.csv", "")).toMatch(/empty\.csv.*empty/);
  });

  it("of a file with only a header", async () => {
    expect(await preparing("header.csv", "userId,movieId,rating\n")).toContain("header.csv");
  });

  it("of a file without an item column: names the existing columns", async () => {
    expect(await preparing("column.csv", "userId,colour,rating\n1,red,5\n2,blue,4\n")).toMatch(
      /column\.csv.*item.*colour/,
    );
  });

  it("of text in the rating column: names file and line", async () => {
    const lines = [...good];
    lines[150] = lines[150].replace(/,\d$/, ",lots");
    expect(await preparing("text.csv", `${lines.join("\n")}\n`)).toMatch(/text\.csv:151\b.*lots/);
  });

  it("of a ragged row: names file and line", async () => {
    const lines = [...good];
    lines[200] = lines[200].replace(/,\d$/, "");
    expect(await preparing("ragged.csv", `${lines.join("\n")}\n`)).toMatch(/ragged\.csv:201\b/);
  });

  it("with a mistyped option: names the nearest", async () => {
    file("good.csv", `${good.join("\n")}\n`);
    expect(await complaint("prepare", "good.csv", "--min-ratng", "4", "--out", "x")).toContain(
      "--min-rating",
    );
  });
});

describe("train, evaluate and recommend", () => {
  beforeAll(async () => {
    file("good.csv", `${good.join("\n")}\n`);
    const prepared = await foldin(
      [
        "prepare",
        "good.csv",
        "--out",
        "dataset",
        "--validation-users",
        "6",
        "--test-users",
        "6",
        "--min-user",
        "1",
      ],
      { cwd: folder },
    );
    expect(prepared.code, prepared.stderr).toBe(0);
    const trained = await foldin(
      ["train", "dataset", "--model", "popularity", "--out", "run", "--engine", "reference"],
      { cwd: folder },
    );
    expect(trained.code, trained.stderr).toBe(0);
  });

  it.each([
    [["--model", "mult-vea"], /mult-vea.*Did you mean .mult-vae.\?/],
    [["--set", "epoch=3"], /no such option.*Did you mean .epochs.\?/],
    [["--set", "latent=lots"], /latent.*lots.*whole number/],
    [["--epochs", "ten"], /--epochs.*'ten'.*whole number/],
    [["--model", "popularity", "--epochs", "10"], /epochs.*popularity/],
    [["--resum"], /unknown option '--resum' \(did you mean --resume\?\)/],
    [["--engine", "cuda"], /--engine.*cuda.*native/],
  ])("train refuses %j and leaves no run behind", async (args, message) => {
    expect(await complaint("train", "dataset", "--out", "refused", ...args)).toMatch(message);
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });

  it("train does not overwrite anything", async () => {
    expect(await complaint("train", "dataset", "--model", "popularity", "--out", "run")).toMatch(/^run: /);
    mkdirSync(join(folder, "mine"), { recursive: true });
    writeFileSync(join(folder, "mine", "thesis.txt"), "all of it");
    expect(await complaint("train", "dataset", "--model", "popularity", "--force", "--out", "mine")).toMatch(
      /^mine: /,
    );
    expect(readFileSync(join(folder, "mine", "thesis.txt"), "utf8")).toBe("all of it");
  });

  it("a missing or damaged dataset folder: names the file", async () => {
    expect(await complaint("train", "nowhere", "--out", "refused")).toContain("nowhere");
    const prepared = await foldin(
      [
        "prepare",
        "good.csv",
        "--out",
        "damaged",
        "--validation-users",
        "6",
        "--test-users",
        "6",
        "--min-user",
        "1",
      ],
      { cwd: folder },
    );
    expect(prepared.code, prepared.stderr).toBe(0);
    truncateSync(join(folder, "damaged", "train.parquet"), 100);
    expect(await complaint("train", "damaged", "--out", "refused")).toContain(
      join("damaged", "train.parquet"),
    );
    writeFileSync(join(folder, "damaged", "manifest.json"), "{ not json");
    expect(await complaint("train", "damaged", "--out", "refused")).toContain(
      join("damaged", "manifest.json"),
    );
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });

  it("evaluate refuses an unknown metric with the nearest", async () => {
    expect(await complaint("evaluate", "run", "--metrics", "ndgc@100")).toMatch(
      /ndgc.*Did you mean .ndcg.\?/,
    );
  });

  it("evaluate and recommend refuse a folder that is not a run", async () => {
    expect(await complaint("evaluate", "dataset")).toContain("dataset");
    expect(await complaint("recommend", "dataset", "--history", "101")).toContain("dataset");
  });

  it("recommend refuses a history of unknown ids", async () => {
    expect(await complaint("recommend", "run", "--history", "990,991", "--history", "992")).toMatch(
      /'990', '991', '992'/,
    );
  });
});
