// Runs one command line and converts errors to a message on stderr and an exit code: 0 = success, 1 = failure, 2 = invalid
// usage or input, 128 + signal number = stopped by a signal.

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { AbortedError, UserError } from "../core/errors.js";
import { outOfMemory } from "../core/memory.js";
import { printable } from "../core/printable.js";
import { withoutPasswords } from "../core/secrets.js";
import { withSystemFault } from "../core/system-errors.js";
import { type CliContext, createContext, type Register } from "./context.js";
import { addMemoryOption } from "./memory-option.js";
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
  signal.addEventListener("abort", () => context.say("stopping; press Ctrl-C again to stop immediately"), {
    once: true,
  });
  try {
    await program(commands, context, { stdout, stderr }).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    context.close();
    // Commander also throws after it has printed help or version.
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
    // Inherited by all commands registered below: errors are thrown, and `explain` makes the message.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => {},
    })
    .configureHelp({ sortOptions: false })
    .addHelpText("after", "\nGet started: foldin quickstart\nHelp for one command: foldin help train");
  for (const register of commands) register(root, context);
  addMemoryOption(root);
  addTempOption(root);
  return root;
}

/** The user message and the exit code for an error. */
export function explain(error: unknown): { message: string; code: number } {
  if (error instanceof CommanderError) {
    // `foldin` without arguments has already printed its help.
    if (error.code === "commander.help") return { message: "", code: 2 };
    const [problem, suggestion] = error.message.replace(/^error: /, "").split("\n(Did you mean ");
    // Commander ends its suggestion with "?)", or with ")" if it lists several.
    const meant = suggestion?.slice(0, suggestion.endsWith("?)") ? -2 : -1);
    return { message: meant === undefined ? problem : `${problem} (did you mean ${meant}?)`, code: 2 };
  }
  const fault = withSystemFault(error);
  if (fault instanceof UserError) return { message: fault.message, code: 2 };
  if (error instanceof AbortedError || (error instanceof Error && error.name === "AbortError"))
    return { message: "stopped on request", code: 130 };
  if (isZodError(error)) {
    const problems = error.issues.map(({ path, message }) => `${path.join(".") || "input"}: ${message}`);
    return { message: problems.join("; "), code: 2 };
  }
  const exhausted = outOfMemory(error);
  if (exhausted) return { message: exhausted.message, code: 2 };
  if (error instanceof Error) {
    const detail = process.env.FOLDIN_DEBUG ? "" : " (set FOLDIN_DEBUG=1 to see the stack trace)";
    return { message: `foldin failed: ${error.message || error.name}${detail}`, code: 1 };
  }
  return { message: `foldin failed: ${String(error)}`, code: 1 };
}

/** Checks the structure only: importing zod here would add 50 ms to every start. */
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
