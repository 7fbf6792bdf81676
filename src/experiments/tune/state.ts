// What `tune` keeps in its folder to resume: the trials so far, the trainings of the current round, and the time spent.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileWhole } from "../../core/atomic-file.js";
import type { JsonObject } from "../../core/json.js";
import { checkJson, readJson } from "../../core/json-file.js";
import type { Step, Trial } from "./planner.js";

const FILE = "trials.json";

const setting = z.record(z.string(), z.json()) as z.ZodType<JsonObject>;
const metricValue = z.object({ mean: z.number(), standardError: z.number().optional() });

const trialSchema = z.object({
  number: z.int().min(0),
  model: z.string(),
  setting,
  atRungs: z.array(z.number()),
  value: z.number().optional(),
  state: z.enum(["paused", "done", "failed"]),
  seconds: z.number(),
  message: z.string().optional(),
  /** The folder of its run in trials/. */
  key: z.string(),
  epochs: z.int().optional(),
  chosenEpoch: z.int().nullable().optional(),
  /** On the validation users; only of a finished training. */
  metrics: z.record(z.string(), metricValue).optional(),
});

const stateSchema = z.object({
  formatVersion: z.literal(1),
  /** Wall-clock seconds of all sessions. */
  seconds: z.number(),
  /** Until the first training had ended. */
  firstModelSeconds: z.number().optional(),
  trials: z.array(trialSchema),
  /** The trainings of the current round that have not ended. */
  pending: z.array(z.object({ trial: z.int(), model: z.string(), setting, pauseAfter: z.int().optional() })),
});

/** A trial with everything that is kept of it. */
export type KeptTrial = Trial & z.infer<typeof trialSchema>;

export interface TuneState {
  seconds: number;
  firstModelSeconds?: number;
  trials: KeptTrial[];
  pending: Step[];
}

/** Throws UserError if the file is damaged. */
export async function readState(folder: string): Promise<TuneState> {
  const file = join(folder, FILE);
  if (!existsSync(file)) return { seconds: 0, trials: [], pending: [] };
  const remedy = "Choose another folder with --out";
  return checkJson(stateSchema, await readJson(file, { remedy }), file, {
    problem: "is not a list of trials",
    remedy,
  });
}

export async function writeState(folder: string, state: TuneState): Promise<void> {
  await writeFileWhole(join(folder, FILE), (file) =>
    file.writeFile(`${JSON.stringify({ formatVersion: 1, ...state }, null, 2)}\n`),
  );
}
