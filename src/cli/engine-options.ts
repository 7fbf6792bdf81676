// Options that several commands share: which engine computes, on how many threads.

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
        "what computes: Rust kernels or plain TypeScript (default: native where it is built)",
      ).choices(["auto", "native", "reference"]),
    )
    .option("--threads <n>", "threads to compute with (default: all cores)", wholeNumber(1));
}

/** A parser of whole numbers from `least` on. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    return value;
  };
}

/** For options that may be given again: collects their values. */
export function collected(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
