// --shard: this process's share of a command that is started many times, as batch systems do. Its number is given, or read from
// what the batch system sets: Kubernetes (indexed jobs), SLURM (job arrays), AWS Batch (array jobs).

import { type Command, Option } from "commander";
import { UserError } from "../core/errors.js";

export interface Shard {
  /** From 1 to `of`. */
  readonly number: number;
  readonly of: number;
}

/** Adds --shard to a command. */
export function addShardOption(command: Command, what: string): Command {
  return command.addOption(
    new Option(
      "--shard <i/n>",
      `${what}: share i of n, from 1/n to n/n; auto/n = i from Kubernetes, SLURM or AWS Batch; auto = also n (SLURM, AWS Batch)`,
    ),
  );
}

interface Found {
  readonly index: number;
  readonly of?: number;
}

/** Throws UserError for a malformed value, and for "auto" outside of an array job. */
export function parseShard(text: string, env: NodeJS.ProcessEnv = process.env): Shard {
  const [, given, count] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text.trim()) ?? [];
  if (given === undefined || (given !== "auto" && count === undefined))
    throw wrong(text, "is not a share", "i/n, auto/n or auto, such as 1/8 for the first of eight");
  const found = given === "auto" ? arrayIndex(env) : { index: Number(given) - 1, of: undefined };
  const of = count === undefined ? found.of : Number(count);
  if (of === undefined)
    throw wrong(text, "the batch system does not say how many shares there are", "auto/n, such as auto/8");
  if (found.of !== undefined && found.of !== of)
    throw wrong(text, `the array job has ${found.of} tasks`, `auto/${found.of}, or auto`);
  if (of < 1 || found.index < 0 || found.index >= of)
    throw wrong(
      text,
      `share ${found.index + 1} of ${of} does not exist`,
      `a share from 1/${of} to ${of}/${of}`,
    );
  return { number: found.index + 1, of };
}

/** This task's place in its array job, from 0. */
function arrayIndex(env: NodeJS.ProcessEnv): Found {
  const number = (name: string) => {
    const text = env[name];
    if (text === undefined || text === "") return undefined;
    if (!/^\d+$/.test(text)) throw wrong("auto", `${name} is "${text}"`, "a whole number");
    return Number(text);
  };
  const kubernetes = number("JOB_COMPLETION_INDEX");
  if (kubernetes !== undefined) return { index: kubernetes };
  const slurm = number("SLURM_ARRAY_TASK_ID");
  if (slurm !== undefined) return slurmIndex(slurm, number);
  const aws = number("AWS_BATCH_JOB_ARRAY_INDEX");
  if (aws !== undefined) return { index: aws, of: number("AWS_BATCH_JOB_ARRAY_SIZE") };
  throw new UserError({
    place: "--shard auto",
    problem: "this is not a task of an array job",
    expected: "JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID or AWS_BATCH_JOB_ARRAY_INDEX in the environment",
    remedy: "Give the number, such as --shard 1/8",
  });
}

/** SLURM numbers the tasks as `--array` says: 1-8, 0-14:2. */
function slurmIndex(id: number, number: (name: string) => number | undefined): Found {
  const [least, most, of] = ["MIN", "MAX", "COUNT"].map((name) => number(`SLURM_ARRAY_TASK_${name}`));
  if (least === undefined || most === undefined || of === undefined || of < 2)
    return { index: id - (least ?? 0), of };
  const step = (most - least) / (of - 1);
  const index = (id - least) / step;
  if (Number.isInteger(step) && Number.isInteger(index)) return { index, of };
  throw wrong("auto", "the tasks of the array job are not evenly numbered", "an array such as --array=1-8");
}

function wrong(text: string, problem: string, expected: string): UserError {
  return new UserError({ place: `--shard ${text}`, problem, expected });
}
