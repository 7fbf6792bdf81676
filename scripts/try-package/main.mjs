// Tries the packages that `npm pack` makes, each way in an empty project: `node scripts/try-package/main.mjs [name ...]`
// (default: all of `ways`). A way is a runtime with a package manager. Runtimes and package managers come from the npm
// registry. In each project the program trains, evaluates, recommends and serves from the command line, and program.mjs
// does so as a library. Prints the rows of the table in docs/support.md; exits with 1 if a step failed.
import { execFile, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openRegistry } from "./registry.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const windows = process.platform === "win32";
const exe = windows ? ".exe" : "";
const system = windows ? "windows" : process.platform;
const MOST_SECONDS = 300;

/** A release of Node.js as npm packages it. */
const node = (version) => ({
  package: `node-${windows ? "win" : process.platform}-${process.arch}@${version}`,
  binary: `bin/node${exe}`,
});
const deno = {
  package: `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`,
  binary: `deno${exe}`,
  // A project's own node_modules, as npm laid it out.
  args: ["run", "--allow-all", "--node-modules-dir=manual"],
};
const bun = {
  package: `@oven/bun-${system}-${process.arch === "arm64" ? "aarch64" : "x64-baseline"}`,
  binary: `bin/bun${exe}`,
};
const withNpm = ["npm", "install", "--no-audit", "--no-fund", "foldin"];

/** By name: the runtime, the package manager and its command, and packages that bring the manager. */
const ways = {
  "node-20": { runtime: node(20), install: withNpm },
  "node-22": { runtime: node(22), install: withNpm },
  "node-24": { runtime: node(24), install: withNpm },
  // As on a platform without a package: the plain TypeScript engine.
  "node-22-reference": {
    runtime: node(22),
    install: withNpm,
    remove: "node_modules/@foldin",
    engine: "reference",
  },
  "node-22-pnpm": { runtime: node(22), manager: "pnpm@10", install: ["pnpm", "add", "foldin"] },
  "node-22-yarn": { runtime: node(22), manager: "yarn@1", install: ["yarn", "add", "foldin"] },
  deno: { runtime: deno, install: withNpm },
  bun: { runtime: bun, install: ["bun", "add", "foldin"] },
};

const folder = mkdtempSync(join(tmpdir(), "foldin-try-"));
const names = process.argv.slice(2);
const unknown = names.filter((name) => !ways[name]);
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; known: ${Object.keys(ways).join(", ")}`);
  process.exit(2);
}

class Failure extends Error {}

/** Runs a command to its end; what it wrote to standard output. Not synchronous: the registry runs in this process. */
function run(command, args, { cwd, env = process.env }) {
  const limits = { timeout: 1000 * MOST_SECONDS, maxBuffer: 2 ** 26, shell: windows };
  return new Promise((done, failed) => {
    execFile(command, args, { cwd, env, ...limits }, (error, stdout, stderr) => {
      if (!error) return done(stdout.trim());
      const said = `${stdout}${stderr}`.trim().split("\n").slice(-12).join("\n");
      failed(
        new Failure(`${[command, ...args].join(" ")}: ${error.signal ?? `exit ${error.code}`}\n${said}`),
      );
    });
  });
}

/** Installs a tool from the registry; the folder of its package. */
async function fetchTool(spec) {
  const name = spec.replace(/(?<=.)@.*/, "");
  const place = join(folder, "tools", spec.replaceAll("/", "+"));
  if (!existsSync(place)) {
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), '{ "private": true }');
    await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", spec], { cwd: place });
  }
  return { package: join(place, "node_modules", name), bin: join(place, "node_modules", ".bin") };
}

/** Starts `foldin serve`, asks it for recommendations and stops it. */
async function serve(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  let said = "";
  try {
    const address = await new Promise((found, failed) => {
      child.stderr.on("data", (text) => {
        said += text;
        const [, url] = /serving \S+ at (http:\/\/\S+)/.exec(said) ?? [];
        if (url) found(url);
      });
      ended.then((code) => failed(new Failure(`foldin serve ended with ${code}: ${said}`)));
    });
    const answer = await fetch(`${address}/v1/recommendations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ history: ["1", "2"], k: 3 }),
    });
    const body = await answer.json();
    const count = body.results?.[0]?.items?.length;
    if (count !== 3) throw new Failure(`foldin serve answered ${answer.status}: ${JSON.stringify(body)}`);
  } finally {
    child.kill("SIGTERM");
    await ended;
    clearTimeout(timer);
  }
  const code = await ended;
  if (code !== 0 && !windows) throw new Failure(`foldin serve ended with ${code} on SIGTERM: ${said}`);
}

/** Tries one way; a row of the table. */
async function attempt(name, { runtime, manager, install, remove, engine = "native" }, registry) {
  const row = { name, version: "", manager: "", engine: "", steps: {}, weights: "" };
  const app = join(folder, name);
  mkdirSync(app, { recursive: true });
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true }));
  writeFileSync(join(app, ".npmrc"), `registry=${registry}\n`);
  copyFileSync(join(here, "program.mjs"), join(app, "program.mjs"));
  const binary = join((await fetchTool(runtime.package)).package, runtime.binary);
  if (!windows) chmodSync(binary, 0o755);
  const path = [dirname(binary), ...(manager ? [(await fetchTool(manager)).bin] : []), process.env.PATH];
  const options = { cwd: app, env: { ...process.env, PATH: path.join(delimiter), NO_COLOR: "1" } };
  const execute = (...args) => run(binary, [...(runtime.args ?? []), ...args], options);
  const main = "node_modules/foldin/dist/cli/main.js";
  const foldin = (...args) => execute(main, ...args);
  const step = async (what, action) => {
    const started = Date.now();
    try {
      await action();
      row.steps[what] = "yes";
    } catch (error) {
      row.steps[what] = "**no**";
      process.exitCode = 1;
      console.error(`${name}: ${what} failed: ${error instanceof Failure ? error.message : error.stack}`);
    }
    console.error(`${name}: ${what}: ${row.steps[what]}, ${((Date.now() - started) / 1000).toFixed(1)} s`);
  };
  row.version = (await run(binary, ["--version"], options)).split("\n")[0].replace(/^v/, "");
  await step("install", async () => {
    row.manager = `${install[0]} ${await run(install[0], ["--version"], options)}`;
    await run(install[0], install.slice(1), options);
    if (remove) rmSync(join(app, remove), { recursive: true });
  });
  if (row.steps.install !== "yes") return row;
  await step("engine", async () => {
    row.engine = JSON.parse(await foldin("doctor", "--json")).engine.name;
    if (row.engine !== engine) throw new Failure(`the ${row.engine} engine was used, not ${engine}`);
  });
  await step("train", async () => {
    await foldin("quickstart", "--out", "demo", "--epochs", "2");
    await foldin("train", "demo/catalogue", "--model", "popularity", "--out", "popularity");
  });
  await step("evaluate", () => foldin("evaluate", "popularity"));
  await step("recommend", async () => {
    const { recommendations } = JSON.parse(
      await foldin("recommend", "demo/mult-vae", "--history", "1", "-k", "3", "--json"),
    );
    if (recommendations.length !== 3) throw new Failure(JSON.stringify(recommendations));
  });
  await step("serve", () =>
    serve(
      binary,
      [...(runtime.args ?? []), main, "serve", "demo/mult-vae", "--port", "0", "--store", "histories.sqlite"],
      options,
    ),
  );
  await step("import", async () => {
    const report = JSON.parse(await execute("program.mjs"));
    if (report.engine !== engine) throw new Failure(`the ${report.engine} engine was used, not ${engine}`);
    row.weights = report.weights;
  });
  await step("require", async () => {
    const code = `for (const name of ["foldin", "foldin/serving"])
      if (typeof require(name).recommend !== "function") throw new Error(name);`;
    writeFileSync(join(app, "require.cjs"), code);
    await execute("require.cjs");
  });
  return row;
}

const steps = ["install", "engine", "train", "evaluate", "recommend", "serve", "import", "require"];
const rows = [];
let registry;
try {
  const packed = await run(process.execPath, [join(root, "scripts/pack.mjs"), join(folder, "packed")], {
    cwd: root,
  });
  const tarballs = [];
  for (const line of packed.split("\n")) {
    const { file } = JSON.parse(line);
    const manifest = await run("tar", ["-xzOf", file, "package/package.json"], { cwd: folder });
    tarballs.push({ file, manifest: JSON.parse(manifest) });
  }
  registry = await openRegistry(tarballs);
  for (const name of names.length > 0 ? names : Object.keys(ways))
    rows.push(await attempt(name, ways[name], registry.url));
} finally {
  registry?.close();
  rmSync(folder, { recursive: true, force: true });
}

const titles = [
  "way",
  "version",
  "package manager",
  "engine",
  ...steps.filter((step) => step !== "engine"),
  "weights",
];
console.log(`| ${titles.join(" | ")} |\n|${" --- |".repeat(titles.length)}`);
for (const row of rows) {
  const cells = steps.filter((step) => step !== "engine").map((step) => row.steps[step] ?? "not tried");
  console.log(`| ${[row.name, row.version, row.manager, row.engine, ...cells, row.weights].join(" | ")} |`);
}
