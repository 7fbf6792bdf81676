// What every command gets from the program around it. A command is one file in commands/ that exports
// `register: Register`; it declares its arguments with commander, imports what it needs inside its action (so that
// `foldin --help` stays fast), throws `UserError` for bad input, and prints through the context alone.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import { printable, printableJson, printableStyled } from "../core/printable.js";
import type { ProgressListener } from "../core/progress.js";
import { withoutPasswords } from "../core/secrets.js";
import { createProgress } from "./progress.js";
import { isStyled, styles } from "./style.js";

export interface CliContext {
  /**
   * Prints a line, or several, on stdout: what the command was asked for. A line break within a line came from outside (a
   * title, a file's name) and is shown as `\n`, as is every other control character; one at its beginning leaves a line free.
   */
  out(text?: string | readonly string[]): void;
  /** Prints a line, or several, on stderr in the same way: everything else that is worth saying. */
  say(text: string | readonly string[]): void;
  /** Prints the one JSON object of `--json` on stdout; nothing else may go there. */
  json(value: object): void;
  /** Shows progress on stderr: a bar on a terminal, plain lines elsewhere. */
  readonly progress: ProgressListener;
  /** Aborted by the first Ctrl-C or SIGTERM; hand it to everything that takes long. */
  readonly signal: AbortSignal;
  /** Bold and dim text for stdout; plain where stdout is no terminal. */
  readonly style: ReturnType<typeof styles>;
  /** Columns of the terminal on stdout; undefined where it is none. */
  readonly width: number | undefined;
}

export type Register = (program: Command, context: CliContext) => void;

export function createContext(
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
  signal: AbortSignal,
): CliContext & { close(): void } {
  const progress = createProgress(stderr);
  // Where no styles are shown, codes for them came from outside.
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

/** The value of an option that must be given; checked here and not by commander, which would hide a mistyped option behind it. */
export function required(value: string | undefined, option: string, what: string): string {
  if (value === undefined || value === "")
    throw new UserError({ problem: `option '${option}' is missing`, remedy: `Give ${what}` });
  return value;
}
