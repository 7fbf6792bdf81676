// Builds the Rust kernels of native/ into native/foldin.<platform>.node, if cargo is available and their sources have
// changed. foldin works without them, but slower, so a failure here is reported in one line and is not an error.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { platformName } from "./platform.mjs";

const native = join(dirname(fileURLToPath(import.meta.url)), "..", "native");
const platform = platformName();
const addon = join(native, `foldin.${platform}.node`);
/** Records the sources from which the addon was built. */
const stamp = join(native, "target", `built.${platform}`);

function sourceHash() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(native, "src"), { recursive: true }).filter((name) =>
    name.endsWith(".rs"),
  );
  const files = ["Cargo.toml", "Cargo.lock", "build.rs", ...sources.sort().map((name) => join("src", name))];
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(native, file)));
  return hash.digest("hex");
}

function giveUp(why) {
  const instead = existsSync(addon)
    ? "the native engine built earlier stays in use"
    : "the plain TypeScript engine will be used, which is much slower";
  console.error(`foldin setup: the native engine was not built (${why}): ${instead}.`);
  process.exit(0);
}

/** Why cargo cannot build the kernels, or undefined if it can. */
function cargoProblem() {
  const { error, status, stdout, stderr } = spawnSync("cargo", ["--version"], { encoding: "utf8" });
  if (error?.code === "ENOENT")
    return "cargo, the Rust build tool, is not installed; https://rustup.rs installs it";
  const [, version] = /^cargo (\d+\.\d+)/.exec(stdout ?? "") ?? [];
  if (status !== 0 || !version) {
    const [line] = `${error?.message ?? ""}${stderr ?? ""}${stdout ?? ""}`.trim().split("\n");
    return `cargo --version failed${line ? `: ${line}` : ""}`;
  }
  const [, needed] = /^rust-version = "(.*)"$/m.exec(readFileSync(join(native, "Cargo.toml"), "utf8"));
  return version.localeCompare(needed, undefined, { numeric: true }) < 0
    ? `cargo ${version} is too old: Rust ${needed} or newer is required; rustup update installs it`
    : undefined;
}

const hash = sourceHash();
if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) {
  console.error("foldin setup: the native engine is up to date");
  process.exit(0);
}
const noCargo = cargoProblem();
if (noCargo) giveUp(noCargo);

console.error("foldin setup: building the native engine (Rust); the first time takes a minute or two ...");
const started = Date.now();
const flags = platform.endsWith("musl") ? { RUSTFLAGS: "-C target-feature=-crt-static" } : {};
const { status } = spawnSync("cargo", ["build", "--release", "--locked"], {
  cwd: native,
  // With a target folder from the environment, the copy below would not find the library.
  env: { ...process.env, ...flags, CARGO_TARGET_DIR: join(native, "target") },
  stdio: "inherit",
});
if (status !== 0) giveUp("cargo failed, see the lines above");

const library = { darwin: "libfoldin_native.dylib", win32: "foldin_native.dll" }[process.platform];
// Written under another name and renamed: a process that has loaded the old one keeps it, and the file is never incomplete.
copyFileSync(join(native, "target", "release", library ?? "libfoldin_native.so"), `${addon}.new`);
renameSync(`${addon}.new`, addon);
mkdirSync(dirname(stamp), { recursive: true });
writeFileSync(stamp, hash);
console.error(
  `foldin setup: building the native engine took ${((Date.now() - started) / 1000).toFixed(0)} s`,
);
