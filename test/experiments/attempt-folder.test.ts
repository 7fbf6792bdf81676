import {
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
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { inAttemptFolder, removeAttempts } from "../../src/experiments/attempt-folder.js";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "foldin-attempt-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const current = (id: string) => ({ id, fence: async () => {} });
const names = () => readdirSync(parent).sort();

/** A run that has a checkpoint, or a model. */
function write(folder: string, text: string, part: "checkpoint" | "model" = "checkpoint"): void {
  mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(join(folder, part, part === "model" ? "config.json" : "checkpoint.safetensors"), text);
}
const checkpoint = (folder: string) =>
  readFileSync(join(folder, "checkpoint", "checkpoint.safetensors"), "utf8");

describe("an attempt's folder", () => {
  it("becomes the run's folder at the end", async () => {
    const run = join(parent, "run");
    await inAttemptFolder(run, current("1"), async (own) => {
      expect(existsSync(run)).toBe(false);
      write(own, "mine");
    });
    expect(names()).toEqual(["run"]);
    expect(checkpoint(run)).toBe("mine");
  });

  it("starts from the checkpoint of the former attempt, whose late writes reach nothing", async () => {
    const run = join(parent, "run");
    let resume = () => {};
    const asleep = new Promise<void>((done) => {
      resume = done;
    });
    const late = inAttemptFolder(run, current("1"), async (own) => {
      write(own, "first");
      await asleep;
      writeFileSync(join(own, "checkpoint", "checkpoint.safetensors"), "late");
    });
    late.catch(() => {});
    while (!existsSync(join(parent, ".run.attempt-1", "checkpoint", "checkpoint.safetensors")))
      await new Promise((done) => setTimeout(done, 5));
    await inAttemptFolder(run, current("2"), async (own) => {
      expect(checkpoint(own)).toBe("first");
      resume();
      await expect(late).rejects.toThrow(/ENOENT/);
      write(own, "second");
    });
    expect(checkpoint(run)).toBe("second");
    expect(names()).toEqual(["run"]);
  });

  it("is not renamed to the run's when the attempt is over", async () => {
    const run = join(parent, "run");
    let over = false;
    const attempt = {
      id: "1",
      async fence() {
        if (over) throw new AbortedError();
      },
    };
    await expect(
      inAttemptFolder(run, attempt, async (own) => {
        write(own, "mine");
        over = true;
      }),
    ).rejects.toThrow(AbortedError);
    expect(names()).toEqual([".run.attempt-1"]);
    await removeAttempts(parent);
    expect(names()).toEqual([]);
  });

  it("does not replace the folder of an attempt that was faster", async () => {
    const run = join(parent, "run");
    await inAttemptFolder(run, current("1"), async (own) => {
      write(own, "slow");
      // Another one, which began before the fence of this one could tell.
      write(run, "fast");
    });
    expect(checkpoint(run)).toBe("fast");
    expect(names()).toEqual(["run"]);
  });

  it("takes over the folder that is furthest, of a local search too, and removes the others", async () => {
    const run = join(parent, "run");
    write(run, "local");
    write(join(parent, ".run.attempt-0"), "finished", "model");
    mkdirSync(join(parent, ".run.attempt-late", "checkpoint"), { recursive: true });
    await inAttemptFolder(run, current("1"), async (own) => {
      expect(existsSync(join(own, "model"))).toBe(true);
      expect(existsSync(run)).toBe(false);
    });
    expect(names()).toEqual([".run.attempt-late", "run"]);
  });
});
