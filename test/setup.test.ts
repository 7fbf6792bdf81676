import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** What `cargo` is, and the reason that the set-up prints for it. */
const machines: [string, string | undefined, string][] = [
  ["no cargo", undefined, "cargo, the Rust build tool, is not installed; https://rustup.rs installs it"],
  [
    "an old cargo",
    'echo "cargo 1.60.0 (d1fd9fe2c 2022-03-01)"',
    "cargo 1.60 is too old: Rust 1.89 or newer is required; rustup update installs it",
  ],
  [
    "a cargo that does not start",
    "echo 'error: no default toolchain' >&2; echo more >&2; exit 1",
    "cargo --version failed: error: no default toolchain",
  ],
];

// Shell scripts stand for cargo.
describe.skipIf(process.platform === "win32")("a clone without a usable cargo", () => {
  const clone = mkdtempSync(join(tmpdir(), "foldin-clone-"));
  const bin = join(clone, "bin");
  const instead = "the plain TypeScript engine will be used, which is much slower.";

  beforeAll(() => {
    const isSource = (path: string) => !/native\/target|\.node$/.test(path);
    const files = [
      "package.json",
      "package-lock.json",
      "tsconfig.json",
      "src",
      "studio",
      "scripts",
      "native",
      "dist",
    ];
    for (const name of files)
      cpSync(join(root, name), join(clone, name), {
        recursive: true,
        preserveTimestamps: true,
        filter: isSource,
      });
    // Not newer than the installation: nothing has to be installed.
    utimesSync(join(clone, "package-lock.json"), 0, 0);
    symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "node"));
  });

  afterAll(() => rmSync(clone, { recursive: true, force: true }));

  /** Runs a command in the clone with a PATH that has Node.js, a shell and what `cargo` is. */
  function run(cargo: string | undefined, command: string, args: readonly string[]) {
    const file = join(bin, "cargo");
    rmSync(file, { force: true });
    if (cargo !== undefined) {
      writeFileSync(file, `#!/bin/sh\n${cargo}\n`);
      chmodSync(file, 0o755);
    }
    return spawnSync(command, args, {
      cwd: clone,
      env: { PATH: bin, HOME: clone, NO_COLOR: "1" },
      encoding: "utf8",
    });
  }

  it.each(machines)("says in one line what is missing: %s", (_, cargo, reason) => {
    const { status, stdout, stderr } = run(cargo, process.execPath, ["scripts/build-native.mjs"]);
    expect(stderr).toBe(`foldin setup: the native engine was not built (${reason}): ${instead}\n`);
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("runs the quickstart with the plain TypeScript engine", () => {
    const npm = join(dirname(process.execPath), "npm");
    symlinkSync("/bin/sh", join(bin, "sh"));
    const args = ["run", "--silent", "quickstart", "--", "--epochs", "1"];
    const { status, stdout, stderr } = run(undefined, npm, args);
    expect(stderr).toContain(`is not installed; https://rustup.rs installs it): ${instead}`);
    expect(stdout).toContain("popularity");
    expect(status, stderr).toBe(0);
  }, 600_000);
});
