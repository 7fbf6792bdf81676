import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "foldin-"));
  const sizes = ["--items", "3000", "--users", "300", "--interactions", "5000"];
  expect((await foldin(["prepare", "demo", ...sizes, "--out", "data"], { cwd: root })).code).toBe(0);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("--memory", () => {
  const train = (...args: string[]) => foldin(["train", "data", ...args, "--out", "run"], { cwd: root });

  it("refuses a run that needs more, with both numbers and the alternatives", async () => {
    const { code, stderr } = await train("--model", "mult-vae", "--set", "hidden=20000", "--memory", "1GiB");
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /mult-vae: training on 1,\d{3} items needs \d\.\d GiB of memory, but only \d+ MiB are available\. Leave out rare items \(foldin prepare --min-item\), or use smaller layers .*negatives=4096.*a model for large catalogues \(item-knn, sansa, elsa, wmf\), or a machine with more memory/,
    );
  });

  it("does not stop a run that fits", async () => {
    expect((await train("--model", "popularity", "--memory", "1GiB")).code).toBe(0);
  });

  describe("of a trained model", () => {
    const commands: [command: string, ...args: string[]][] = [
      ["evaluate", "evaluate", "run"],
      ["score", "score", "run", "--out", "scores.csv"],
      ["serve", "serve", "run", "--port", "0", "--store", "none"],
    ];

    it.each(commands)(
      "refuses to %s with less, with both numbers and the alternatives",
      async (_, ...args) => {
        const { code, stderr } = await foldin([...args, "--memory", "40MiB"], { cwd: root });
        expect([code, stderr]).toEqual([
          2,
          expect.stringMatching(
            /^run: (evaluating|scoring|serving)( \(.+\))? needs \d+ MiB of memory, but only \d+ MiB are available\. Train a smaller model or one for large catalogues \(such as sansa or item-knn\), leave out rare items \(foldin prepare --min-item\), close other programs, or use a machine with more memory/,
          ),
        ]);
        expect(existsSync(join(root, "scores.csv.partial"))).toBe(false);
      },
    );

    it.each(commands.slice(0, 2))("does not stop what fits: %s", async (_, ...args) => {
      expect((await foldin([...args, "--memory", "1GiB"], { cwd: root })).code).toBe(0);
    });
  });

  it("must be an amount", async () => {
    const { code, stderr } = await train("--memory", "lots");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^--memory: "lots" is not an amount of memory/),
    ]);
  });
});
