// The rules of recommend and evaluate.

import { type Command, InvalidArgumentError } from "commander";
import type { RuleOptions } from "../recommender/rules/rules.js";

export type RuleFlags = Pick<RuleOptions, "diversity" | "novelty">;

/** The rules, from the flags of a command. */
export function rulesFrom({ diversity, novelty }: RuleFlags): RuleOptions {
  return { diversity, novelty };
}

/** Adds --diversity and --novelty to a command. */
export function addRuleOptions(command: Command): Command {
  return command
    .option(
      "--diversity <weight>",
      "re-rank the best items so that items of a list differ: weight of their similarity, from 0 to 1 (default: 0)",
      weight,
    )
    .option(
      "--novelty <weight>",
      "re-rank the best items in favour of those that few users have: weight from 0 to 1 (default: 0)",
      weight,
    );
}

function weight(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError("Expected a weight from 0 to 1.");
  return value;
}
