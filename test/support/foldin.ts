// Runs the built program as a user does. `npm test` builds it; without a build this says so.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const main = resolve(import.meta.dirname, "../../dist/cli/main.js");

export interface Outcome {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
}

export interface RunningProgram {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
}

/** Starts `foldin <args>`. */
export function start(args: readonly string[], { cwd, env }: RunOptions = {}): RunningProgram {
  if (!existsSync(main)) throw new Error("dist/cli/main.js is missing: run npm run build (npm test does)");
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, FOLDIN_DEBUG: "", NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const outcome = new Promise<Outcome>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr }));
  });
  return { process: child, outcome };
}

/** Runs `foldin <args>` to its end. */
export function foldin(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return start(args, options).outcome;
}

/** Starts `foldin serve` on a free port; resolves to its address once it listens. */
export async function serving(run: string, store: string, more: string[] = []) {
  const args = [run, "--port", "0", "--store", store, "--engine", "reference", "--rate-limit", "0", ...more];
  const program = start(["serve", ...args, "--log-level", "warn"]);
  const address = await new Promise<string>((listening, failed) => {
    let said = "";
    program.process.stderr?.on("data", (text: string) => {
      said += text;
      const [, found] = /serving \S+ at (http:\/\/\S+)/.exec(said) ?? [];
      if (found) listening(found);
    });
    void program.outcome.then(({ stderr }) => failed(new Error(stderr)));
  });
  return { ...program, address };
}

/** Lets the program fail once it loads a module whose address matches. */
export function forbidding(pattern: string): { env: Record<string, string> } {
  const hooks = `export async function resolve(name, context, next) {
    const resolved = await next(name, context);
    if (new RegExp(${JSON.stringify(pattern)}).test(resolved.url)) throw new Error("a forbidden module: " + resolved.url);
    return resolved;
  }`;
  const module = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(module(hooks))});`;
  return { env: { NODE_OPTIONS: `--import "${module(register)}"` } };
}
