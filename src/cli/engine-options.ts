// Options shared by several commands: the compute engine and the number of threads.

import { type Command, InvalidArgumentError, Option } from "commander";

export interface EngineFlags {
  engine?: "auto" | "native" | "reference";
  threads?: number;
}

/** Adds --engine and --threads to a command. */
export function addEngineOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--engine <name>",
        "compute engine: native = Rust kernels, reference = plain TypeScript (default: native if available)",
      ).choices(["auto", "native", "reference"]),
    )
    .option("--threads <n>", "number of compute threads (default: all cores)", wholeNumber(1));
}

/** A parser for whole numbers that are at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number, at least ${least}.`);
    return value;
  };
}

/** Collects the values of a repeatable option. */
export function collected(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
