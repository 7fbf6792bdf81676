// Runs one command line: parse, act, and turn whatever goes wrong into a message on stderr and an exit code:
// 0 done, 1 failure, 2 bad usage or input, 128 + the signal's number where a signal stopped it.

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { AbortedError, UserError } from "../core/errors.js";
import { outOfMemory } from "../core/memory.js";
import { printable } from "../core/printable.js";
import { withoutPasswords } from "../core/secrets.js";
import { withSystemFault } from "../core/system-errors.js";
import { type CliContext, createContext, type Register } from "./context.js";
import { addTempOption } from "./temp-option.js";

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Runs `foldin <args>`; resolves to the exit code. */
export async function run(
  args: readonly string[],
  commands: readonly Register[],
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<number> {
  const context = createContext(stdout, stderr, signal);
  signal.addEventListener("abort", () => context.say("stopping; Ctrl-C again to stop at once"), {
    once: true,
  });
  try {
    await program(commands, context, { stdout, stderr }).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    context.close();
    // Help and version are thrown as well, after they were printed.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const { message, code } = explain(error);
    if (message !== "") stderr.write(`${printable(withoutPasswords(message))}\n`);
    if (process.env.FOLDIN_DEBUG && error instanceof Error)
      for (const line of withoutPasswords(String(error.stack)).split("\n"))
        stderr.write(`${printable(line)}\n`);
    return code;
  } finally {
    context.close();
  }
}

function program(commands: readonly Register[], context: CliContext, { stdout, stderr }: Streams): Command {
  const root = new Command("foldin")
    .description("Recommenders built on variational autoencoders: prepare data, train, evaluate, recommend.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .enablePositionalOptions()
    // Inherited by every command that is registered after this: errors are thrown, and printed by `explain`.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => {},
    })
    .configureHelp({ sortOptions: false })
    .addHelpText("after", "\nTry it: foldin quickstart\nFor one command: foldin help train");
  for (const register of commands) register(root, context);
  addTempOption(root);
  return root;
}

/** The message for the reader and the exit code of an error. */
export function explain(error: unknown): { message: string; code: number } {
  if (error instanceof CommanderError) {
    // `foldin` alone has printed its help already.
    if (error.code === "commander.help") return { message: "", code: 2 };
    const [problem, suggestion] = error.message.replace(/^error: /, "").split("\n(Did you mean ");
    // Commander ends its suggestion with "?)", or with ")" where it lists several.
    const meant = suggestion?.slice(0, suggestion.endsWith("?)") ? -2 : -1);
    return { message: meant === undefined ? problem : `${problem} (did you mean ${meant}?)`, code: 2 };
  }
  const mendable = withSystemFault(error);
  if (mendable instanceof UserError) return { message: mendable.message, code: 2 };
  if (error instanceof AbortedError || (error instanceof Error && error.name === "AbortError"))
    return { message: "stopped on request", code: 130 };
  if (isZodError(error)) {
    const problems = error.issues.map(({ path, message }) => `${path.join(".") || "input"}: ${message}`);
    return { message: problems.join("; "), code: 2 };
  }
  const exhausted = outOfMemory(error);
  if (exhausted) return { message: exhausted.message, code: 2 };
  if (error instanceof Error) {
    const detail = process.env.FOLDIN_DEBUG ? "" : " (FOLDIN_DEBUG=1 shows where)";
    return { message: `foldin failed: ${error.message || error.name}${detail}`, code: 1 };
  }
  return { message: `foldin failed: ${String(error)}`, code: 1 };
}

/** By its shape: importing zod here would cost every start 50 ms. */
function isZodError(
  error: unknown,
): error is Error & { issues: readonly { path: readonly PropertyKey[]; message: string }[] } {
  return (
    error instanceof Error && error.name === "ZodError" && "issues" in error && Array.isArray(error.issues)
  );
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest)
    return String(manifest.version);
  throw new Error("package.json has no version");
}
