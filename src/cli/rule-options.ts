// The rules of recommend and evaluate.

import { type Command, InvalidArgumentError } from "commander";
import { UserError } from "../core/errors.js";
import type { Boost, RuleOptions } from "../recommender/rules/rules.js";
import { collected } from "./engine-options.js";

export interface RuleFlags {
  diversity?: number;
  novelty?: number;
  atMost?: Record<string, number>;
  boost?: string[];
}

/** Adds the options of rules to a command. */
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
    )
    .option(
      "--at-most <limit>",
      "at most n items with the same value of an attribute, such as series=1 (repeatable)",
      limit,
    )
    .option(
      "--boost <boost>",
      "rank items of a filter higher, such as '0.2: genre = Comedy'; 1 is the difference between the best and the last item that is considered, negative numbers rank lower (repeatable)",
      collected,
    );
}

/** The rules, from the flags of a command. Throws UserError for a boost that cannot be read. */
export async function rulesFrom({ diversity, novelty, atMost, boost }: RuleFlags): Promise<RuleOptions> {
  return {
    ...(diversity !== undefined && diversity > 0 && { diversity }),
    ...(novelty !== undefined && novelty > 0 && { novelty }),
    ...(atMost && { atMost }),
    ...(boost && { boost: await Promise.all(boost.map(boostOf)) }),
  };
}

/** The rules as they were given, for people. */
export function rulesText({ diversity, novelty, atMost, boost }: RuleFlags): string {
  return [
    ...(diversity !== undefined && diversity > 0 ? [`diversity ${diversity}`] : []),
    ...(novelty !== undefined && novelty > 0 ? [`novelty ${novelty}`] : []),
    ...Object.entries(atMost ?? {}).map(([name, most]) => `at most ${most} per ${name}`),
    ...(boost ?? []).map((text) => `boost ${text}`),
  ].join("; ");
}

async function boostOf(text: string): Promise<Boost> {
  const [, number, where] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  const by = Number(number);
  if (number === undefined || number.trim() === "" || !(by >= -1 && by <= 1))
    throw new UserError({
      place: "--boost",
      problem: `"${text}" is not a boost`,
      expected: "a number from -1 to 1, a colon and a filter, such as '0.2: genre = Comedy'",
    });
  const { parseWhere } = await import("../recommender/filter/where.js");
  return { where: parseWhere(where, "--boost"), by };
}

function limit(text: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name, number] = /^(.+)=\s*(\d+)\s*$/s.exec(text) ?? [];
  const most = Number(number);
  if (name === undefined || !Number.isSafeInteger(most) || most < 1)
    throw new InvalidArgumentError("Expected an attribute and a number of items, such as series=1.");
  return { ...before, [name.trim()]: most };
}

function weight(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError("Expected a weight from 0 to 1.");
  return value;
}
