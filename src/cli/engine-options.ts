// Options shared by several commands: the compute engine, its precision and the number of threads.

import { type Command, InvalidArgumentError, Option } from "commander";

export interface EngineFlags {
  engine?: "auto" | "native" | "reference";
  threads?: number;
  precision?: "float32" | "bf16";
}

/** The options of an engine, from the flags of a command. */
export function engineOf({ engine, threads, precision }: EngineFlags): EngineFlags {
  return { engine, threads, precision };
}

/** Adds --engine and --threads to a command, and --precision with a text for its default, if there is one. */
export function addEngineOptions(command: Command, precision?: string): Command {
  const help = `precision of dense layers' products: float32, or bf16 = operands rounded to bfloat16, sums in float32 (default: ${precision})`;
  if (precision !== undefined)
    command.addOption(new Option("--precision <name>", help).choices(["float32", "bf16"]));
  return command
    .addOption(
      new Option(
        "--engine <name>",
        "compute engine: native = Rust kernels, reference = plain TypeScript (default: native if available)",
      ).choices(["auto", "native", "reference"]),
    )
    .option("--threads <n>", "number of compute threads (default: all cores)", wholeNumber(1));
}

/** Adds --approximate to a command. */
export function addApproximateOption(command: Command): Command {
  return command.option(
    "--approximate [blocks]",
    "rank only the items of this number of blocks of the index that foldin index has written (default: the number that it chose)",
    wholeNumber(1),
  );
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
