// --memory: the limit of the process and its workers, which read it from the environment.

import { type Command, Option } from "commander";
import { memoryVariable, parseBytes } from "../core/memory.js";

/** The commands that hold data or models. */
const commands: ReadonlySet<string> = new Set([
  ...[
    "prepare",
    "train",
    "blend",
    "evaluate",
    "compare",
    "recommend",
    "serve",
    "score",
    "embed",
    "add-items",
  ],
  ...["search", "sweep", "tune", "refit", "reproduce", "studio", "worker"],
]);

/** Adds --memory to every command that may need much. */
export function addMemoryOption(program: Command): void {
  for (const command of program.commands)
    if (commands.has(command.name()))
      command.addOption(
        new Option(
          "--memory <size>",
          "refuse what needs more memory than this, such as 8GiB (default: what the machine or the container has)",
        ).helpGroup("Options:"),
      );
  program.hook("preAction", (_, command) => {
    const { memory } = command.opts<{ memory?: string }>();
    if (memory !== undefined) process.env[memoryVariable] = String(parseBytes(memory, "--memory"));
  });
}
