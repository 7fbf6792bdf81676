// A training run of several processes, which an MPI launcher has started: all of them run the same program. Member 0 has the run
// folder; it sends the others what to train, and they train with it until it has evaluated and saved the model.

import { availableParallelism, cpus, hostname } from "node:os";
import { deserialize, serialize } from "node:v8";
import type { Connection } from "../compute/communicator.js";
import { nativeInstructions } from "../compute/engines/native.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { version } from "../core/version.js";
import { DividedRecommender } from "../recommender/divided.js";
import type { Recommender } from "../recommender/recommender.js";

/** The number of blocks if an MPI launcher has started the run and --blocks is not given: 1, 2, 4, 8 and 16 members send the least. */
export const DEFAULT_BLOCKS = 16;

/** What member 0 asks the others to do. */
export type Task =
  | {
      readonly kind: "train";
      readonly model: string;
      readonly options: JsonObject;
      readonly seed: number;
      readonly blocks: number;
      readonly fingerprint: string;
      /** The folder of checkpoints; undefined = none. */
      readonly checkpoints: string | undefined;
      readonly checkpointSeconds: number | undefined;
    }
  /** The run is already finished. */
  | { readonly kind: "nothing" };

/** Sends the task to all other members. */
export async function sendTask(connection: Connection, task: Task): Promise<void> {
  await connection.gather(serialize(task));
}

/** The task from member 0. */
export async function receiveTask(connection: Connection): Promise<Task> {
  const [sent] = await connection.gather(new Uint8Array());
  return deserialize(sent) as Task;
}

/** Does what member 0 calls, until it has disposed of its recommender. */
export async function follow(recommender: Recommender): Promise<void> {
  if (!(recommender instanceof DividedRecommender)) throw new Error("the recommender is not divided");
  await recommender.follow();
}

/** What must be equal for the members to compute the same bits. */
interface Machine {
  readonly host: string;
  readonly facts: Readonly<Record<string, string>>;
}

/**
 * Compares the members' machines; returns the number of members on this one. Throws UserError, on all of them, for different versions
 * or processors: the rounding of a product depends on the processor, and the layers that every member has would drift apart.
 */
export async function requireAlike(connection: Connection): Promise<number> {
  const facts = {
    "version of foldin": version,
    "version of V8": process.versions.v8,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    instructions: nativeInstructions() ?? "none",
  };
  const mine: Machine = { host: hostname(), facts };
  const all = (await connection.gather(serialize(mine))).map((bytes) => deserialize(bytes) as Machine);
  const [first] = all;
  for (const [name, expected] of Object.entries(first.facts)) {
    const rank = all.findIndex(({ facts }) => facts[name] !== expected);
    if (rank >= 0)
      throw new UserError({
        place: `process ${rank} on ${all[rank].host}`,
        problem: `the ${name} is ${all[rank].facts[name]}, but ${expected} in process 0 on ${first.host}`,
        expected: "machines of one kind, because the same bits must be computed on all of them",
        remedy: "Start the job on such machines (SLURM: --constraint)",
      });
  }
  return all.filter(({ host }) => host === mine.host).length;
}

/** The threads of each of the members on a machine: an equal share, unless the launcher has bound them to cores. */
export function threadsOf(members: number): number {
  const available = availableParallelism();
  const isBound = available < cpus().length;
  return isBound ? available : Math.max(1, Math.floor(available / members));
}
