// The formatting of the Rust kernels (rustfmt) and clippy, warnings as errors; skipped, with a line that says so, where one is missing.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const native = join(import.meta.dirname, "..", "native");
const checks = [
  ["rustfmt", ["fmt", "--check"]],
  ["clippy", ["clippy", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"]],
];

for (const [name, args] of checks) {
  if (spawnSync("cargo", [args[0], "--version"]).status !== 0) {
    console.error(`lint: ${name} skipped: cargo ${args[0]} is not installed`);
    continue;
  }
  const { status } = spawnSync("cargo", args, { cwd: native, stdio: "inherit" });
  if (status === 0) console.log(`${name}: no complaints`);
  else {
    console.error(`lint: ${name} failed; see the lines above`);
    process.exitCode = 1;
  }
}
