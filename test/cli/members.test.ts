import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodesWithin, sharesOf } from "../../src/compute/blocks.js";
import { findMpi } from "../../src/compute/mpi/library.js";
import { loadDataset } from "../../src/data/dataset.js";
import { demoCatalogue } from "../../src/data/sources/demo.js";
import { foldin } from "../support/foldin.js";
import { launched, mpi } from "../support/mpi.js";

const main = resolve(import.meta.dirname, "../../dist/cli/main.js");

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-members-"));
  data = join(folder, "data");
  const views = [...demoCatalogue({ films: 100, viewers: 300 }).views];
  const file = join(folder, "views.csv");
  await writeFile(file, ["user,item", ...views.map(({ user, item }) => `${user},${item}`)].join("\n"));
  const { code, stderr } = await foldin(["prepare", file, "--out", data]);
  expect(code, stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const options = ["--epochs", "2", "--set", "hidden=[40]", "--set", "latent=8", "--set", "batchSize=60"];
const train = (out: string, ...more: string[]) => [
  "train",
  data,
  "--out",
  join(folder, out),
  ...options,
  ...more,
];
/**
 * The bytes that a member sends per update of `users`: two sums of [users, width], each with the rows of the others of every node, and
 * its own rows to all others; and four statistics for each user and own block to all others.
 */
function modelled(members: number, blocks: number, users: number, width: number): number {
  const bytes = sharesOf(blocks, members).map((share, rank) => {
    const rows = Math.floor(((rank + 1) * users) / members) - Math.floor((rank * users) / members);
    const nodes = nodesWithin(share, blocks).length;
    const sum = 4 * width * (nodes * (users - rows) + (members - 1) * rows);
    return 2 * sum + 16 * users * (share.to - share.from) * (members - 1);
  });
  return Math.max(...bytes);
}

describe.skipIf(!mpi)("foldin train in several processes", () => {
  it("prints once, what one process without MPI prints, and the bytes sent as modelled", async () => {
    const [three, alone] = await Promise.all([
      launched(3, [main, ...train("three")]),
      foldin(train("alone", "--blocks", "16", "--engine", "native")),
    ]);
    expect(three.code, three.stderr).toBe(0);
    expect(alone.code, alone.stderr).toBe(0);
    const table = ({ stdout }: { stdout: string }) => stdout.split("\n").filter((line) => line.includes("±"));
    expect(table(three)).toEqual(table(alone));
    expect(table(three)).toHaveLength(3);
    expect(three.stdout.match(/trained on/g)).toHaveLength(1);
    const [, megabytes] = /by one of 3 processes: ([\d.]+) MB/.exec(three.stderr) ?? [];
    const { rows } = (await loadDataset(data)).train;
    const batches = [...new Array<number>(Math.floor(rows / 60)).fill(60), rows % 60].filter(
      (size) => size > 0,
    );
    const expected = batches.reduce((sum, users) => sum + modelled(3, 16, users, 40), 0) / batches.length;
    expect(Number(megabytes)).toBeCloseTo(expected / 1e6, 3);
    const [model, same] = await Promise.all(
      ["three", "alone"].map((run) => readFile(join(folder, run, "model/model.safetensors"))),
    );
    expect(model.equals(same)).toBe(true);
    const again = await launched(2, [main, ...train("three", "--resume")]);
    expect([again.code, again.stdout.match(/trained on/g)?.length]).toEqual([0, 1]);
    const recommended = await foldin(["recommend", join(folder, "three"), "--history", "1,2"]);
    expect(recommended.code, recommended.stderr).toBe(0);
  });

  it.each<[string, string[], string]>([
    ["a model option that does not exist", ["--set", "nope=1"], "nope: "],
    ["more processes than blocks", ["--blocks", "2"], "3 processes cannot share 2 blocks"],
    ["the reference engine", ["--engine", "reference"], "the reference engine cannot exchange numbers"],
    ["a missing dataset", [], "there is no such file"],
  ])("reports %s once and ends all processes", async (what, more, message) => {
    const args = train("refused", ...more);
    if (what === "a missing dataset") args[1] = join(folder, "no-data");
    const { code, stderr, stdout } = await launched(3, [main, ...args]);
    expect(code, stderr).not.toBe(0);
    expect(stdout).toBe("");
    // The launcher adds notices of its own.
    expect(stderr.split(message).length - 1, stderr).toBe(1);
    expect(stderr).not.toMatch(/^process \d+ on /m);
  });

  it("reports a library that cannot be loaded once", async () => {
    const { code, stderr } = await launched(2, [main, ...train("refused")], {
      FOLDIN_MPI: "/nowhere/libmpi.so",
    });
    expect(code).not.toBe(0);
    expect(stderr.match(/no MPI library can be loaded/g)).toHaveLength(1);
  });
});

describe("foldin doctor", () => {
  it("says which MPI library was found, or why there is none", async () => {
    const found = findMpi(process.env);
    const { stdout } = await foldin(["doctor", "--json"]);
    expect(JSON.parse(stdout).mpi).toEqual(found);
  });
});
