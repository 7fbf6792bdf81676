// foldin prepare <files...> --out <folder>: makes a dataset folder from interaction files or a known source.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { nearestName } from "../../core/nearest.js";
import { printable } from "../../core/printable.js";
import { withoutPasswords } from "../../core/secrets.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { ReadOptions } from "../../data/columns.js";
import type { ItemFile } from "../../data/items.js";
import type { ItemsManifest, Manifest, TimesManifest } from "../../data/manifest.js";
import type { ComparedCount, DemoSizes } from "../../data/sources/prepare-source.js";
import {
  addContentOptions,
  type ContentFlags,
  contentInput,
  describeShape,
  skippedLines,
} from "../content-options.js";
import { type CliContext, required } from "../context.js";
import {
  addFileOptions,
  addQueryOptions,
  fileOptions,
  givenFileOption,
  givenQueryOption,
  queryOptions,
} from "../file-options.js";
import { addItemTypeOption, type ItemTypeFlags, itemTypes } from "../item-types.js";
import { count, plural, table } from "../table.js";

/** The options from commander: text, or booleans for options without a value. Content options are already parsed. */
type Given = Record<string, string | boolean | undefined> & ContentFlags & ItemTypeFlags;

/** The filter and protocol options and their types. Names correspond to those in `protocolOptions`. */
const protocolFlags: readonly [flag: string, kind: "number" | "text" | "date", meaning: string][] = [
  ["--min-rating <number>", "number", "drop interactions with a lower rating"],
  ["--min-user <count>", "number", "drop users with fewer interactions (default: 5)"],
  ["--min-item <count>", "number", "drop items with fewer interactions (default: 0; notebook: 5)"],
  [
    "--filter <order>",
    "text",
    "how --min-item and --min-user apply: items-then-users (default), simultaneous or k-core",
  ],
  [
    "--protocol <name>",
    "text",
    "how to split: strong (default), weak, temporal, leave-last-out, notebook or given",
  ],
  ["--seed <number>", "number", "seed of the split (default: 98765; notebook: 42)"],
  [
    "--validation-users <count>",
    "number",
    "number or share of held-out users for validation (default: 0.1; notebook: 600)",
  ],
  [
    "--test-users <count>",
    "number",
    "number or share of held-out users for the test (default: 0.1; notebook: 600)",
  ],
  [
    "--held-out-share <share>",
    "number",
    "strong: share of a held-out user's items that is held out (default: 0.2)",
  ],
  [
    "--held-out-minimum <count>",
    "number",
    "minimum number of items of an evaluated user (default: 5; leave-last-out: 3)",
  ],
  ["--validation-share <share>", "number", "weak, temporal: share of the validation set (default: 0.1)"],
  ["--test-share <share>", "number", "weak, temporal: share of the test set (default: 0.1)"],
  ["--validation-from <date>", "date", "temporal: start of the validation period (2015-01-31, or a number)"],
  ["--test-from <date>", "date", "temporal: start of the test period"],
  [
    "--train-items <count>",
    "number",
    "weak, given: number of training items per user; the rest is the test set",
  ],
  [
    "--validation-of-test <share>",
    "number",
    "weak, given: with --train-items, share of each user's test items to use for validation (default: none)",
  ],
  ["--validation-seed <number>", "number", "seed for the draw of --validation-of-test (default: 98765)"],
  ["--fold-in-minimum <count>", "number", "notebook: drop held-out users with fewer fold-in items"],
  [
    "--catalogue <which>",
    "text",
    "items to keep: train = with training interactions (default), all = with any interaction, catalogue = also those of --items",
  ],
];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("prepare")
    .summary("make a dataset from interaction files")
    .description(
      "Read interactions from files (CSV, TSV, ::-separated .dat, Parquet or JSON lines, optionally gzipped) or a database (PostgreSQL, SQLite, DuckDB), filter and split them, and write a dataset folder.",
    )
    .argument(
      "[files...]",
      "interaction files, read in this order; a database (see below); or the name of one known source",
    )
    .option("--out <folder>", "the dataset folder to write")
    .option("--force", "replace the dataset in --out")
    .option("--name <name>", "name of the dataset (default: the name of the folder)")
    .option("--json", "print the manifest as one JSON object")
    .optionsGroup("Known source:")
    .option("--from <folder>", "known source: folder with its files")
    .option("--download", "known source: download its files to --from (default: downloads/<source>)")
    .option("--mirror <address>", "known source: download from this address instead of the official one")
    .optionsGroup("Generated benchmark (foldin prepare demo):")
    .option("--users <count>", "demo: number of users (default: as many as items)")
    .option("--interactions <count>", "demo: number of interactions (default: 30 per user)")
    .optionsGroup("Interaction files:")
    .option("--user <column>", "user column (default: detected)")
    .option("--item <column>", "item column (default: detected)")
    .option("--rating <column>", "rating column (default: detected)")
    .option("--no-rating", "ignore ratings")
    .option("--time <column>", "time column (default: detected)")
    .option("--no-time", "ignore times");
  addFileOptions(command, "", "").option(
    "--format <name>",
    "file format: text, parquet or json-lines (default: detected)",
  );
  command.optionsGroup("Database:");
  addQueryOptions(command, "", "");
  addQueryOptions(command, "items-", "items from the same ");
  command
    .optionsGroup("Items file:")
    .option(
      "--items <file>",
      "items file: file with item ids, titles and attributes (its other columns); demo: number of items",
    )
    .option("--item-id <column>", "items file: id column (default: detected)")
    .option("--item-title <column>", "items file: title column (default: detected)");
  addItemTypeOption(command);
  addFileOptions(command, "items-", "items file");
  command.optionsGroup("Item content:");
  addContentOptions(command);
  command.optionsGroup("Filter and split:");
  for (const [flag, , meaning] of protocolFlags) command.option(flag, meaning);
  command
    .addHelpText(
      "after",
      "\nKnown sources, with predefined columns, protocol and expected counts:\n" +
        "  demo (generated, no files needed), ml-100k, ml-latest-small, ml-1m, ml-20m, netflix, amazon-movies,\n" +
        "  citeulike-a, citeulike-t. Filter and protocol options override the published ones.\n" +
        "\nDatabases: postgres://user:password@host:port/database, or a SQLite or DuckDB file; with --query or --table.\n" +
        "  Without an argument, FOLDIN_DATABASE names the database. A password may be in PGPASSWORD instead of the URL.\n" +
        "\nExamples:\n" +
        "  foldin prepare demo --out data/demo\n" +
        "  foldin prepare demo --items 1000000 --users 1000000 --interactions 30000000 --out data/million\n" +
        "  foldin prepare ml-1m --download --out data/ml-1m\n" +
        "  foldin prepare ratings.csv --min-rating 4 --items movies.csv --out data/mine\n" +
        "  foldin prepare ratings.csv --items movies.csv --item-type 'tags=list;' --out data/mine\n" +
        "  foldin prepare ratings.csv --items movies.csv --content plots.csv --catalogue catalogue --out data/mine\n" +
        "  foldin prepare postgres://reader@db.example/shop --query 'select user_id, item_id, at from clicks order by id' --out data/clicks\n" +
        "  foldin prepare shop.sqlite --table ratings --items-table films --out data/shop\n" +
        "  foldin prepare clicks-*.jsonl.gz --protocol leave-last-out --out data/clicks",
    )
    .action((files: string[], given: Given) => prepare(files, given, context));
}

async function prepare(named: string[], given: Given, context: CliContext): Promise<void> {
  const files = named.length > 0 ? named : [databaseOf(given)];
  const out = required(text(given.out), "--out", "the folder to write, such as --out data/mine");
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
        items: itemFile(given, files),
        itemTypes: itemTypes(given),
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
        `${agree} of ${plural(compared.length, "expected count")} matched${agree < compared.length ? "; see above for the others" : ""}`,
      );
  }
}

/** The database that the environment names. Throws UserError if there is none. */
function databaseOf(given: Given): string {
  const database = process.env.FOLDIN_DATABASE?.trim();
  if (givenQueryOption(given, "") === undefined)
    throw new UserError({
      problem: "no input is given",
      expected: "interaction files, a database, or a known source",
      remedy: "foldin help prepare shows examples",
    });
  if (database) return database;
  throw new UserError({
    problem: "no database is given",
    expected: "its URL or file as an argument, or in the environment variable FOLDIN_DATABASE",
  });
}

/** Whether the argument is a known source and not a file. Throws UserError if source and file arguments are mixed. */
async function isSource(files: readonly string[], given: Given): Promise<boolean> {
  const { findSource, sourceNames } = await import("../../data/sources/registry.js");
  const isFile = (name: string) => statSync(name, { throwIfNoEntry: false })?.isFile() === true;
  const named = files.find((name) => sourceNames.includes(name) && !isFile(name));
  if (named !== undefined && files.length > 1)
    throw new UserError({
      problem: `the known source ${named} cannot be combined with ${files.filter((name) => name !== named).join(", ")}`,
      expected: "one known source, or files",
    });
  if (named !== undefined) return true;
  const option = (["from", "download", "mirror", "users", "interactions"] as const).find(
    (name) => given[name] !== undefined,
  );
  if (option === undefined) {
    // A word that is not a file may be a mistyped source.
    const [word] = files;
    const near = nearestName(word, sourceNames);
    if (files.length > 1 || near === undefined || /[./\\]/.test(word) || existsSync(word)) return false;
    throw new UserError({
      problem: `"${word}" is neither a file nor a known source`,
      expected: sourceNames.join(", "),
      remedy: `Did you mean ${near}?`,
    });
  }
  const isSize = option === "users" || option === "interactions";
  if (files.length === 1 && !isSize) findSource(files[0]);
  throw new UserError({
    place: `--${option}`,
    problem: `cannot be used with files (${withoutPasswords(files.join(", "))})`,
    expected: isSize ? "foldin prepare demo" : `a known source: ${sourceNames.join(", ")}`,
  });
}

async function fromSource(source: string, out: string, given: Given, context: CliContext) {
  const { prepareSource } = await import("../../data/sources/prepare-source.js");
  const sizes = source === "demo" ? demoSizes(given) : undefined;
  const named = [
    ...(sizes ? [] : ["items", "users", "interactions"]),
    "itemId",
    "itemTitle",
    "itemType",
    "user",
    "item",
    "rating",
    "time",
    "format",
  ].find((name) => given[name] !== undefined && !(given[name] === true && ["rating", "time"].includes(name)));
  const stray =
    named === undefined
      ? (givenFileOption(given, "") ??
        givenFileOption(given, "items-") ??
        givenQueryOption(given, "") ??
        givenQueryOption(given, "items-"))
      : `--${given[named] === false ? "no-" : ""}${named.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
  if (stray !== undefined)
    throw new UserError({
      place: stray,
      problem: `cannot be used with the known source ${source}`,
      remedy: "Remove the option, or give files instead of the source",
    });
  const download = given.download === true;
  return prepareSource({
    source,
    from: text(given.from) ?? (download && source !== "demo" ? join("downloads", source) : undefined),
    download,
    mirror: text(given.mirror),
    content: contentInput(given),
    options: protocolInput(given),
    sizes,
    out,
    force: given.force === true,
    name: text(given.name),
    progress: context.progress,
    signal: context.signal,
  });
}

/** The sizes of a generated benchmark; undefined for the small demo. Throws UserError, naming the option. */
function demoSizes(given: Given): DemoSizes | undefined {
  const names = ["items", "users", "interactions"] as const;
  if (names.every((name) => given[name] === undefined)) return undefined;
  const [items, users, interactions] = names.map((name) => {
    const value = text(given[name]);
    if (value === undefined || /^\d+$/.test(value)) return value === undefined ? undefined : Number(value);
    throw new UserError({
      place: `--${name}`,
      problem: `must be a number for the demo; got "${value}"`,
      expected: "a whole number, such as 100000",
    });
  });
  if (items !== undefined) return { items, users, interactions };
  throw new UserError({
    place: users === undefined ? "--interactions" : "--users",
    problem: "requires --items",
    remedy: "Add the number of items: --items <count>",
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
    ...queryOptions(given, ""),
    format: formatNamed(text(given.format)),
  };
}

const formats = ["text", "parquet", "json-lines"] as const;

function formatNamed(name: string | undefined): ReadOptions["format"] {
  const found = formats.find((format) => format === name);
  if (name === undefined || found !== undefined) return found;
  throw new UserError({
    place: "--format",
    problem: `unknown format "${name}"`,
    expected: formats.join(", "),
  });
}

/** The item file; with --items-query or --items-table alone, it is the database of the interactions. */
function itemFile(given: Given, files: readonly string[]): ItemFile | undefined {
  const queried = givenQueryOption(given, "items-");
  if (queried !== undefined && given.items === undefined && files.length > 1)
    throw new UserError({
      place: queried,
      problem: `${files.length} inputs are given`,
      expected: "one database, or --items <database>",
    });
  const file = text(given.items) ?? (queried === undefined ? undefined : files[0]);
  if (file !== undefined)
    return {
      ...{ file, id: text(given.itemId), title: text(given.itemTitle) },
      ...{ ...fileOptions(given, "items-"), ...queryOptions(given, "items-") },
    };
  const column = given.itemId
    ? "--item-id"
    : given.itemTitle
      ? "--item-title"
      : given.itemType
        ? "--item-type"
        : undefined;
  const stray = column ?? givenFileOption(given, "items-");
  if (stray === undefined) return undefined;
  throw new UserError({
    place: stray,
    problem: "requires --items",
    remedy: "Add --items <file>",
  });
}

/** The given filter and protocol options. */
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
        problem: `must be a number; got "${value}"`,
      });
    options[name === "catalogue" ? "items" : name] = kind !== "text" && isNumber ? Number(value) : value;
  }
  return options;
}

/** Rewrites option names in errors from `minUser` to `--min-user`. */
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
  const what = unit === "own" ? "in the unit of the source" : `${unit} since 1970`;
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
    ? `items: ${count(matched)} of ${count(all)} have a row in ${from}, which has no title column`
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
  const core = filter === "k-core" ? ", repeated" : "";
  context.out(
    `${bold(name)}: ${count(counts.sourceRows)} rows read, ${count(counts.kept ?? filtered.interactions)} kept`,
  );
  for (const [rows, why] of [
    [filtered.repeatedHeaders ?? 0, "repeated header lines"],
    [filtered.belowRating, "below the minimum rating (--min-rating)"],
    [filtered.duplicates, "duplicate user and item"],
    [
      filtered.belowMinItem ?? 0,
      `${plural(filtered.rareItems ?? 0, "item")} with fewer than ${minItem} (--min-item${core})`,
    ],
    [
      filtered.belowMinUser ?? 0,
      `${plural(filtered.rareUsers ?? 0, "user")} with fewer than ${minUser} (--min-user${core})`,
    ],
    [
      validation.unknownItems + test.unknownItems,
      "items without training interactions (--catalogue all keeps them)",
    ],
    [validation.coldUsers + test.coldUsers, "users with too few fold-in items"],
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
  if (items?.attributes)
    context.out(
      `attributes: ${items.attributes.map(({ name, type }) => `${printable(name)} (${type})`).join(", ")}`,
    );
  if (content) {
    const { kind, shape, items, missing, skipped, examples } = content;
    const without = missing === 0 ? "" : `, ${count(missing)} ${missing === 1 ? "has" : "have"} none`;
    context.out(`content: ${describeShape(kind, shape)} of ${plural(items, "item")}${without}`);
    for (const line of skippedLines(skipped, examples)) context.out(dim(`  ${line}`));
  }
  if (validation.judgedUsers === 0 || test.judgedUsers === 0)
    context.say("warning: a split has no user to evaluate; hold out more users or a larger share");
  if (!columns.value) context.say(dim("no rating column: every row counts as an interaction"));
  context.out(
    `wrote ${out} in ${seconds.toFixed(1)} s. Next: ${shellCommand("foldin", "train", pathArgument(out), ...(content ? ["--model", "cvae"] : []), "--out", `runs/${name}`)}`,
  );
}
