// foldin prepare <files...> --out <dir>: from files of interactions, or from a known source, to a dataset folder.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { nearestName } from "../../core/nearest.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { ReadOptions } from "../../data/columns.js";
import type { ItemFile } from "../../data/items.js";
import type { ItemsManifest, Manifest, TimesManifest } from "../../data/manifest.js";
import type { ComparedCount } from "../../data/sources/prepare-source.js";
import {
  addContentOptions,
  type ContentFlags,
  contentInput,
  describeShape,
  skippedLines,
} from "../content-options.js";
import { type CliContext, required } from "../context.js";
import { addFileOptions, fileOptions, givenFileOption } from "../file-options.js";
import { count, plural, table } from "../table.js";

/** What commander hands over: text, or true and false for options without a value; content's options are parsed. */
type Given = Record<string, string | boolean | undefined> & ContentFlags;

/** The options that belong to filter and protocol, and whether they are numbers; names as in `protocolOptions`. */
const protocolFlags: readonly [flag: string, kind: "number" | "text" | "date", meaning: string][] = [
  ["--min-rating <number>", "number", "keep interactions with at least this rating"],
  ["--min-user <count>", "number", "interactions that a user needs (default 5)"],
  ["--min-item <count>", "number", "interactions that an item needs (default 0; notebook 5)"],
  ["--filter <order>", "text", "items-then-users (default), simultaneous or k-core"],
  ["--protocol <name>", "text", "strong (default), weak, temporal, leave-last-out, notebook or given"],
  ["--seed <number>", "number", "seed of NumPy's generator (default 98765; notebook 42)"],
  [
    "--validation-users <count>",
    "number",
    "held-out users to validate with, or a share (default 0.1; notebook 600)",
  ],
  ["--test-users <count>", "number", "held-out users to test with, or a share (default 0.1; notebook 600)"],
  [
    "--held-out-share <share>",
    "number",
    "strong: share of a held-out user's items that is held out (default 0.2)",
  ],
  [
    "--held-out-minimum <count>",
    "number",
    "items that a user needs to be evaluated (default 5; leave-last-out 3)",
  ],
  ["--validation-share <share>", "number", "weak, temporal: share to validate with (default 0.1)"],
  ["--test-share <share>", "number", "weak, temporal: share to test with (default 0.1)"],
  ["--validation-from <date>", "date", "temporal: validation begins here (2015-01-31, or a number)"],
  ["--test-from <date>", "date", "temporal: the test begins here"],
  ["--train-items <count>", "number", "weak, given: train on this many items of each user, test on the rest"],
  [
    "--validation-of-test <share>",
    "number",
    "weak, given: with --train-items, validate with this share of each user's test items (default none)",
  ],
  ["--validation-seed <number>", "number", "seed of the draw of --validation-of-test (default 98765)"],
  ["--fold-in-minimum <count>", "number", "notebook: leave out held-out users with fewer fold-in items"],
  [
    "--catalogue <which>",
    "text",
    "train (default): items of training rows; all; catalogue: also those of --items",
  ],
];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("prepare")
    .summary("make a dataset folder from files of interactions")
    .description(
      "Reads CSV, TSV, ::-separated .dat, Parquet or JSON lines (gzipped or not), filters, splits, and writes a dataset folder.",
    )
    .argument(
      "<files...>",
      "files of interactions, in the order in which they are to be read; or one known source (see below)",
    )
    .option("--out <folder>", "the dataset folder to make")
    .option("--from <folder>", "known source: the folder with its files")
    .option("--download", "known source: fetch its files into --from (default downloads/<source>)")
    .option("--mirror <address>", "known source: fetch from there instead of the official address")
    .option("--force", "replace a dataset folder that stands there")
    .option("--name <name>", "a short name (default: that of the folder)")
    .option("--items <file>", "a file with the items' titles and other columns")
    .option("--item-id <column>", "the id's column in the items' file")
    .option("--item-title <column>", "the title's column in the items' file")
    .option("--user <column>", "the user's column")
    .option("--item <column>", "the item's column")
    .option("--rating <column>", "the rating's column")
    .option("--no-rating", "ignore ratings")
    .option("--time <column>", "the time's column")
    .option("--no-time", "ignore times");
  addFileOptions(command, "", "").option("--format <name>", "text, parquet or json-lines");
  addFileOptions(command, "items-", "items' file");
  addContentOptions(command);
  for (const [flag, , meaning] of protocolFlags) command.option(flag, meaning);
  command
    .option("--json", "print the manifest as one JSON object")
    .addHelpText(
      "after",
      "\nKnown sources, which know their columns, protocol and counts:\n" +
        "  demo (generated, needs no files), ml-100k, ml-latest-small, ml-1m, ml-20m, netflix, amazon-movies,\n" +
        "  citeulike-a, citeulike-t. Filter and protocol options change what is published.\n" +
        "\nExamples:\n" +
        "  foldin prepare demo --out data/demo\n" +
        "  foldin prepare ml-1m --download --out data/ml-1m\n" +
        "  foldin prepare ratings.csv --min-rating 4 --items movies.csv --out data/mine\n" +
        "  foldin prepare ratings.csv --items movies.csv --content plots.csv --catalogue catalogue --out data/mine\n" +
        "  foldin prepare clicks-*.jsonl.gz --protocol leave-last-out --out data/clicks",
    )
    .action((files: string[], given: Given) => prepare(files, given, context));
}

async function prepare(files: string[], given: Given, context: CliContext): Promise<void> {
  const out = required(text(given.out), "--out", "the folder to make, such as --out data/mine");
  const { prepareDataset } = await import("../../data/prepare.js");
  const started = performance.now();
  let manifest: Manifest;
  let compared: readonly ComparedCount[] = [];
  try {
    if (await isSource(files, given))
      ({ manifest, compared } = await fromSource(files[0], out, given, context));
    else
      manifest = await prepareDataset({
        input: files,
        columns: readOptions(given),
        items: itemFile(given),
        content: contentInput(given),
        options: protocolInput(given),
        out,
        force: given.force === true,
        name: text(given.name),
        progress: context.progress,
        signal: context.signal,
      });
  } catch (error) {
    throw inFlags(error);
  }
  if (given.json) context.json(manifest);
  else {
    await print(manifest, out, (performance.now() - started) / 1000, context);
    const agree = compared.filter(({ expected, actual }) => expected === actual).length;
    if (compared.length > 0)
      context.out(
        `${agree} of ${plural(compared.length, "expected count")} came out${agree < compared.length ? "; the others are above" : ""}`,
      );
  }
}

/** Whether the argument names a known source, and no file. */
async function isSource(files: readonly string[], given: Given): Promise<boolean> {
  const { findSource, sourceNames } = await import("../../data/sources/registry.js");
  const isFile = (name: string) => statSync(name, { throwIfNoEntry: false })?.isFile() === true;
  const named = files.find((name) => sourceNames.includes(name) && !isFile(name));
  if (named !== undefined && files.length > 1)
    throw new UserError({
      problem: `${named} is a known source, and stands beside ${files.filter((name) => name !== named).join(", ")}`,
      expected: "one known source, or files",
    });
  if (named !== undefined) return true;
  const option = (["from", "download", "mirror"] as const).find((name) => given[name] !== undefined);
  if (option === undefined) {
    // A word that is no file may be a mistyped source.
    const [word] = files;
    const near = nearestName(word, sourceNames);
    if (files.length > 1 || near === undefined || /[./\\]/.test(word) || existsSync(word)) return false;
    throw new UserError({
      problem: `there is neither a file nor a known source "${word}"`,
      expected: sourceNames.join(", "),
      remedy: `Did you mean ${near}?`,
    });
  }
  if (files.length === 1) findSource(files[0]);
  throw new UserError({
    place: `--${option}`,
    problem: `files are given (${files.join(", ")})`,
    expected: `a known source: ${sourceNames.join(", ")}`,
  });
}

async function fromSource(source: string, out: string, given: Given, context: CliContext) {
  const { prepareSource } = await import("../../data/sources/prepare-source.js");
  const named = ["items", "itemId", "itemTitle", "user", "item", "rating", "time", "format"].find(
    (name) => given[name] !== undefined && !(given[name] === true && ["rating", "time"].includes(name)),
  );
  const stray =
    named === undefined
      ? (givenFileOption(given, "") ?? givenFileOption(given, "items-"))
      : `--${given[named] === false ? "no-" : ""}${named.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
  if (stray !== undefined)
    throw new UserError({
      place: stray,
      problem: `${source} knows its own files`,
      remedy: "Leave the option out, or name the files instead of the source",
    });
  const download = given.download === true;
  return prepareSource({
    source,
    from: text(given.from) ?? (download && source !== "demo" ? join("downloads", source) : undefined),
    download,
    mirror: text(given.mirror),
    content: contentInput(given),
    options: protocolInput(given),
    out,
    force: given.force === true,
    name: text(given.name),
    progress: context.progress,
    signal: context.signal,
  });
}

const text = (value: string | boolean | undefined): string | undefined =>
  typeof value === "string" ? value : undefined;

function readOptions(given: Given): ReadOptions {
  return {
    user: text(given.user),
    item: text(given.item),
    rating: given.rating === false ? false : text(given.rating),
    time: given.time === false ? false : text(given.time),
    ...fileOptions(given, ""),
    format: formatNamed(text(given.format)),
  };
}

const formats = ["text", "parquet", "json-lines"] as const;

function formatNamed(name: string | undefined): ReadOptions["format"] {
  const found = formats.find((format) => format === name);
  if (name === undefined || found !== undefined) return found;
  throw new UserError({
    place: "--format",
    problem: `there is no format "${name}"`,
    expected: formats.join(", "),
  });
}

function itemFile(given: Given): ItemFile | undefined {
  const file = text(given.items);
  if (file !== undefined)
    return { file, id: text(given.itemId), title: text(given.itemTitle), ...fileOptions(given, "items-") };
  const column = given.itemId ? "--item-id" : given.itemTitle ? "--item-title" : undefined;
  const stray = column ?? givenFileOption(given, "items-");
  if (stray === undefined) return undefined;
  throw new UserError({
    place: stray,
    problem: "is about the items file, and none is given",
    remedy: "Name it with --items",
  });
}

/** The filter's and protocol's options, as far as they are given. */
export function protocolInput(given: Given): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [flag, kind] of protocolFlags) {
    const name = flag
      .slice(2, flag.indexOf(" "))
      .replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const value = text(given[name]);
    if (value === undefined) continue;
    const isNumber = value.trim() !== "" && Number.isFinite(Number(value));
    if (kind === "number" && !isNumber)
      throw new UserError({
        place: flag.slice(0, flag.indexOf(" ")),
        problem: `"${value}" is not a number`,
        expected: flag.slice(flag.indexOf("<") + 1, -1),
      });
    options[name === "catalogue" ? "items" : name] = kind !== "text" && isNumber ? Number(value) : value;
  }
  return options;
}

/** Errors about options speak of `minUser`; the person has written `--min-user`. */
function inFlags(error: unknown): unknown {
  if (!(error instanceof UserError) || !error.place?.startsWith("option")) return error;
  const flag = (text: string) =>
    text
      .replace(/\bitems\b/g, "catalogue")
      .replace(
        /\b[a-z]+(?:[A-Z][a-z]+)+\b|\bcatalogue\b/g,
        (name) => `--${name.replace(/[A-Z]/g, "-$&").toLowerCase()}`,
      );
  const { problem, remedy, cause } = error;
  const place = flag(error.place)
    .replace(/^option (?=[a-z])/, "--")
    .replace(/^options? /, "");
  return new UserError({ place, problem, expected: error.expected && flag(error.expected), remedy, cause });
}

async function describeTimes(
  { unit, from, to, missing }: TimesManifest,
  interactions: number,
): Promise<string> {
  const { showTime } = await import("../../data/times.js");
  const [first, last] = [from, to].map((time) => showTime(time, unit));
  const span = first === last ? first : `${first} to ${last}`;
  const what = unit === "own" ? "numbers in the source's own unit" : `${unit} since 1970`;
  const none =
    missing === 0 ? "" : `; ${count(missing)} of ${plural(interactions, "interaction")} without a time`;
  return `times: ${span} (${what})${none}`;
}

function describeTitles({ file, id, title, rows, matched, titled }: ItemsManifest, all: number): string {
  const from =
    file === undefined
      ? plural(rows, "record")
      : `${file} (id = ${JSON.stringify(id)}${title === undefined ? "" : `, title = ${JSON.stringify(title)}`})`;
  return title === undefined
    ? `items: ${count(matched)} of ${count(all)} have a row in ${from}; there is no column of titles`
    : `titles: ${count(titled)} of ${plural(all, "item")} from ${from}`;
}

async function print(
  { name, counts, columns, content, protocol, times, items }: Manifest,
  out: string,
  seconds: number,
  context: CliContext,
): Promise<void> {
  const { bold, dim } = context.style;
  const { filtered, validation, test } = counts;
  const { minUser, minItem, filter } = protocol;
  const core = filter === "k-core" ? ", again and again" : "";
  context.out(
    `${bold(name)}: ${count(counts.sourceRows)} rows read, ${count(counts.kept ?? filtered.interactions)} kept`,
  );
  for (const [rows, why] of [
    [filtered.repeatedHeaders ?? 0, "a header among the rows"],
    [filtered.belowRating, "below the minimum rating (--min-rating)"],
    [filtered.duplicates, "of a user and item that came before"],
    [
      filtered.belowMinItem ?? 0,
      `of ${plural(filtered.rareItems ?? 0, "item")} with fewer than ${minItem} (--min-item${core})`,
    ],
    [
      filtered.belowMinUser ?? 0,
      `of ${plural(filtered.rareUsers ?? 0, "user")} with fewer than ${minUser} (--min-user${core})`,
    ],
    [
      validation.unknownItems + test.unknownItems,
      "for items without a training row (--catalogue all keeps them)",
    ],
    [validation.coldUsers + test.coldUsers, "of users with too little to fold in"],
  ] as const)
    if (rows > 0) context.out(dim(`  ${plural(rows, "row")} dropped: ${why}`));
  context.out(
    table(
      [
        { heading: "" },
        { heading: "users", align: "right" },
        { heading: "items", align: "right" },
        { heading: "interactions", align: "right" },
        { heading: "held out", align: "right" },
      ],
      [
        ["train", count(counts.users), count(counts.items), count(counts.interactions), ""],
        ["validation", count(validation.users), "", count(validation.foldIn), count(validation.heldOut)],
        ["test", count(test.users), "", count(test.foldIn), count(test.heldOut)],
      ],
      dim,
    ),
  );
  if (times) context.out(await describeTimes(times, filtered.interactions));
  if (items) context.out(describeTitles(items, counts.items));
  if (content) {
    const { kind, shape, items, missing, skipped, examples } = content;
    const without = missing === 0 ? "" : `, ${count(missing)} ${missing === 1 ? "has" : "have"} none`;
    context.out(`content: ${describeShape(kind, shape)} of ${plural(items, "item")}${without}`);
    for (const line of skippedLines(skipped, examples)) context.out(dim(`  ${line}`));
  }
  if (validation.judgedUsers === 0 || test.judgedUsers === 0)
    context.say(
      "warning: nobody can be evaluated in one of the splits; hold out more users or a larger share",
    );
  if (!columns.value) context.say(dim("the source has no ratings: every row counts as an interaction"));
  context.out(
    `${out} written in ${seconds.toFixed(1)} s. Next: ${shellCommand("foldin", "train", pathArgument(out), "--model", content ? "cvae" : "mult-vae", "--out", `runs/${name}`)}`,
  );
}
