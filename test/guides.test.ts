// The code in tutorial and guides runs as it stands, block after block, in a fresh folder with the files that
// examples/write-demo-files.mjs writes.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import ts from "typescript";
import { afterEach, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const guides = readdirSync(join(root, "docs/guides"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => join("docs/guides", name));

const started: ChildProcess[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Blocks of shell and TypeScript, in order. */
function blocksOf(path: string): { readonly language: string; readonly code: string }[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/^```(\w+)[^\n]*\n(.*?)^```/gms)]
    .map(([, language, code]) => ({ language, code }))
    .filter(({ language }) => language === "sh" || language === "ts");
}

/** A folder where `npx foldin` is this build and `foldin` can be imported. */
function freshFolder(): { readonly folder: string; readonly env: NodeJS.ProcessEnv } {
  const folder = mkdtempSync(join(tmpdir(), "foldin-guide-"));
  folders.push(folder);
  const bin = join(folder, ".bin");
  mkdirSync(bin);
  const shim = `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(root, "dist/cli/main.js")}" "$@"\n`;
  writeFileSync(join(bin, "npx"), shim);
  chmodSync(join(bin, "npx"), 0o755);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "foldin"));
  symlinkSync(join(root, "examples"), join(folder, "examples"));
  return { folder, env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, FOLDIN_TOKEN: undefined } };
}

async function serve(line: string, folder: string, env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn("sh", ["-c", `exec ${line.replace("--port 8080", "--port 0")}`], { cwd: folder, env });
  started.push(child);
  let said = "";
  return new Promise((done, fail) => {
    child.stderr.on("data", (text) => {
      said += text;
      const [, port] = /http:\/\/[\d.]+:(\d+)/.exec(said) ?? [];
      if (port) done(Number(port));
    });
    child.once("exit", () => fail(new Error(`${line}: ${said}`)));
  });
}

/** Runs a document; throws with what the failing line said. What was printed, line by line. */
async function follow(path: string): Promise<string[]> {
  const { folder, env } = freshFolder();
  const printed: string[] = [];
  const run = (command: string, args: string[], what: string) => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${path}: ${what}\n${stdout}${stderr}`);
    printed.push(...stdout.split("\n"), ...stderr.split("\n"));
  };
  run(process.execPath, [join(root, "examples/write-demo-files.mjs"), "."], "write-demo-files");
  let port = 8080;
  for (const [b, { language, code }] of blocksOf(path).entries()) {
    if (language === "ts") {
      const file = join(folder, `block-${b}.mjs`);
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      writeFileSync(file, ts.transpileModule(code, { compilerOptions: options }).outputText);
      run(process.execPath, [file], code);
    }
    // A clone's own commands are those that brought this test here.
    else
      for (const line of code.trim().split("\n"))
        if (/^(git clone|npm) /.test(line)) continue;
        else if (line.startsWith("npx foldin serve")) port = await serve(line, folder, env);
        else run("sh", ["-ec", line.replace("localhost:8080", `127.0.0.1:${port}`)], line);
  }
  return printed;
}

describe("the README", () => {
  it("trains on files and recommends", async () => {
    const printed = await follow("README.md");
    expect(printed.filter((line) => /^ *\d+ +\S.* \((19|20)\d\d\)/.test(line)).length).toBeGreaterThanOrEqual(
      5,
    );
  });
});

describe("the tutorial", () => {
  it("runs, and recommends films by title", async () => {
    const printed = await follow("docs/tutorial.md");
    expect(printed.filter((line) => /^\d +\S.* \((19|20)\d\d\)/.test(line)).length).toBeGreaterThanOrEqual(5);
    expect(printed.filter((line) => line.includes("because of")).length).toBeGreaterThanOrEqual(5);
  });
});

describe("the guides", () => {
  it.each(guides.map((path) => [basename(path), path]))("%s runs", async (_name, path) => {
    expect(blocksOf(path).length).toBeGreaterThan(0);
    await follow(path);
  });
});
