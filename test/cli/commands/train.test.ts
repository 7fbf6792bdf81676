import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-train-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (...args: string[]) => foldin(args, { cwd: folder });
const configOf = (name: string) => JSON.parse(readFileSync(join(folder, name, "config.json"), "utf8"));

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 200; user++)
    for (let i = 0; i < 10; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 60}`);
  writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
  const { code, stderr } = await run(
    ...["prepare", "clicks.csv", "--out", "data", "--validation-users", "20", "--test-users", "20"],
  );
  expect(code, stderr).toBe(0);
});

describe("foldin train without --model", () => {
  it("chooses by the shape of the data, and says so", async () => {
    const { code, stderr } = await run("train", "data", "--out", "chosen");
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/ease is chosen because the catalogue of 60 items .* about .* s/);
    expect(configOf("chosen").model).toBe("ease");
    expect(configOf("chosen").options).toMatchObject({ lambda: 50, p: 0.4 });
    // A resumed run keeps its model.
    const again = await run("train", "data", "--out", "chosen", "--resume");
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).not.toContain("is chosen");
  });

  it("keeps mult-vae where its options are given, and takes the model of a recipe's file", async () => {
    const { code, stderr } = await run(
      ...["train", "data", "--epochs", "1", "--set", "hidden=8", "--set", "latent=4", "--out", "network"],
    );
    expect(code, stderr).toBe(0);
    expect(configOf("network").model).toBe("mult-vae");
    const searched = await run(
      ...["search", "data", "--model", "item-knn", "--grid", "neighbours=5,10", "--out", "search"],
    );
    expect(searched.code, searched.stderr).toBe(0);
    const trained = await run("train", "data", "--recipe", "search/recipe.json", "--out", "recipe");
    expect(trained.code, trained.stderr).toBe(0);
    expect(configOf("recipe").model).toBe("item-knn");
    expect(trained.stderr).not.toContain("another shape");
  });

  it("reports a recipe from data of another shape", async () => {
    const { code, stderr } = await run(
      ...["train", "data", "--model", "item-knn", "--recipe", "ml-1m", "--out", "foreign"],
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /the recipe ml-1m was chosen on data of another shape.*items 60 instead of 3,497.*foldin tune/,
    );
  });
});

describe("foldin train --seeds", () => {
  it("blends a run per seed", async () => {
    const { code, stdout, stderr } = await run(
      ...["train", "data", "--model", "mult-dae", "--epochs", "1", "--set", "latent=4"],
      ...["--seeds", "2", "--blend", "--out", "two"],
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/1 of 2: seed 98765[\s\S]*2 of 2: seed 98766/);
    expect(stdout).toMatch(/run: two.blend/);
  });

  it.each([
    [["--seeds", "3"], /--seeds: needs --blend/],
    [["--blend"], /--blend: needs the number of seeds/],
    [["--seeds", "1", "--blend"], /at least 2/],
    [["--seeds", "2", "--blend", "--force"], /--force: cannot be combined with --seeds/],
    [["--seeds", "2", "--blend", "--init-from", "chosen"], /--init-from: cannot be combined/],
    [["--seeds", "2", "--blend", "--distill", "chosen"], /--distill: cannot be combined.*one seed at a time/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await run("train", "data", "--model", "mult-dae", "--out", "refused", ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe("foldin train --distill", () => {
  const student = ["train", "data", "--model", "mult-dae", "--epochs", "2", "--set", "latent=4"];

  it("learns from a run, records it, and needs it no more once it is finished", async () => {
    const teacher = await run("train", "data", "--model", "ease", "--out", "teacher");
    expect(teacher.code, teacher.stderr).toBe(0);
    const first = await run(...student, "--distill", "teacher", "--out", "student");
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/distillation: scoring 160 users/);
    expect(configOf("student").distill).toEqual({
      path: join(realpathSync(folder), "teacher"),
      digest: expect.stringMatching(/^[0-9a-f]+$/),
    });
    const without = await run(
      ...student,
      "--distill",
      "teacher",
      "--set",
      "distillWeight=0",
      "--out",
      "zero",
    );
    expect(without.code, without.stderr).toBe(0);
    const plain = await run(...student, "--out", "plain");
    expect(plain.code, plain.stderr).toBe(0);
    const weights = (name: string) => readFileSync(join(folder, name, "model", "model.safetensors"));
    expect(weights("zero").equals(weights("plain"))).toBe(true);
    expect(weights("student").equals(weights("plain"))).toBe(false);
    renameSync(join(folder, "teacher"), join(folder, "elsewhere"));
    const again = await run("train", "data", "--out", "student", "--resume");
    renameSync(join(folder, "elsewhere"), join(folder, "teacher"));
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).toContain("already finished");
  });

  it("resumes an interrupted student with its teacher, and ends with the same weights", async () => {
    const { train } = await import("../../../src/experiments/train.js");
    const { loadDataset } = await import("../../../src/data/dataset.js");
    const dataset = await loadDataset(join(folder, "data"));
    const given = {
      ...{ model: "mult-dae", options: { latent: 4, epochs: 4 }, distill: join(folder, "teacher") },
      ...{ engine: "reference" as const },
    };
    const out = join(folder, "paused");
    await expect(train(dataset, { ...given, out, pauseAfter: 2 })).rejects.toThrow(/paused after epoch 2/);
    const resumed = await run("train", "data", "--out", "paused", "--resume");
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain("resuming after epoch 2 of 4");
    (await train(dataset, { ...given, out: join(folder, "whole") })).dispose();
    const weights = (name: string) => readFileSync(join(folder, name, "model", "model.safetensors"));
    expect(weights("paused").equals(weights("whole"))).toBe(true);
  });

  it.each([
    [
      ["--model", "ease", "--distill", "teacher"],
      /--distill: ease cannot learn.*mult-vae, mult-dae, rec-vae/,
    ],
    [["--model", "mult-dae", "--set", "distillWeight=.3"], /distillWeight: needs a teacher.*--distill/],
    [
      ["--model", "mult-dae", "--distill", "teacher", "--set", "distillWeight=2"],
      /distillWeight: 2 is not valid/,
    ],
    [["--model", "mult-dae", "--distill", "nowhere"], /nowhere.*there is no such file/],
    [["--model", "mult-dae", "--distill", "teacher", "--blocks", "2"], /a run without --distill/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await run("train", "data", ...args, "--out", "refused");
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("refuses a teacher of other data", async () => {
    const other = await run(
      ...["prepare", "clicks.csv", "--out", "other", "--validation-users", "10", "--test-users", "20"],
    );
    expect(other.code, other.stderr).toBe(0);
    const { code, stderr } = await run(
      ...["train", "other", "--model", "mult-dae", "--distill", "teacher", "--out", "refused"],
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/teacher: was not trained on this version of .*expected runs that were trained/);
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });
});
