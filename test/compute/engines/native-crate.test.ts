import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

const cargo = spawnSync("cargo", ["--version"]).status === 0;

describe.skipIf(!cargo)("the Rust crate", () => {
  it("passes its own tests: the same bits on every instruction set of this machine", () => {
    const { status, stdout, stderr } = spawnSync("cargo", ["test", "--release", "--locked", "--quiet"], {
      cwd: resolve(import.meta.dirname, "../../../native"),
      encoding: "utf8",
    });
    expect(stdout, stderr).toMatch(/test result: ok\. [1-9]\d* passed/);
    expect(status).toBe(0);
  }, 300_000);
});
