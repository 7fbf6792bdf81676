// The identity of a run: the algorithm, its options, the seed, the engine and the data. A checkpoint is resumed only by a run with
// the same identity, because otherwise the result would correspond to neither run.

import { createHash } from "node:crypto";
import { precisionOf } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import type { JsonObject, JsonValue } from "../core/json.js";
import type { Dataset } from "../data/dataset.js";
import type { RunContext } from "../recommender/run-context.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** A short hash of all data of a dataset that training and validation use. */
export function fingerprint(dataset: Dataset): string {
  const hash = createHash("sha256");
  const add = ({ rows, columns, offsets, indices, values }: CsrMatrix) => {
    hash.update(`${rows} ${columns};`);
    for (const array of [offsets, indices, ...(values ? [values] : [])])
      hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  };
  add(dataset.train);
  add(dataset.validation.foldIn);
  add(dataset.validation.heldOut);
  if (dataset.content) hash.update(dataset.content.digest);
  return hash.digest("hex").slice(0, 16);
}

/** The settings that must be equal for a run to be resumed; the number of threads may differ. */
export function identityOf(
  algorithm: string,
  options: unknown,
  dataset: Dataset,
  run: RunContext,
): JsonObject {
  const { engine, seed } = run;
  const plain = JSON.parse(JSON.stringify({ options })) as JsonObject;
  return {
    model: algorithm,
    ...plain,
    seed,
    engine: engine.name,
    precision: precisionOf(engine),
    data: fingerprint(dataset),
    ...(run.division && { blocks: run.division.blocks }),
    ...(run.initial && { initFrom: run.initial.digest }),
    ...(run.teacher && { distill: run.teacher.digest }),
  };
}

/** Throws UserError, naming the difference and both values, unless the run to resume has the same identity. */
export function requireSameRun(interrupted: JsonObject, now: JsonObject): void {
  const before = flat(interrupted);
  const after = flat(now);
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, wanted] = [text(before[name]), text(after[name])];
    if (old !== wanted)
      throw new UserError({
        place: name,
        problem: `is ${old} in the run to resume, but ${wanted} in this one`,
        expected: "the options of the interrupted run",
        remedy: `Resume with ${name} ${old}, or start a new run in another folder`,
      });
  }
}

/** Options by name; options of a group by their own names, since earlier versions had no groups. */
function flat(identity: JsonObject): JsonObject {
  const { options, ...rest } = identity;
  return { ...rest, ...leaves((options ?? {}) as JsonObject) };
}

function leaves(options: JsonObject): JsonObject {
  const all = Object.entries(options).map(
    ([name, value]): JsonObject =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? leaves(value)
        : { [name]: value },
  );
  return Object.assign({}, ...all);
}

function text(value: JsonValue | undefined): string {
  return value === undefined ? "unset" : typeof value === "string" ? value : JSON.stringify(value);
}
