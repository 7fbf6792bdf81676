// The context that every command receives. A command is one file in commands/ that exports `register: Register`. It
// declares its arguments with commander, imports its dependencies inside the action (so that `foldin --help` stays
// fast), throws `UserError` for bad input, and prints only through the context.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import { printable, printableJson, printableStyled } from "../core/printable.js";
import type { ProgressListener } from "../core/progress.js";
import { withoutPasswords } from "../core/secrets.js";
import { createProgress } from "./progress.js";
import { isStyled, styles } from "./style.js";

export interface CliContext {
  /**
   * Prints one or more lines of results on stdout. A line break within a line comes from user data (a title, a file name)
   * and is shown as `\n`; other control characters are escaped too. A line break at the start of a line prints an empty line.
   */
  out(text?: string | readonly string[]): void;
  /** Prints one or more lines on stderr in the same way: messages that are not results. */
  say(text: string | readonly string[]): void;
  /** Prints the JSON object of `--json` on stdout, which must not contain anything else. */
  json(value: object): void;
  /** Shows progress on stderr: a bar on a terminal, plain lines elsewhere. */
  readonly progress: ProgressListener;
  /** Aborted by the first Ctrl-C or SIGTERM; pass it to all long-running work. */
  readonly signal: AbortSignal;
  /** Bold and dim text for stdout; plain if stdout is not a terminal. */
  readonly style: ReturnType<typeof styles>;
  /** Columns of the terminal on stdout; undefined if stdout is not a terminal. */
  readonly width: number | undefined;
}

export type Register = (program: Command, context: CliContext) => void;

export function createContext(
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
  signal: AbortSignal,
): CliContext & { close(): void } {
  const progress = createProgress(stderr);
  // Without styles, any style codes in the text come from user data.
  const clean = isStyled(stdout) || isStyled(stderr) ? printableStyled : printable;
  return {
    out: (text = "") => progress.aside(() => stdout.write(shown(text, clean))),
    say: (text) => progress.aside(() => stderr.write(shown(text, clean))),
    json: (value) => stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`),
    progress: progress.listener,
    signal,
    style: styles(stdout),
    width: stdout.isTTY ? stdout.columns : undefined,
    close: progress.close,
  };
}

function shown(text: string | readonly string[], clean: (line: string) => string): string {
  const lines = typeof text === "string" ? [text] : text;
  return lines
    .map(withoutPasswords)
    .map((line) => `${line.startsWith("\n") ? "\n" : ""}${clean(line.replace(/^\n/, ""))}\n`)
    .join("");
}

/**
 * The value of a required option. Checked here because commander would report the missing option instead of a mistyped
 * one. Throws UserError.
 */
export function required(value: string | undefined, option: string, what: string): string {
  if (value === undefined || value === "")
    throw new UserError({ problem: `option '${option}' is required`, remedy: `Give ${what}` });
  return value;
}
