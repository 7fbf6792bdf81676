// The summary and the curves of a run, from its small files: config.json, metrics.jsonl and result.json. The model is not opened.
// A run is read without the repairs of `readRunFolder`: the studio changes nothing.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { readJson } from "../core/json-file.js";
import { isBeingWritten } from "../core/lock.js";
import { optionTexts } from "../experiments/option-text.js";
import { checkRunConfig, modelFolderOf, readEpochs } from "../experiments/run-folder.js";
import { type RunResult, readRunResult } from "../experiments/run-result.js";
import type { EpochRecord } from "../recommender/run-context.js";
import type { Curve, Run } from "./api.js";
import type { FoundFolder } from "./find-folders.js";

/** The summary of a run; undefined if the folder is not a run. Throws UserError, naming the file, if a file is damaged. */
export async function readRun({ id, path, names }: FoundFolder): Promise<Run | undefined> {
  const file = join(path, "config.json");
  const json = await readJson(file);
  if (!looksLikeRun(json)) return undefined;
  const config = checkRunConfig(json, file);
  const epochs = readEpochs(path);
  const result = await readRunResult(path);
  const replaces = replacedBy(id);
  const written = replaces === undefined ? path : join(dirname(path), basename(replaces));
  // The points of a search keep their results, not their models.
  const isFinished = names.has("model") || (result !== undefined && !names.has("checkpoint"));
  const state = isFinished ? "finished" : (await isBeingWritten(written)) ? "training" : "stopped";
  const { epochs: planned } = config.options;
  return {
    id,
    model: config.model,
    dataset: config.dataset,
    state,
    ...(replaces !== undefined && { replaces }),
    options: Object.fromEntries(
      optionTexts(config.options).map((text) => {
        const end = text.indexOf("=");
        return [text.slice(0, end), text.slice(end + 1)];
      }),
    ),
    seed: config.seed,
    engine: config.engine,
    precision: config.precision,
    threads: config.threads,
    epochs: epochs.length,
    ...(Number.isInteger(planned) && { plannedEpochs: planned as number }),
    seconds:
      epochs.length > 0 ? (secondsOf(epochs).at(-1) ?? null) : result === undefined ? null : result.seconds,
    modelBytes: names.has("model") ? await bytesOf(modelFolderOf(path)) : null,
    changed: await lastChange(path, names),
    report: names.has("report.html"),
    on: evaluationsOf(epochs, result),
  };
}

/** The curves of a run. Throws UserError, naming the line, if metrics.jsonl is damaged. */
export function readCurve(id: string, path: string): Curve {
  const epochs = readEpochs(path);
  const seconds = secondsOf(epochs);
  return {
    id,
    chosen: keptEpoch(epochs)?.epoch ?? null,
    epochs: epochs.map(({ epoch, values }, place) => ({
      epoch,
      seconds: seconds[place],
      values: Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
      ),
    })),
  };
}

/** Other programs have a config.json too. */
function looksLikeRun(json: unknown): boolean {
  return (
    typeof json === "object" &&
    json !== null &&
    typeof Reflect.get(json, "model") === "string" &&
    typeof Reflect.get(json, "dataset") === "object" &&
    typeof Reflect.get(json, "options") === "object"
  );
}

/** The id of the run whose unfinished replacement has this id. */
function replacedBy(id: string): string | undefined {
  const [, name] = /^\.(.+)\.new$/.exec(posix.basename(id)) ?? [];
  return name === undefined ? undefined : posix.join(posix.dirname(id), name);
}

/** Seconds from the start to the end of each epoch. */
function secondsOf(epochs: readonly EpochRecord[]): number[] {
  let sum = 0;
  return epochs.map(({ seconds, validationSeconds }) => {
    sum += seconds + validationSeconds;
    return sum;
  });
}

function keptEpoch(epochs: readonly EpochRecord[]): EpochRecord | undefined {
  const last = epochs.at(-1);
  return last?.kept === undefined ? last : epochs.find(({ epoch }) => epoch === last.kept);
}

const VALIDATION = "validation ";

/** The metrics of the result, and those that training measured for the kept epoch and the result lacks. */
function evaluationsOf(epochs: readonly EpochRecord[], result: RunResult | undefined): Run["on"] {
  const measured = Object.entries(keptEpoch(epochs)?.values ?? {})
    .filter(([name, value]) => name.startsWith(VALIDATION) && Number.isFinite(value))
    .map(([name, mean]) => [name.slice(VALIDATION.length), { mean }] as const);
  const validation =
    result?.validation || measured.length > 0
      ? {
          ...result?.validation,
          metrics: { ...Object.fromEntries(measured), ...result?.validation?.metrics },
        }
      : undefined;
  return { ...(result?.test && { test: result.test }), ...(validation && { validation }) };
}

/** Bytes of the files in a folder. */
async function bytesOf(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder).catch(() => [])).map((name) => stat(join(folder, name)).then(({ size }) => size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The last change of the configuration, the metrics or the result. */
async function lastChange(path: string, names: ReadonlySet<string>): Promise<number> {
  const files = ["config.json", "metrics.jsonl", "result.json"].filter((name) => names.has(name));
  const times = await Promise.all(files.map((name) => stat(join(path, name)).then(({ mtimeMs }) => mtimeMs)));
  return Math.max(...times);
}
