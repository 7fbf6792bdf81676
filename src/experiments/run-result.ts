// result.json of a run folder: what the evaluation of the model measured. It is written with the report, and by a search for each
// of its points.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileWhole } from "../core/atomic-file.js";
import { checkJson, readJson } from "../core/json-file.js";

const value = z.object({ mean: z.number(), standardError: z.number().optional() });
const evaluated = z.object({ users: z.int(), metrics: z.record(z.string(), value) });
const resultSchema = z.object({
  formatVersion: z.literal(1),
  /** Number of evaluated users, and the metrics by name. */
  validation: evaluated.optional(),
  test: evaluated.optional(),
  /** Number of finished epochs, and the epoch whose weights were evaluated; null for a model without epochs. */
  epochs: z.int(),
  chosenEpoch: z.int().nullable(),
  /** Wall-clock seconds of training, possibly in parallel with other work. */
  seconds: z.number(),
});

/** What the evaluation of a run's model measured. */
export type RunResult = z.infer<typeof resultSchema>;

const FILE = "result.json";

/** Reads the result of a run; undefined if it has none. Throws UserError if the file is damaged; `remedy` says what to do then. */
export async function readRunResult(
  folder: string,
  { remedy }: { remedy?: string } = {},
): Promise<RunResult | undefined> {
  const file = join(folder, FILE);
  if (!existsSync(file)) return undefined;
  const problem = "is not the result of a run";
  return checkJson(resultSchema, await readJson(file, { remedy }), file, { problem, remedy });
}

/** Writes the result of a run. */
export async function writeRunResult(folder: string, result: RunResult): Promise<void> {
  await writeFileWhole(join(folder, FILE), (file) => file.writeFile(`${JSON.stringify(result, null, 2)}\n`));
}
