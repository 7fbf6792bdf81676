// Existing output of a command: it is kept until the new output is complete, whatever happens to the command, and files that
// foldin did not write are never removed.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { foldin, type RunOptions, start } from "../support/foldin.js";

const home = mkdtempSync(join(tmpdir(), "foldin-replaced-"));
const small = ["--model", "mult-vae", "--set", "hidden=8", "--set", "latent=4", "--engine", "reference"];

const run = (args: string[], more: RunOptions = {}) => foldin(args, { cwd: home, ...more });

async function done(args: string[], more: RunOptions = {}) {
  const outcome = await run(args, more);
  expect(outcome.code, `foldin ${args.join(" ")}: ${outcome.stderr}`).toBe(0);
  return outcome;
}

/** Every file below a folder, hidden ones too, with its content. */
function contents(folder: string): Record<string, string> {
  const path = join(home, folder);
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map(({ name, parentPath }) => [
      join(parentPath, name).slice(path.length + 1),
      readFileSync(join(parentPath, name), "base64"),
    ]),
  );
}

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 60; user++)
    for (let i = 0; i < 8; i++) lines.push(`${user},${(user * 7 + i * i * 3) % 40}`);
  writeFileSync(join(home, "clicks.csv"), `${lines.join("\n")}\n`);
  await done(["prepare", "clicks.csv", "--out", "ds", "--validation-users", "8", "--test-users", "8"]);
  await done(["train", "ds", "--out", "first/run", "--epochs", "2", ...small]);
  await done(["train", "ds", "--out", "pop", "--model", "popularity"]);
  writeFileSync(join(home, "first", "run", "notes.txt"), "mine");
});

beforeEach(() => {
  rmSync(join(home, "runs"), { recursive: true, force: true });
  cpSync(join(home, "first"), join(home, "runs"), { recursive: true });
});

describe("train --force", () => {
  const force = ["train", "ds", "--out", "runs/run", "--force", ...small];

  it.each([
    ["bad --threads", ["--threads", "0"], /threads/],
    ["an unfit --init-from", ["--init-from", "pop"], /popularity|mult-vae/],
    ["an --init-from that is not there", ["--init-from", "nowhere"], /nowhere/],
    ["missing content", ["--model", "content-knn"], /content/],
    ["a seed that is too large", ["--seed", "99999999999999999999"], /seed/],
    ["an unknown recipe", ["--recipe", "nothing"], /recipe|nothing/],
  ])("that is refused for %s does not change the old run", async (_, options, message) => {
    const before = contents("runs");
    const dropped =
      options[0] === "--model"
        ? force.filter((word) => !/hidden|latent|^--set$|mult-vae|^--model$/.test(word))
        : force;
    const { code, stderr } = await run([...dropped, ...options]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(contents("runs")).toEqual(before);
  });

  it("that diverges does not change the old run, and says where the new one is", async () => {
    const before = contents("runs/run");
    const { code, stderr } = await run([...force, "--epochs", "3", "--set", "learningRate=1e30"]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/diverged/)]);
    expect(contents("runs/run")).toEqual(before);
  });

  it("that is stopped before its first checkpoint leaves nothing else", async () => {
    const before = contents("runs");
    const large = ["--set", "hidden=3000", "--set", "latent=200", "--epochs", "5"];
    const running = start([...force, ...large], { cwd: home });
    while (running.process.exitCode === null && !existsSync(join(home, "runs/.run.new/config.json")))
      await sleep(5);
    running.process.kill("SIGINT");
    expect((await running.outcome).code).toBe(130);
    expect(contents("runs")).toEqual(before);
  });

  it.each(["SIGINT", "SIGKILL"] as const)(
    "that is ended by %s can be resumed with --resume, and only then replaces the old run",
    async (signal) => {
      const before = contents("runs/run");
      const options = ["--epochs", "12", "--set", "batchSize=4", "--checkpoint-seconds", "0"];
      const running = start([...force, ...options], { cwd: home });
      const metrics = join(home, "runs/.run.new/metrics.jsonl");
      while (
        running.process.exitCode === null &&
        !(existsSync(metrics) && readFileSync(metrics, "utf8").split("\n").length > 3)
      )
        await sleep(5);
      running.process.kill(signal);
      const { stderr } = await running.outcome;
      if (signal === "SIGINT") {
        expect(stderr).toMatch(/trained in .* and replaces runs\/run when it is finished/);
        expect(stderr).toMatch(/to resume: foldin train ds --out runs\/run --resume/);
      }
      expect(contents("runs/run")).toEqual(before);
      // The old run is used as before.
      await done(["recommend", "runs/run", "--history", "3"]);
      const again = await run(["train", "ds", "--out", "runs/run", ...small]);
      expect([again.code, again.stderr]).toEqual([
        2,
        expect.stringMatching(/already contains a finished run/),
      ]);

      const { stderr: told } = await done(["train", "ds", "--out", "runs/run", "--resume"]);
      expect(told).toMatch(/resuming after epoch \d+ of 12/);
      expect(told).toMatch(/kept from the previous runs\/run: notes\.txt/);
      expect(readdirSync(join(home, "runs"))).toEqual(["run"]);
      const { "notes.txt": notes, "metrics.jsonl": lines } = contents("runs/run");
      expect(Buffer.from(notes, "base64").toString()).toBe("mine");
      expect(Buffer.from(lines, "base64").toString().trimEnd().split("\n")).toHaveLength(12);
      // The same as without any of that, byte for byte.
      await done(["train", "ds", "--out", `whole-${signal}`, ...small, ...options]);
      expect(readFileSync(join(home, "runs/run/model/model.safetensors"))).toEqual(
        readFileSync(join(home, `whole-${signal}/model/model.safetensors`)),
      );
    },
  );

  it("can start from the run that it replaces; the result loads and resumes", async () => {
    const args = ["train", "ds", "--init-from", "runs/run", "--out", "runs/run", "--engine", "reference"];
    const { stderr } = await done([...args, "--epochs", "1", "--force"]);
    expect(stderr).toMatch(/starting from a run with 40 of 40 items/);
    await done(["recommend", "runs/run", "--history", "3"]);
    expect(contents("runs/run")).toHaveProperty(["notes.txt"]);
    for (const more of [args, ["train", "ds", "--out", "runs/run"]])
      expect((await done([...more, "--resume"])).stderr).toMatch(/is already finished/);
  });

  it("also replaces an interrupted run and an interrupted replacement", async () => {
    rmSync(join(home, "runs/run/model"), { recursive: true });
    cpSync(join(home, "runs/run"), join(home, "runs/.run.new"), { recursive: true });
    await done([...force, "--epochs", "1"]);
    expect(readdirSync(join(home, "runs"))).toEqual(["run"]);
    await done(["recommend", "runs/run", "--history", "3"]);
  });

  it("does not mistake a folder with only a config.json for a run", async () => {
    mkdirSync(join(home, "runs/app"));
    writeFileSync(join(home, "runs/app/config.json"), '{"port": 8080}');
    const before = contents("runs");
    for (const args of [
      ["train", "ds", "--out", "runs/app", "--force", ...small],
      ["blend", "pop", "first/run", "--out", "runs/app", "--force", "--engine", "reference"],
    ]) {
      const { code, stderr } = await run(args);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/foldin did not write its config\.json/)]);
    }
    expect(contents("runs")).toEqual(before);
  });

  it("says what to do about an interrupted replacement without an old run", async () => {
    cpSync(join(home, "runs/run"), join(home, "runs/.run.new"), { recursive: true });
    rmSync(join(home, "runs/run"), { recursive: true });
    const { code, stderr } = await run(["train", "ds", "--out", "runs/run", ...small]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--resume.*--force/)]);
    expect(existsSync(join(home, "runs/.run.new/config.json"))).toBe(true);
  });
});

describe("blend", () => {
  const blend = ["blend", "pop", "first/run", "--engine", "reference", "--out", "runs/blend"];

  it("--force keeps the old blend until the new one is complete", async () => {
    await done([...blend, "--weights", "1,1"]);
    const before = contents("runs/blend");
    for (const wrong of [
      ["--step", "0.0000001"],
      ["--metric", "nonsense@3"],
      ["--dataset", "clicks.csv"],
    ]) {
      const { code, stderr } = await run([...blend, "--force", ...wrong]);
      expect(code, stderr).toBe(2);
      expect(contents("runs/blend")).toEqual(before);
    }
    await done([...blend, "--weights", "3,1", "--force"]);
    expect(readdirSync(join(home, "runs")).toSorted()).toEqual(["blend", "run"]);
  });

  it("does not suggest --resume after it was killed", async () => {
    await done(blend);
    rmSync(join(home, "runs/blend/model"), { recursive: true });
    const { code, stderr } = await run(blend);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/or use --force to replace it/)]);
    expect(stderr).not.toMatch(/--resume/);
    const unfinished = await run(["evaluate", "runs/blend"]);
    expect(unfinished.stderr).toMatch(/Finish it: foldin blend pop first\/run --out runs\/blend --force/);
    await done([...blend, "--force"]);
  });
});

describe("other commands", () => {
  it("prepare --force keeps the old dataset if the new one is refused, and keeps user files", async () => {
    cpSync(join(home, "ds"), join(home, "runs/ds"), { recursive: true });
    writeFileSync(join(home, "runs/ds/readme.md"), "mine");
    const before = contents("runs");
    for (const wrong of [
      ["--min-user", "999"],
      ["--user", "nobody"],
      ["--content", "nowhere.csv"],
    ]) {
      const { code, stderr } = await run(["prepare", "clicks.csv", "--out", "runs/ds", "--force", ...wrong]);
      expect(code, stderr).toBe(2);
      expect(contents("runs")).toEqual(before);
    }
    await done(["prepare", "clicks.csv", "--out", "runs/ds", "--force"]);
    expect(contents("runs/ds")).toHaveProperty(["readme.md"]);
  });

  it("embed --force replaces vectors and keeps user files in the folder", async () => {
    await done(["embed", "runs/run", "--out", "runs/vectors", "--no-users"]);
    writeFileSync(join(home, "runs/vectors/index.faiss"), "mine");
    await done(["embed", "runs/run", "--out", "runs/vectors", "--no-users", "--format", "npy", "--force"]);
    expect(readdirSync(join(home, "runs/vectors")).toSorted()).toEqual([
      ...["index.faiss", "items.ids.json", "items.npy", "vectors.json"],
    ]);
  });

  it("score, export, compare and evaluate do not overwrite files without --force", async () => {
    for (const [args, file] of [
      [["score", "pop", "--out"], "runs/x.csv"],
      [["export", "first/run", "--onnx"], "runs/x.onnx"],
      [["compare", "pop", "first/run", "--csv"], "runs/x.csv"],
      [["compare", "pop", "first/run", "--html"], "runs/x.html"],
      [["evaluate", "pop", "--per-user"], "runs/x.csv"],
    ] as const) {
      writeFileSync(join(home, file), "mine");
      const { code, stderr } = await run([...args, file]);
      expect([code, stderr], args.join(" ")).toEqual([
        2,
        expect.stringMatching(/^runs\/x\S*: the file already exists/),
      ]);
      expect(readFileSync(join(home, file), "utf8")).toBe("mine");
      await done([...args, file, "--force"]);
      expect(readFileSync(join(home, file), "utf8")).not.toBe("mine");
    }
  });

  it("score --force does not remove a user's folder with the name of its partial output", async () => {
    mkdirSync(join(home, "runs/x.csv.partial"));
    writeFileSync(join(home, "runs/x.csv.partial/thesis.txt"), "mine");
    for (const more of [[], ["--force"], ["--resume"]]) {
      const { code, stderr } = await run(["score", "pop", "--out", "runs/x.csv", ...more]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/was not written by foldin/)]);
    }
    expect(readFileSync(join(home, "runs/x.csv.partial/thesis.txt"), "utf8")).toBe("mine");
  });

  it("search and reproduce do not write to a foreign folder", async () => {
    mkdirSync(join(home, "runs/own"));
    writeFileSync(join(home, "runs/own/results.csv"), "mine");
    for (const args of [
      ["search", "ds", "--model", "item-knn", "--grid", "neighbours=5", "--out"],
      ["reproduce", "baselines", "--data", "ds", "--models", "popularity,item-knn", "--out"],
    ]) {
      for (const out of ["runs/run", "runs/own"]) {
        if (out === "runs/own" && args[0] === "reproduce") continue;
        const before = contents("runs");
        const { code, stderr } = await run([...args, out]);
        expect([code, stderr]).toEqual([2, expect.stringMatching(/is not empty/)]);
        expect(contents("runs")).toEqual(before);
      }
    }
  });

  it("quickstart replaces only an earlier quickstart", async () => {
    cpSync(join(home, "ds"), join(home, "runs/catalogue"), { recursive: true });
    const before = contents("runs");
    const { code, stderr } = await run(["quickstart", "--out", "runs", "--epochs", "1"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/runs\/catalogue: was not written by an earlier quickstart/),
    ]);
    expect(contents("runs")).toEqual(before);
  });
});
