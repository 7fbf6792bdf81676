// foldin export <run> --onnx <file>: writes a trained model as one ONNX file, including fold-in and ranking.

import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { type CliContext, required } from "../context.js";
import { wholeNumber } from "../engine-options.js";
import { count } from "../table.js";

interface Flags {
  onnx?: string;
  float16?: boolean;
  int8?: boolean;
  steps?: number;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  program
    .command("export")
    .summary("write a trained model as ONNX, for other runtimes and browsers")
    .description(
      "Write a trained model as one ONNX file. Its input is a history as item indices; its output is the top k items that are not in the history. Item ids and titles are in the metadata of the file.",
    )
    .argument("<run>", "a run folder written by foldin train")
    .option("--onnx <file>", "the file to write")
    .option("--float16", "store weight matrices as 16-bit floats: half the size")
    .option("--int8", "store weight matrices as 8-bit integers with one scale per row: a quarter of the size")
    .option(
      "--steps <n>",
      "wmf, ctr, cdl, cvae, deep-music: conjugate gradient steps of a fold-in (default: 32)",
      wholeNumber(1),
    )
    .option("--force", "replace the file in --onnx")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin export runs/ml-1m --onnx model.onnx
  foldin export runs/ml-1m --onnx model.onnx --float16`,
    )
    .action((run: string, flags: Flags) => exportRun(run, flags, context));
}

async function exportRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.onnx, "--onnx", "the file to write, such as --onnx model.onnx");
  if (flags.float16 && flags.int8)
    throw new UserError({
      place: "--int8",
      problem: "cannot be combined with --float16",
      remedy: "Use only one of them",
    });
  const [
    { requireFreeFile, writeFileAtomic },
    { makeFolders },
    { findModelFolder, readModelFiles },
    { exportedWithSteps, onnxOf },
  ] = await Promise.all([
    import("../../core/atomic-file.js"),
    import("../../core/folders.js"),
    import("../../recommender/model-files.js"),
    import("../../serving/onnx/export.js"),
  ]);
  await requireFreeFile(out, { force: flags.force });
  const files = await readModelFiles(await findModelFolder(run));
  if (flags.steps !== undefined && !exportedWithSteps.includes(files.algorithm))
    throw new UserError({
      place: "--steps",
      problem: `${files.algorithm} does not use conjugate gradients for fold-in`,
      remedy: "Remove the option",
    });
  const weights = flags.float16 ? "float16" : flags.int8 ? "int8" : "float32";
  const bytes = await onnxOf(files, { weights, steps: flags.steps });
  await makeFolders(dirname(resolve(out)));
  await writeFileAtomic(out, bytes);
  const { algorithm, items } = files;
  if (flags.json) return context.json({ out, algorithm, weights, items: items.size, bytes: bytes.length });
  context.out(
    `${context.style.bold(algorithm)} with ${count(items.size)} items written to ${out}: ${(bytes.length / 1e6).toFixed(1)} MB (${weights})`,
  );
}
