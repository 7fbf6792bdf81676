// Printed commands for copying: pasted into a shell, they pass names unchanged and execute nothing else.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { shellWord } from "../../src/core/shell.js";
import type { SearchResult } from "../../src/experiments/search/result.js";
import { foldin, start } from "../support/foldin.js";

const home = mkdtempSync(join(tmpdir(), "foldin-printed-"));
const small = ["--set", "hidden=8", "--set", "latent=4", "--engine", "reference"];

/** The words that `foldin` would get. */
function words(line: string): string[] {
  const show = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
  const script = `foldin() { ${shellWord(process.execPath)} -e '${show}' -- "$@"; }\n${line}`;
  const before = readdirSync(home);
  const printed = JSON.parse(
    execFileSync("/bin/sh", ["-c", script], { cwd: home, encoding: "utf8" }),
  ) as string[];
  expect(readdirSync(home)).toEqual(before);
  return printed;
}

const textAfter = (mark: string, text: string) => text.slice(text.indexOf(mark) + mark.length).split("\n")[0];

beforeAll(() => {
  const lines = ["user,item"];
  for (let user = 0; user < 300; user++)
    for (let i = 0; i < 10; i++) lines.push(`${user},${(user * 7 + i * i * 3) % 90}`);
  writeFileSync(join(home, "clicks.csv"), `${lines.join("\n")}\n`);
});

describe.each(["d$(touch x)", "it's; touch x", "-dash", "line\nbreak", "`touch x` \u001b[31m"])(
  "with the name %j",
  (name) => {
    it("prepare, train, evaluate and search print commands that can be pasted", async () => {
      const ran = async (args: string[]) => {
        const outcome = await foldin(args, { cwd: home });
        expect(outcome.code, outcome.stderr).toBe(0);
        return outcome.stdout;
      };
      const argument = name.startsWith("-") ? `./${name}` : name;
      const held = ["--validation-users", "20", "--test-users", "20"];
      const prepared = await ran(["prepare", "clicks.csv", "--out", name, ...held]);
      expect(words(textAfter("Next: ", prepared))).toEqual([...["train", argument, "--out", `runs/${name}`]]);

      const run = `run ${name}`;
      const running = start(["train", argument, "--out", run, "--epochs", "9999", ...small], { cwd: home });
      while (
        running.process.exitCode === null &&
        !existsSync(join(home, run, "checkpoint/checkpoint.safetensors"))
      )
        await sleep(10);
      running.process.kill("SIGINT");
      const { stderr } = await running.outcome;
      const resume = words(textAfter("to resume: ", stderr));
      expect(resume).toEqual(["train", argument, "--out", run, "--resume"]);

      const unfinished = await foldin(["evaluate", run], { cwd: home });
      expect(words(textAfter("Finish it: ", unfinished.stderr))).toEqual([
        ...["train", join(home, name), "--out", run, "--resume"],
      ]);

      const search = [
        "search",
        argument,
        "--model",
        "item-knn",
        "--grid",
        "neighbours=5,10",
        "--out",
        `search ${name}`,
      ];
      await ran(search);
      const { command } = JSON.parse(
        readFileSync(join(home, `search ${name}`, "results.json"), "utf8"),
      ) as SearchResult;
      expect(words(command).slice(0, 4)).toEqual(["search", `data/${name}`, "--model", "item-knn"]);
      rmSync(join(home, name), { recursive: true });
    });
  },
);
