// --temp: the folder for DuckDB's temporary files. It overrides TMPDIR for this process and its workers.

import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { UserError } from "../core/errors.js";

/** The commands that read or write tables. */
const commands: ReadonlySet<string> = new Set([
  ...["quickstart", "prepare", "describe", "train", "blend", "evaluate", "compare", "recommend", "score"],
  ...["embed", "add-items", "search", "sweep", "tune", "refit", "reproduce", "worker"],
]);

/** Adds --temp to every command that may need it. */
export function addTempOption(program: Command): void {
  for (const command of program.commands)
    if (commands.has(command.name()))
      command.addOption(
        new Option("--temp <folder>", "folder for temporary files (default: the system's)").helpGroup(
          "Options:",
        ),
      );
  program.hook("preAction", (_, command) => {
    const { temp } = command.opts<{ temp?: string }>();
    if (temp !== undefined) useAsTemporaryFolder(temp);
  });
}

function useAsTemporaryFolder(folder: string): void {
  const place = `--temp ${folder}`;
  const path = resolve(folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError({
      place,
      problem: "there is no such folder",
      remedy: "Create it, or choose another one",
    });
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new UserError({
      place,
      problem: "the folder is not writable",
      remedy: "Choose another one",
      cause,
    });
  }
  for (const name of ["TMPDIR", "TMP", "TEMP"]) process.env[name] = path;
}
