import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { platformName } from "../src/compute/engines/native.js";
import { RandomSequence } from "../src/core/philox.js";
import { type Consumer, typeErrors } from "./support/type-check.js";

const root = resolve(import.meta.dirname, "..");
const platform = platformName();
const addon = join(root, "native", `foldin.${platform}.node`);
const missing = !existsSync(addon);
if (missing) console.log(`skipped: ${addon} is not built`);

interface Packed {
  name: string;
  file: string;
}

describe("the packages of the platforms", () => {
  const folders = readdirSync(join(root, "native", "npm"));

  it("each name their platform as the loader does", () => {
    for (const folder of folders) {
      const manifest = JSON.parse(readFileSync(join(root, "native", "npm", folder, "package.json"), "utf8"));
      expect(manifest.name).toBe(`@foldin/native-${folder}`);
      expect(manifest.main).toBe(`foldin.${folder}.node`);
      expect(manifest.files).toEqual([manifest.main]);
      const libc =
        manifest.libc?.[0] === "musl"
          ? "-musl"
          : manifest.libc
            ? "-gnu"
            : manifest.os[0] === "win32"
              ? "-msvc"
              : "";
      expect(`${manifest.os[0]}-${manifest.cpu[0]}${libc}`).toBe(folder);
    }
  });

  it("are not looked for in a clone", () => {
    const manifest = readFileSync(join(root, "package.json"), "utf8");
    expect(manifest).not.toContain("@foldin/native");
  });
});

describe.skipIf(missing)("the tarballs, installed into an empty folder without cargo", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-install-"));
  const app = join(folder, "app");
  /** Where the program finds Node and nothing else. */
  const bin = join(folder, "bin");
  let packed: Packed[] = [];

  beforeAll(() => {
    mkdirSync(bin);
    mkdirSync(app);
    symlinkSync(process.execPath, join(bin, "node"));
    const pack = run(process.execPath, [join(root, "scripts", "pack.mjs"), join(folder, "packed")], root);
    packed = pack.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Packed);
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    const here = packed.filter(({ name }) => name === "foldin" || name === `@foldin/native-${platform}`);
    expect(here).toHaveLength(2);
    const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    run("npm", ["install", ...flags, ...here.map(({ file }) => file)], app);
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(command: string, args: readonly string[], cwd: string, env = process.env) {
    const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stdout + stderr}`);
    return { stdout, stderr };
  }

  /** Runs something in the app with a PATH that has no cargo. */
  const inApp = (command: string, args: readonly string[]) =>
    run(command, args, app, { PATH: bin, HOME: folder, NO_COLOR: "1" });
  const foldin = (...args: string[]) => inApp(join(app, "node_modules", ".bin", "foldin"), args);

  it("hold what they need and no more", () => {
    const installed = join(app, "node_modules", "foldin");
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(
      files.filter((file) => /\.node$|\.rs$|\.tsbuildinfo$|(^|\/)(test|scripts|native)\//.test(file)),
    ).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    expect(Object.keys(manifest.optionalDependencies)).toContain(`@foldin/native-${platform}`);
    expect(manifest.scripts).toBeUndefined();
    expect(
      existsSync(join(app, "node_modules", "@foldin", `native-${platform}`, `foldin.${platform}.node`)),
    ).toBe(true);
  });

  it("use the native engine", () => {
    const report = JSON.parse(foldin("doctor", "--json").stdout);
    expect(report.cargo).toBeNull();
    expect(report.engine.name).toBe("native");
  });

  it("prepare, train a Mult-VAE with the native engine and recommend, from the command line", () => {
    const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
    const rows = Array.from({ length: 300 * 15 }, (_, i) => {
      const user = Math.floor(i / 15);
      return `${user},${(user % 4) + 4 * random.below(20)}`;
    });
    writeFileSync(join(app, "clicks.csv"), `user,item\n${[...new Set(rows)].join("\n")}\n`);
    foldin("prepare", "clicks.csv", "--out", "clicks");
    foldin("train", "clicks", "--model", "mult-vae", "--engine", "native", "--epochs", "40", "--out", "run");
    const config = JSON.parse(readFileSync(join(app, "run", "config.json"), "utf8"));
    expect(config.engine).toBe("native");
    const answer = JSON.parse(foldin("recommend", "run", "--history", "4", "-k", "3", "--json").stdout);
    // Items come in four tastes by their remainder; item 4's readers read multiples of four.
    const tastes = answer.recommendations.map(({ id }: { id: string }) => Number(id) % 4);
    expect(tastes).toEqual([0, 0, 0]);
  });

  it("train from TypeScript too, to the same model for any number of threads", () => {
    const script = join(app, "train.mjs");
    writeFileSync(
      script,
      `import { fromRows, loadDataset, train } from "foldin";
      const dataset = await loadDataset("clicks");
      const scores = [];
      for (const threads of [1, 3]) {
        const model = await train(dataset, { model: "mult-vae", engine: "native", threads, options: { epochs: 1 } });
        scores.push(Buffer.from((await model.score(fromRows(dataset.items.size, [[0, 4]])).read()).buffer).toString("hex"));
        await model.dispose?.();
      }
      console.log(scores[0].length > 0 && scores[0] === scores[1]);`,
    );
    expect(inApp(join(bin, "node"), [script]).stdout.trim()).toBe("true");
  });

  describe("from CommonJS", () => {
    const script = join(app, "require.cjs");
    const entries = () => {
      const { exports } = JSON.parse(readFileSync(join(app, "node_modules/foldin/package.json"), "utf8"));
      return Object.keys(exports).map((path) => path.replace(/^\./, "foldin"));
    };

    it.skipIf(!process.features.require_module)("give the same modules to require and to import", () => {
      writeFileSync(
        script,
        `const names = ${JSON.stringify(entries())}.filter((name) => !name.endsWith(".json"));
        Promise.all(names.map(async (name) => require(name) === (await import(name)) && (require(name).recommend ?? require(name).createClient)))
          .then((found) => console.log(found.length > 1 && found.every((exported) => typeof exported === "function")));
        if (require("foldin/package.json").name !== "foldin") throw new Error("another package");`,
      );
      expect(inApp(join(bin, "node"), [script]).stdout.trim()).toBe("true");
    });

    it("say that import() is needed where Node.js cannot require ES modules", () => {
      for (const name of entries().filter((entry) => !entry.endsWith(".json"))) {
        writeFileSync(script, `require(${JSON.stringify(name)});`);
        const flag = process.features.require_module ? ["--no-experimental-require-module"] : [];
        const require = () => inApp(join(bin, "node"), [...flag, script]);
        expect(require).toThrow(/ERR_REQUIRE_ESM/);
        expect(require).toThrow(/to a dynamic import\(\)/);
      }
    });
  });

  it.each<Consumer>([
    { type: "module", module: "NodeNext", moduleResolution: "NodeNext" },
    { type: "commonjs", module: "NodeNext", moduleResolution: "NodeNext" },
    { type: "module", module: "ESNext", moduleResolution: "Bundler" },
    { type: "commonjs", module: "Preserve", moduleResolution: "Bundler" },
  ])("have types without errors in a $type project, --module $module", (consumer) => {
    expect(typeErrors(app, consumer)).toBe("");
  });
});

describe("the lock file", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { integrity?: string; hasInstallScript?: boolean; engines?: { node?: string } }>;
  };
  const entries = Object.entries(packages).filter(([path]) => path !== "");

  it("has an integrity hash for every package", () => {
    expect(entries.filter(([, { integrity }]) => !integrity).map(([path]) => path)).toEqual([]);
    expect(entries.length).toBeGreaterThan(100);
  });

  it("has no package whose installation runs a script", () => {
    expect(entries.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path)).toEqual([]);
  });
});
